"""The plan of an image, and the proof that its ranges add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.fleet.ranges import GRID, MOST_RANGES, plan_ranges, tiling_fault, without


@given(st.integers(1, 1 << 50), st.integers(GRID, 1 << 45))
def test_ranges_tile_the_image(size: int, split: int) -> None:
    ranges = plan_ranges(size, max(split, size // 5_000))
    assert tiling_fault(ranges, size) is None
    assert all(start % GRID == 0 and start < stop for start, stop in ranges)
    assert len(ranges) <= MOST_RANGES
    if len(ranges) > 1:
        assert max(stop - start for start, stop in ranges) <= max(split, size // 5_000) + GRID


def test_too_many_ranges_are_made_longer_instead() -> None:
    assert len(plan_ranges(1 << 50, GRID)) <= MOST_RANGES


def test_an_empty_image_is_one_range() -> None:
    assert plan_ranges(0, GRID) == [(0, 0)]


def test_ranges_below_a_step_of_the_grid_are_refused() -> None:
    with pytest.raises(UsageError):
        plan_ranges(100, GRID - 1)


@pytest.mark.parametrize(
    ("spans", "fault"),
    [
        ([(0, 50), (50, 100)], None),
        ([(50, 100), (0, 50)], None),
        ([(0, 50), (60, 100)], "10 bytes from offset 0x32 on were not searched"),
        ([(0, 60), (50, 100)], "10 bytes from offset 0x32 on were counted twice"),
        ([(0, 50), (0, 50), (50, 100)], "50 bytes from offset 0x0 on were counted twice"),
        ([(0, 50)], "50 bytes from offset 0x32 on were not searched"),
        ([], "100 bytes from offset 0x0 on were not searched"),
    ],
)
def test_what_does_not_add_up_is_named(spans: list[tuple[int, int]], fault: str | None) -> None:
    assert tiling_fault(spans, 100) == fault


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda pair: (min(pair), max(pair)))))
def test_gaps_are_the_rest(spans: list[tuple[int, int]]) -> None:
    covered = {at for start, stop in spans for at in range(start, min(stop, 200))}
    gaps = {at for start, stop in without(spans, 200) for at in range(start, stop)}
    assert gaps == set(range(200)) - covered
