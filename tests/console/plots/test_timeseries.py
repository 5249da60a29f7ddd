"""Counts over time as a drawing: numbers that fit, and nothing of a text becomes an element."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.console.plots.scale import ceiling, moments, short
from immure.console.plots.timeseries import MOST_BUCKETS, Hit, Strip, timeseries

SVG = "{http://www.w3.org/2000/svg}"
COUNTS = st.lists(st.integers(0, 10**15), min_size=1, max_size=MOST_BUCKETS)


@given(st.integers(0, 10**18))
def test_an_axis_ends_at_a_round_number_that_is_not_far(most: int) -> None:
    end = ceiling(most)
    assert end >= max(1, most)
    assert end < 2.5 * most or end == 1
    assert str(end).rstrip("0") in ("1", "2", "5")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (1_250_000, "1.25 M"),
        (200_000_000, "200 M"),
        (5 * 10**9, "5 G"),
    ],
)
def test_numbers_on_an_axis(number: int, words: str) -> None:
    assert short(number) == words


@given(st.integers(0, 2**33), st.integers(3600, 40 * 366 * 86_400))
def test_ticks_are_within_and_in_order(begin: int, length: int) -> None:
    found = [at for at, _ in moments(begin, begin + length)]
    assert found == sorted(set(found))
    assert len(found) <= 8
    assert all(begin <= at <= begin + length for at in found)
    assert found or length < 2 * 3600


@given(COUNTS)
def test_every_bucket_that_is_not_empty_has_a_bar(values: list[int]) -> None:
    root = ElementTree.fromstring(timeseries("t", "d", 0, 3600, [Strip("Forged", "forged", values)]))
    bars = [one.attrib["d"] for one in root.iter(f"{SVG}path")]
    assert sum(one.count("M") for one in bars) == sum(value > 0 for value in values)
    heights = [float(part.split("h")[0]) for one in bars for part in one.split("v-")[1:]]
    assert all(2.99 < height <= 68.01 for height in heights)


def test_it_says_what_it_shows() -> None:
    strips = [Strip("Issued", "issued", [1, 2]), Strip("Forged", "forged", [0, 1])]
    root = ElementTree.fromstring(timeseries("Tokens", "three and one", 0, 3600, strips, name="p"))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "p-title p-desc"
    texts = {one.attrib["id"]: one.text for one in root if "id" in one.attrib}
    assert texts == {"p-title": "Tokens", "p-desc": "three and one"}
    assert {one.text for one in root.iter(f"{SVG}text")} >= {"Issued", "Forged", "0", "2", "1"}


def test_what_is_behind_a_bucket_is_for_pointers_only() -> None:
    hits = [Hit("/a?b=1&c=2", 'x"<b>'), Hit("/b", "y")]
    root = ElementTree.fromstring(timeseries("t", "d", 0, 3600, [Strip("l", "issued", [1, 2])], hits))
    (group,) = list(root.iter(f"{SVG}g"))
    assert group.attrib["aria-hidden"] == "true"
    assert root.attrib["role"] == "graphics-document"
    assert [one.attrib["href"] for one in group] == ["/a?b=1&c=2", "/b"]
    assert {one.attrib["tabindex"] for one in group} == {"-1"}
    assert [one.text for one in group.iter(f"{SVG}title")] == ['x"<b>', "y"]


def test_texts_are_no_elements() -> None:
    drawing = timeseries("<script>", "</desc><script>", 0, 3600, [Strip("<b>\u202e", "issued", [1])])
    root = ElementTree.fromstring(drawing)
    assert not list(root.iter(f"{SVG}script"))
    assert "\u202e" not in drawing


@pytest.mark.parametrize(
    ("strips", "hits"),
    [
        ([], ()),
        ([Strip("a", "issued", [])], ()),
        ([Strip("a", "issued", [1]), Strip("b", "issued", [1, 2])], ()),
        ([Strip("a", "issued", [0] * (MOST_BUCKETS + 1))], ()),
        ([Strip("a", "issued", [1, 2])], [Hit("/", "")]),
    ],
    ids=["none", "empty", "unequal", "too many", "hits"],
)
def test_what_cannot_be_drawn(strips: list[Strip], hits: Any) -> None:
    with pytest.raises(ValueError, match=r"strips|hits"):
        timeseries("t", "d", 0, 3600, strips, hits)
