"""The plan of an image: byte ranges that lie side by side, each for one worker."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from immure.errors import UsageError

#: Ranges begin at multiples of this: where chunks begin, in images of one alignment.
GRID: Final = 8 << 20
#: Most ranges of one image.
MOST_RANGES: Final = 100_000


def plan_ranges(size: int, split_bytes: int, grid: int = GRID) -> list[tuple[int, int]]:
    """[start, stop) of each range; together they are [0, size), none overlaps another.

    What is read for a range overlaps its neighbours (:data:`immure.scanning.chunks.OVERLAP`), and a key that
    stands across a seam belongs to the range in which it begins. All are about equally long, so that none is
    a straggler from the beginning.

    Raises:
        UsageError: ``split_bytes`` is less than one grid step.
    """
    if split_bytes < grid:
        raise UsageError(f"images are cut into ranges of at least {grid} bytes")
    count = min(MOST_RANGES, max(1, -(-size // split_bytes)))
    longest = -(-size // count)
    step = -(-longest // grid) * grid
    marks = [*range(0, size, step), size] if size else [0, 0]
    return list(pairwise(marks))


def tiling_fault(spans: Iterable[tuple[int, int]], size: int) -> str | None:
    """What is wrong with spans that should cover [0, size) exactly once; None if they do."""
    position = 0
    for start, stop in sorted(spans):
        if start > position:
            return f"{start - position} bytes from offset {position:#x} on were not searched"
        if start < position:
            return f"{position - start} bytes from offset {start:#x} on were counted twice"
        position = max(position, stop)
    return (
        None
        if position >= size
        else f"{size - position} bytes from offset {position:#x} on were not searched"
    )


def without(spans: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """What of [0, size) lies in none of the spans."""
    gaps, position = [], 0
    for start, stop in sorted(spans):
        if start > position:
            gaps.append((position, start))
        position = max(position, stop)
    if position < size:
        gaps.append((position, size))
    return gaps
