"""The SQL by which DuckDB counts a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from immure.console.rollup import KINDS, Kind
from immure.detections.engine import Engine
from immure.detections.errors import DetectionError

#: Hours, and pairs of issuer and relying party, of one file that are told apart.
MOST_HOURS: Final = 20_000
MOST_NAMES: Final = 200
MOST_GROUPS: Final = 100_000
#: Characters of a name that are kept.
MOST_CHARACTERS: Final = 200
#: The first second of the year 10000, from when no token is.
_END: Final = 253_402_300_800
#: By feed: the kind of a row, the second that it is of, and the columns that must be there.
_FEEDS: Final = {
    "issued": ("'issued'", "iat", ("iat",)),
    "accepted": (
        "CASE WHEN verdict = 'accepted' THEN 'accepted' WHEN verdict = 'refused' THEN 'refused' END",
        "epoch_us(time) // 1000000",
        ("time", "verdict"),
    ),
    "verdicts": ("CASE WHEN finding = 'forged' THEN 'forged' END", "epoch_us(time) // 1000000",
                 ("time", "finding")),
}  # fmt: skip
_ALL: Final = """
CREATE OR REPLACE TEMP TABLE grouped AS
SELECT kind, CASE WHEN second >= 0 AND second < {end} THEN second // 3600 END AS hour, issuer, party,
       count(*) AS count
FROM (SELECT {kind} AS kind, ({second})::BIGINT AS second, {issuer} AS issuer, {party} AS party FROM counted)
WHERE kind IS NOT NULL GROUP BY ALL"""
_KEPT: Final = """
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT {columns} FROM grouped GROUP BY ALL ORDER BY sum(count) DESC, {columns} LIMIT {most}"""
_NAMED: Final = """
SELECT g.kind, h.hour, n.issuer, n.party, sum(g.count)::BIGINT
FROM grouped g
LEFT JOIN hours_kept h ON h.hour = g.hour
LEFT JOIN names_kept n ON n.issuer = g.issuer AND n.party = g.party
GROUP BY ALL ORDER BY ALL LIMIT {most}"""
_BARE: Final = """
SELECT g.kind, h.hour, NULL, NULL, sum(g.count)::BIGINT
FROM grouped g LEFT JOIN hours_kept h ON h.hour = g.hour GROUP BY ALL ORDER BY ALL"""


class Group(NamedTuple):
    """So many rows that are counted together; an hour (since 1970) of None is none, or one of too many; a
    name of None stands for names of which there are too many."""

    kind: Kind
    hour: int | None
    issuer: str | None
    party: str | None
    rows: int


def grouped(engine: Engine, feed: str, path: str) -> Iterator[Group]:
    """The counts of a file.

    Args:
        engine: that may read it.
        feed: what is in it: a key of ``_FEEDS``.

    Raises:
        DetectionError: it cannot be read, or has not the columns that it needs.
    """
    kind, second, needed = _FEEDS[feed]
    engine.files("counted", [path])
    columns = {str(row[0]) for row in engine.rows("DESCRIBE counted")}
    for name in needed:
        if name not in columns:
            raise DetectionError(f"has no column {name}: it is no file of {feed} tokens")
    issuer, party = (_name(one, columns) for one in ("iss", "relying_party"))
    engine.run(_ALL.format(kind=kind, second=second, issuer=issuer, party=party, end=_END))
    engine.run(_KEPT.format(name="hours_kept", columns="hour", most=MOST_HOURS))
    engine.run(_KEPT.format(name="names_kept", columns="issuer, party", most=MOST_NAMES))
    named = list(engine.rows(_NAMED.format(most=MOST_GROUPS + 1)))
    rows = named if len(named) <= MOST_GROUPS else engine.rows(_BARE)
    for row in rows:
        yield Group(_kind(row[0]), *row[1:])
    for name in ("grouped", "hours_kept", "names_kept"):
        engine.run(f"DROP TABLE {name}")


def _name(column: str, columns: set[str]) -> str:
    """A name as it is counted: never null, so that what rows do not say is not what is too much to tell."""
    return f"left(coalesce({column}, ''), {MOST_CHARACTERS})" if column in columns else "''"


def _kind(word: Any) -> Kind:
    return next(one for one in KINDS if one == word)
