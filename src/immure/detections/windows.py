"""Windows of time that hold about as many issued tokens each, so that memory is bounded.

>>> cut([(0, 60, 10), (60, 120, 10), (120, 180, 10)], most=20)
[0, 121, 181]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from immure.detections.libraries import library

#: Issued tokens of a window: about 100 MB in DuckDB.
ROWS: Final = 1_500_000
#: Least and greatest value, and rows.
Group = tuple[int, int, int]


def footers(paths: Iterable[str], column: str = "iat") -> list[Group]:
    """Least and greatest value of a column, and rows, of each row group, from the ends of Parquet files.

    Raises:
        UsageError: pyarrow is not installed.
    """
    parquet = library("pyarrow.parquet")
    found = []
    for path in paths:
        meta = parquet.read_metadata(path)
        leaf = _leaf(meta, column)
        for number in range(meta.num_row_groups):
            statistics = meta.row_group(number).column(leaf).statistics
            if statistics is not None and statistics.has_min_max:
                found.append((int(statistics.min), int(statistics.max), int(meta.row_group(number).num_rows)))
    return found


def _leaf(meta: Any, column: str) -> int:
    """The place of a column among those that Parquet has; lists have other places than in the schema."""
    group = meta.schema
    return next(number for number in range(len(group)) if group.column(number).path == column)


def cut(groups: Sequence[Group], *, most: int = ROWS) -> list[int]:
    """Boundaries of windows: each has about ``most`` rows, unless one second has more.

    Args:
        groups: ``(least, greatest, rows)`` of row groups, as :func:`footers` gives them.

    Returns:
        Rising seconds; empty without groups. The first is the least value, the last is after the greatest.
    """
    if not groups:
        return []
    ordered = sorted(groups)
    ends, held = [ordered[0][0]], 0
    for _, greatest, rows in ordered:
        held += rows
        if held >= most and greatest + 1 > ends[-1]:
            ends.append(greatest + 1)
            held = 0
    top = max(greatest for _, greatest, _ in ordered) + 1
    if top > ends[-1]:
        ends.append(top)
    return ends


def split(ends: Sequence[int], groups: Sequence[Group], *, most: int) -> list[int]:
    """Boundaries, and more where the other side would have more than ``most`` rows between two.

    Those of one second stay together. Cut is at the least value of a group: a group of which somebody has
    chosen the greatest does not take all that follows into its window.

    Args:
        ends: as of :func:`cut`.
        groups: row groups of the other side.
    """
    begin: Counter[int] = Counter()
    for least, _, rows in groups:
        begin[least] += rows
    made, number, held = set(ends), 0, 0
    for least, rows in sorted(begin.items()):
        while number < len(ends) and ends[number] <= least:
            number, held = number + 1, 0
        if held and held + rows > most and 0 < number < len(ends):
            made.add(least)
            held = 0
        held += rows
    return sorted(made)
