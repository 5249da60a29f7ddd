"""The rows of the list of dumps, made of what the index knows of their parts.

Each step of the way is 0 (not yet), 1 (done) or 2 (went wrong, or said no).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from immure.console.dump_rows import Captured, Cleared

#: In the order of the way.
STEPS: Final = ("captured", "scanned", "redacted", "proved", "attested", "decided", "released")
_COLUMNS: Final = (
    "id",
    "at",
    "label",
    "digest",
    "size",
    "signal",
    "keys",
    "spans",
    *STEPS,
    "expires",
    "trouble",
)
TABLES: Final = (
    f"CREATE TABLE dumps ({', '.join(_COLUMNS)}, digests, PRIMARY KEY (id))",
    "CREATE INDEX dumps_at ON dumps (at DESC, id)",
)


@dataclass
class _Way:
    """How far the digests of one dump have come."""

    cleared: list[Cleared] = field(default_factory=list)
    decided: list[tuple[str, int]] = field(default_factory=list)


def join(database: sqlite3.Connection) -> None:
    """Make the table of dumps anew."""
    database.execute("DELETE FROM dumps")
    marks = ", ".join("?" * (len(_COLUMNS) + 1))
    database.executemany(f"INSERT OR REPLACE INTO dumps VALUES ({marks})", _rows(database))  # noqa: S608 - ours


def _rows(database: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    ways: dict[str, _Way] = defaultdict(_Way)
    made_of: dict[str, set[str]] = defaultdict(set)
    for row in database.execute("SELECT * FROM cleared WHERE digest != ''"):
        one = Cleared(*row)
        ways[one.digest].cleared.append(one)
        if one.source and one.source != one.digest:
            made_of[one.source].add(one.digest)
    for digest, kind, at in database.execute("SELECT digest, kind, at FROM decided ORDER BY entry"):
        if digest and kind:
            ways[digest].decided.append((kind, at))
    told = {digest for made in made_of.values() for digest in made}
    records = [Captured(*row) for row in database.execute("SELECT * FROM captured").fetchall()]
    for record in records:
        digests = _with(record.digest or record.source, made_of)
        told.update(digests)
        yield _row(record, digests, ways)
    for digest, name, at, size in database.execute("SELECT * FROM sealed").fetchall():
        if digest not in told:
            record = Captured(digest, digest, at=at, label=name, size=size)
            yield _row(record, _with(digest, made_of), ways)


def _with(digest: str, made_of: dict[str, set[str]]) -> tuple[str, ...]:
    """A digest, and those of what was made of it."""
    return (digest, *sorted(made_of.get(digest, ()))) if digest else ()


def _row(record: Captured, digests: tuple[str, ...], ways: dict[str, _Way]) -> tuple[object, ...]:
    cleared = [one for digest in digests if digest in ways for one in ways[digest].cleared]
    decided = [one for digest in digests if digest in ways for one in ways[digest].decided]
    best = max(cleared, key=lambda one: (one.stands == 1, one.expires), default=None)
    redacted, proved = record.redacted, record.proved
    if best is not None:
        redacted, proved = 1, proved or (1 if best.holds else 2)
    kinds = {kind for kind, _ in decided}
    last = max(decided, key=lambda one: one[1])[0] if decided else ""
    steps = {
        "captured": 2 if record.error else 1,
        "scanned": 1 if record.scanned or best is not None else 0,
        "redacted": redacted,
        "proved": proved,
        "attested": 0 if best is None else best.stands,
        "decided": 0 if not decided else 2 if last == "release.denied" else 1,
        "released": 1 if "release.done" in kinds else 2 if "release.failed" in kinds else 0,
    }
    expires = best.expires if best is not None and best.stands == 1 else None
    return (
        record.name.removesuffix(".json"), record.at, record.label, record.digest, record.size, record.signal,
        record.keys, record.spans, *(steps[one] for one in STEPS), expires, int(2 in steps.values()),
        " ".join(digests),
    )  # fmt: skip
