"""What a check came to, as a table for people and as JSON."""

from __future__ import annotations

import json
from typing import TextIO

from immure.mail.check import CheckReport, Row, Verdict

_SCHEMA = "https://immure.example/schemas/mail-check-1.json"


def write_table(report: CheckReport, stream: TextIO) -> None:
    """One line for each row, those that are wrong marked, and the verdict in the last line."""
    width = max((len(row.name) for row in report.rows), default=4)
    for row in report.rows:
        mark = {Verdict.RIGHT: " ", Verdict.WRONG: "!", Verdict.UNKNOWN: "?"}[row.verdict]
        door = f"{row.door}:{row.port}"
        stream.write(
            f"{mark} {door:<17} {row.mechanism:<11} {row.name:<{width}}  {row.outcome:<9} {row.detail}\n"
        )
    stream.write(f"{_words(report)}\n")


def write_json(report: CheckReport, stream: TextIO) -> None:
    """An object with the rows as they are."""
    value = {
        "schema": _SCHEMA,
        "host": report.host,
        "verdict": report.verdict.value,
        "rows": [_row(row) for row in report.rows],
    }
    json.dump(value, stream, indent=1)
    stream.write("\n")


def _row(row: Row) -> dict[str, str | int]:
    return {
        "door": row.door,
        "port": row.port,
        "mechanism": row.mechanism,
        "name": row.name,
        "title": row.title,
        "expected": row.expected,
        "outcome": row.outcome,
        "detail": row.detail,
        "verdict": row.verdict.value,
    }


def _words(report: CheckReport) -> str:
    if report.verdict is Verdict.WRONG:
        count = len(report.wrong)
        return f"wrong: {count} {'thing was' if count == 1 else 'things were'} let in that must not be"
    if report.verdict is Verdict.RIGHT:
        return f"right: {len(report.rows)} questions, good tokens get in, and nothing else does"
    return "cannot tell: a good token was not let in, or not everything was answered"
