"""Intervals of which nothing is known: logs that begin late, end early or fall silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from immure.detections.engine import Engine
from immure.response.radius import Interval

#: Intervals that are kept of one tenant or relying party; more are drawn together.
MOST: Final = 50
_COVERAGE: Final = """
SELECT coalesce(name, ''), epoch_us(first) // 1000000, epoch_us(last) // 1000000, count
FROM (SELECT {name} AS name, epoch_us(time) // {bucket} AS bucket, min(time) AS first, max(time) AS last,
             count(*) AS count
      FROM {table} WHERE {span} GROUP BY 1, 2)
ORDER BY 1, 2"""
#: By a name, first and last second and rows of pieces of a log, in the order of time.
Pieces = dict[str, list[tuple[int, int, int]]]


def silences(
    rows: Iterable[tuple[int, int]], begin: int, end: int, *, least: int, what: str
) -> list[Interval]:
    """Where a log says nothing for long.

    Args:
        rows: first and last second of pieces of the log, in the order of time.
        begin, end: of the time that is looked at.
        least: seconds that are long.
        what: whose log it is, for the reason.

    >>> silences([(10, 20), (500, 900)], 0, 1000, least=100, what="the log of mail")
    [Interval(begin=21, end=500, reason='the log of mail says nothing from here to there')]
    """
    made, last = [], None
    for first, after in rows:
        if last is None and first - begin >= least:
            made.append(Interval(begin, first, f"{what} begins only after this"))
        elif last is not None and first - last >= least:
            made.append(Interval(last + 1, first, f"{what} says nothing from here to there"))
        last = after if last is None else max(last, after)
    if last is None:
        return [Interval(begin, end, f"{what} has no row of this time")] if begin < end else []
    if end - last > least:
        made.append(Interval(last + 1, end, f"{what} ends before this"))
    return made


def coverage(engine: Engine, table: str, name: str, span: str, *, least: int) -> Pieces:
    """Pieces of a log by a column.

    A gap of ``least`` seconds cannot lie within a piece, as none is longer.
    """
    made: Pieces = defaultdict(list)
    sql = _COVERAGE.format(name=name, bucket=least * 1_000_000, table=table, span=span)
    for key, first, last, count in engine.rows(sql):
        made[key].append((first, last, count))
    return dict(made)


def merged(intervals: Iterable[Interval], begin: int, end: int) -> tuple[Interval, ...]:
    """Intervals within a time, in order, each once; of more than :data:`MOST` the rest are drawn together."""
    kept = sorted(
        {
            Interval(max(one.begin, begin), min(one.end, end), one.reason)
            for one in intervals
            if one.end > begin and one.begin < end
        },
        key=lambda one: (one.begin, one.end, one.reason),
    )
    if len(kept) <= MOST:
        return tuple(kept)
    head, rest = kept[: MOST - 1], kept[MOST - 1 :]
    words = f"{len(rest):,} more intervals, drawn together"
    return (*head, Interval(rest[0].begin, max(one.end for one in rest), words))


def of_pieces(pieces: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """First and last second of pieces that :func:`coverage` gives."""
    return [(piece[0], piece[1]) for piece in pieces]
