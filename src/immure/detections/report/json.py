"""The report for programs: docs/reference/detect.md says what each member means."""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

import msgspec

from immure.detections.finding import Severity
from immure.detections.outcome import Outcome
from immure.detections.report.words import headline, moment
from immure.scanning.report import tool

SCHEMA: Final = "https://immure.example/schemas/detect-1.json"


def write_json(outcome: Outcome, stream: TextIO, *, least: Severity) -> None:
    """Write the report."""
    json.dump(to_json(outcome, least=least), stream, indent=1)
    stream.write("\n")


def to_json(outcome: Outcome, *, least: Severity) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "schema": SCHEMA,
        "version": tool.version(),
        "verdict": outcome.verdict(least),
        "words": headline(outcome, least),
        "acceptances": dict(outcome.verdicts),
        "findings": [
            {**one.plain(), "first": moment(one.first), "last": moment(one.last)} for one in outcome.findings
        ],
        "issuers": [
            {
                "issuer": one.issuer,
                "known_from": one.known_from,
                "watermark": one.watermark,
                "proved": one.proved,
                "segments": one.segments,
                "gaps": [{"from": start, "to": end, "reason": why} for start, end, why in one.gaps],
            }
            for one in outcome.issuers
        ],
        "missing": list(outcome.missing),
        "notes": list(outcome.notes),
        "not_shown": dict(outcome.hidden),
        "sources": {name: dict(counts) for name, counts in outcome.sources.items()},
        "not_understood": [msgspec.structs.asdict(one) for one in outcome.odd],
        "rules": list(outcome.rules),
    }
