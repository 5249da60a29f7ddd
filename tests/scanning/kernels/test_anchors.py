"""Literals, all looked for at once, against plain comparisons at every offset."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from immure.errors import LimitError
from immure.keymaterial.structures import ANCHORS
from immure.scanning.kernels import reference
from immure.scanning.kernels.strings import Anchors

from .memory import MEMORIES, SEEDS, loaded, native, runs_in, stretch, whole

NEEDLES = [b"-----BEGIN", b"-----BEG", b"\x30\x82\x04", b"ssh-rsa ", b"\0\0\0\7ssh-", b"\x02\x01\0\x02"]
NEEDLES = [needle for needle in NEEDLES if len(needle) >= 4]


def found(
    memory: bytes, needles: list[bytes], runs: list[tuple[int, int]], pad: int, limit: int = 1 << 12
) -> tuple[list[tuple[int, int]], int]:
    space = loaded(memory)
    space.strict = native(runs)
    return Anchors(needles).find(space, pad=pad, limit=limit)


def expected(
    memory: bytes, needles: list[bytes], runs: list[tuple[int, int]], pad: int
) -> list[tuple[int, int]]:
    return reference.anchors_find(memory + bytes(-len(memory) % 8), needles, runs, pad)


@pytest.mark.parametrize(
    ("runs", "pad", "places"),
    [
        ([(0, 64)], 0, [3, 40, 59]),
        ([(8, 64)], 0, [40, 59]),
        ([(8, 64)], 4, [40, 59]),
        ([(8, 64)], 5, [3, 40, 59]),
        ([(0, 40)], 0, [3]),  # what begins at the end of a run does not begin in it
        ([(0, 40)], 1, [3, 40]),
        ([(0, 8), (40, 48)], 0, [3, 40]),
        ([(0, 8), (40, 48)], 60, [3, 40, 59]),  # pads that overlap: nothing twice
        ([(0, 32), (24, 64)], 0, [3, 40, 59]),
        ([(0, 0)], 3, []),
        ([(0, 0)], 4, [3]),
        ([], 100, []),
    ],
)
def test_places(runs: list[tuple[int, int]], pad: int, places: list[int]) -> None:
    memory = bytearray(64)
    for at in (3, 40, 59):
        memory[at : at + 5] = b"needl"
    assert found(memory, [b"need"], runs, pad) == ([(at, 0) for at in places], 64)
    assert expected(memory, [b"need"], runs, pad) == [(at, 0) for at in places]


@pytest.mark.parametrize("size", [0, 3, 4, 5, 31, 32, 33, 35, 36, 37, 63, 64, 65, 67, 68, 69, 100, 4096])
def test_at_every_place_of_buffers_of_every_size(size: int) -> None:
    """Vectors of 32 offsets, and the rest one by one; the last four bytes begin nothing longer."""
    anchors = Anchors([b"abcd", b"abcdefgh"])
    for at in range(max(0, size - 140), size):
        data = bytearray(size)
        data[at : at + 8] = b"abcdefgh"[: size - at]
        assert anchors.find_all(data, limit=10) == [
            place for place, length in (((at, 0), 4), ((at, 1), 8)) if at + length <= size
        ]


@settings(deadline=None)
@given(
    MEMORIES,
    SEEDS,
    st.lists(st.binary(min_size=4, max_size=9), max_size=20),
    st.integers(0, 40),
)
@example(b"", 0, [b"abcd"], 16)
def test_any_memory(memory: bytes, seed: int, needles: list[bytes], pad: int) -> None:
    rng = random.Random(seed)
    needles = needles + NEEDLES
    planted = bytearray(memory)
    for _ in range(rng.choice([0, 1, 5])):
        needle = rng.choice(needles)
        at = rng.randrange(len(planted) + 1)
        planted[at : at + len(needle)] = needle
    memory = bytes(planted)
    runs = runs_in(memory, rng)
    places, done = found(memory, needles, runs, pad)
    assert done == (len(memory) + 7) // 8 * 8
    assert [at for at, _ in places] == sorted(at for at, _ in places)
    assert sorted(places) == expected(memory, needles, runs, pad)


@given(MEMORIES, SEEDS)
@settings(deadline=None)
def test_short_literals_of_few_letters(memory: bytes, seed: int) -> None:
    """Many needles with the same beginnings, in memory that is full of them."""
    rng = random.Random(seed)
    letters = b"ab\0\xff"
    needles = [bytes(rng.choices(letters, k=rng.randrange(4, 7))) for _ in range(rng.choice([1, 8, 9, 40]))]
    memory = bytes(rng.choices(letters, k=len(memory)))
    places = Anchors(needles).find_all(bytearray(memory), limit=len(memory) * len(needles) + 1)
    assert sorted(places) == reference.anchors_find(memory, needles, [(0, len(memory))], 0)


def test_all_anchors_of_the_scanner() -> None:
    needles = [anchor.needle for anchor in ANCHORS]
    rng = random.Random(1)
    memory = b"".join(stretch("random", rng.randrange(70), k) + needle for k, needle in enumerate(needles))
    assert sorted(Anchors(needles).find_all(bytearray(memory), limit=1000)) == reference.anchors_find(
        memory, needles, [(0, len(memory))], 0
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_limit_says_where_it_stopped(limit: int) -> None:
    memory = bytearray(stretch("random", 512, 2))
    for at in (5, 100, 101, 300, 480):
        memory[at : at + 6] = b"aaaaaa"
    every = expected(bytes(memory), [b"aaaa"], whole(memory), 0)
    places, done = found(bytes(memory), [b"aaaa"], whole(memory), 0, limit)
    assert places == every[:limit]
    assert done == (512 if limit >= len(every) else every[limit][0])


def test_of_one_place_all_needles_are_written_or_none() -> None:
    needles = [b"abcd", b"abcde", b"abcdef"]
    memory = b"abcdef.." * 2
    assert found(memory, needles, [(0, 16)], 0, limit=4) == ([(0, 0), (0, 1), (0, 2)], 8)
    assert found(memory, needles, [(0, 16)], 0, limit=2) == ([], 0)


@pytest.mark.parametrize("needles", [[b"abc"], [b""], [b"a" * 4097], [b"abcd"] * 257])
def test_what_is_no_literal_is_refused(needles: list[bytes]) -> None:
    with pytest.raises(LimitError):
        Anchors(needles)


def test_most_and_longest_literals() -> None:
    needles = [bytes([k]) * 4 for k in range(255)] + [b"\xff" * 4096]
    memory = bytes(16) + b"\xff" * 4096 + b"\x07" * 5
    got = Anchors(needles).find_all(bytearray(memory), limit=100)
    assert got == [*((at, 0) for at in range(13)), (16, 255), (4112, 7), (4113, 7)]
    assert Anchors([]).find_all(bytearray(memory), limit=1) == []
