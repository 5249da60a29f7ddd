"""Silences, against a slow twin; intervals drawn together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from immure.response.radius import Interval
from immure.response.radius_unknown import MOST, merged, silences

BEGIN, END = 0, 60


@given(st.lists(st.integers(BEGIN, END - 1), max_size=8), st.integers(1, 30))
def test_silences_against_every_second(moments: list[int], least: int) -> None:
    """A second is unknown if it lies in a stretch without rows that is long."""
    rows = sorted(set(moments))
    found = silences([(one, one) for one in rows], BEGIN, END, least=least, what="the log")
    unknown = {second for gap in found for second in range(gap.begin, gap.end)}
    for second in range(BEGIN, END):
        before = max((one for one in rows if one <= second), default=None)
        after = min((one for one in rows if one >= second), default=None)
        if not rows:
            wanted = True
        elif before is None:
            assert after is not None
            wanted = after - BEGIN >= least and second < after
        elif after is None:
            wanted = END - before > least and second > before
        else:
            wanted = after - before >= least and before < second < after
        assert (second in unknown) == wanted, (second, rows, least)


def test_an_empty_time() -> None:
    assert silences([], 5, 5, least=1, what="x") == []


@given(
    st.lists(
        st.builds(Interval, st.integers(-20, 100), st.integers(-20, 100), st.sampled_from(["a", "b"])),
        max_size=120,
    )
)
def test_drawn_together(gaps: list[Interval]) -> None:
    """No second is lost, none outside, and there are not too many."""
    gaps = [one for one in gaps if one.begin < one.end]
    made = merged(gaps, BEGIN, END)
    assert len(made) <= MOST
    wanted = {second for one in gaps for second in range(max(0, one.begin), min(END, one.end))}
    found = {second for one in made for second in range(one.begin, one.end)}
    assert wanted <= found
    if len(made) < MOST:
        assert found == wanted
    assert all(BEGIN <= one.begin < one.end <= END for one in made)
