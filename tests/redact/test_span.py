"""Spans, the fill, and what is kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.dumps.dump import Image, Region
from immure.dumps.readers import BytesReader
from immure.errors import UsageError
from immure.redact.fill import PATTERN, fill, is_fill
from immure.redact.keep import Kept
from immure.redact.span import Span, disjoint

spans = st.builds(
    Span,
    st.integers(0, 300),
    st.integers(0, 60),
    st.sampled_from(["p", "q"]),
    st.just("le64"),
    st.sampled_from("AB"),
)


def covered(some: list[Span]) -> set[int]:
    return {offset for span in some for offset in range(span.offset, span.end)}


@given(st.lists(spans, max_size=12))
def test_disjoint_spans_cover_the_same_bytes_once_and_in_order(some: list[Span]) -> None:
    result = disjoint(some)
    assert covered(result) == covered(some)
    assert sum(span.length for span in result) == len(covered(some))
    assert all(span.length > 0 for span in result)
    assert all(a.end <= b.offset for a, b in pairwise(result))


@given(st.lists(spans, max_size=12))
def test_disjoint_spans_stay_as_they_are(some: list[Span]) -> None:
    assert disjoint(disjoint(some)) == disjoint(some)


def test_neighbours_that_come_to_have_one_name_become_one() -> None:
    some = [Span(153, 60, "p", "le64", "A"), Span(213, 1, "q", "le64", "A"), Span(213, 2, "p", "le64", "A")]
    assert disjoint(some) == [Span(153, 62, "p", "le64", "A")]


def test_overlapping_spans_are_called_what_the_longest_is() -> None:
    long, short = Span(8, 100, "p", "le64", "K"), Span(0, 16, "d", "be", "L")
    assert disjoint([short, long]) == [Span(0, 108, "p", "le64", "K")]


@given(st.integers(0, 1 << 40), st.integers(0, 200_000), st.integers(0, 1000))
def test_a_fill_depends_on_its_offset_alone(offset: int, length: int, inside: int) -> None:
    whole = fill(offset, length)
    assert len(whole) == length
    assert fill(offset + min(inside, length), length - min(inside, length)) == whole[inside:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PATTERN, True),
        (fill(5, 40), True),
        (b"-immure", False),
        (b"-immure-redacteX", False),
        (b"password", False),
    ],
)
def test_fill_is_recognised(data: bytes, expected: bool) -> None:
    assert is_fill(data) is expected


REGIONS = (
    Region(0, 64, name="ELF header", kind="header"),
    Region(64, 100, name="notes", kind="notes"),
    Region(164, 10, 0x1000, "/usr/lib/libc.so.6"),
    Region(174, 10, 0x2000, "[heap]"),
    Region(184, 10, 0x3000, "[stack] of thread 7"),
    Region(194, 10, 0x4000, "anonymous"),
    Region(204, 6, name="", kind="data"),
)


@pytest.mark.parametrize(
    ("keep", "erased"),
    [
        (("all",), []),
        (("stacks",), [164, 174, 194, 204]),
        (("stacks", "files"), [174, 194, 204]),
        (("[heap]",), [164, 184, 194, 204]),
        (("*libc*",), [174, 184, 194, 204]),
        (("anonymous", "all"), []),
    ],
)
def test_what_is_not_kept_is_erased(keep: tuple[str, ...], erased: list[int]) -> None:
    image = Image("x", "elf-core", BytesReader(bytes(210)), REGIONS)
    assert [span.offset for span in Kept(keep).spans(image)] == erased


def test_something_has_to_be_kept() -> None:
    with pytest.raises(UsageError):
        Kept(())
