"""Signatures that an HSM has made, against rows of the ledger: the second reconciliation.

A ledger that is complete has a row for each signature. Readings of a counter of signatures (those that the
HSM keeps of a key, or the lines of its audit log) say how many there were between two moments; the ledger
says how many tokens of that key have an ``iat`` between them. More signatures than rows: somebody signed past
the ledger. A row comes before its signature, so that a few more rows than signatures are no harm.

Readings are CSV with the columns ``kid``, ``time`` (RFC 3339, or seconds since 1970) and ``count``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from immure.clock import from_rfc3339
from immure.detections.finding import Finding
from immure.detections.row_rules import finding_of
from immure.detections.rule import Rule
from immure.errors import InputError

#: Readings of one file.
MOST: Final = 1_000_000
_MOST_BYTES: Final = 256 << 20
#: ``(kid, low, high)`` to the number of rows with ``low <= iat < high``.
Rows = Callable[[str, int, int], int]


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """What a counter showed: ``count`` signatures by ``kid`` up to ``time`` (seconds since 1970)."""

    kid: str
    time: int
    count: int


def read_readings(path: Path) -> list[Reading]:
    """The readings of a file, by key and time.

    Raises:
        InputError: it cannot be read, or has a line that is none.
    """
    made = []
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"more than {_MOST_BYTES} bytes", path=str(path))
        with path.open(encoding="utf-8", newline="") as stream:
            lines = csv.DictReader(stream)
            for row in lines:
                made.append(_reading(row, path, lines.line_num))
                if len(made) > MOST:
                    raise InputError(f"more than {MOST} readings", path=str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        words = getattr(error, "strerror", None) or "is no CSV in UTF-8"
        raise InputError(words, path=str(path)) from error
    return sorted(made)


def _reading(row: dict[str, str], path: Path, line: int) -> Reading:
    try:
        kid, time, count = row["kid"], row["time"], int(row["count"])
        seconds = int(time) if time.isascii() and time.isdigit() else int(from_rfc3339(time).timestamp())
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"line {line} is no reading: kid, time, count", path=str(path)) from error
    if count < 0 or not kid:
        raise InputError(f"line {line} is no reading: kid, time, count", path=str(path))
    return Reading(kid, seconds, count)


def counter_findings(
    rule: Rule, readings: Sequence[Reading], rows: Rows, *, watermark: Callable[[str], int], slack: int = 10
) -> Iterator[Finding]:
    """Times in which a key signed more than the ledger has.

    Args:
        rows: of the ledger.
        watermark: of the issuer of a key: readings above it are left for later.
        slack: seconds between ``iat`` and the reading of the counter.
    """
    for kid, mine in groupby(readings, key=lambda one: one.kid):
        for before, after in pairwise(mine):
            if after.time + slack >= watermark(kid):
                continue
            signed = after.count - before.count
            if signed < 0:
                yield _found(
                    rule,
                    kid,
                    (before, after),
                    f"the counter went back from {before.count:,} to {after.count:,}",
                )
                continue
            most = rows(kid, before.time - slack, after.time + slack)
            if signed > most:
                words = f"{signed:,} signatures, and the ledger has {most:,} rows at most for that time"
                yield _found(rule, kid, (before, after), words)


def _found(rule: Rule, kid: str, span: tuple[Reading, Reading], words: str) -> Finding:
    before, after = span
    made = finding_of(
        rule, [], reason=words, count=max(1, after.count - before.count), first=before.time * 1_000_000,
        last=after.time * 1_000_000,
    )  # fmt: skip
    keys = {"kid": kid, "from": str(before.time), "to": str(after.time)}
    return Finding(**{**made.__dict__, "keys": keys})


def judged(
    readings: Iterable[Reading], *, watermark: Callable[[str], int], slack: int = 10
) -> tuple[int, int]:
    """How many spans between readings are below the watermark, and how many are not yet."""
    done = waiting = 0
    for kid, mine in groupby(readings, key=lambda one: one.kid):
        for _, after in pairwise(mine):
            if after.time + slack < watermark(kid):
                done += 1
            else:
                waiting += 1
    return done, waiting
