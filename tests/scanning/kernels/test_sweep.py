"""Every place of known byte strings, whole or in part, against plain comparison at every offset."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from immure.scanning.kernels._words import ffi, lib

from immure.errors import LimitError
from immure.scanning.kernels import reference
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import Workspace

from .memory import MEMORIES, SEEDS, loaded, room_for, stretch

Agreement = tuple[int, int, int, int]


def found(
    memory: bytes, needles: list[bytes], sparse: list[bool] | None = None, least: int = 16
) -> list[Agreement]:
    space = filled(memory)
    return Sweep(needles, sparse).find(space, min_bytes=least)


def filled(memory: bytes) -> Workspace:
    space = loaded(memory)
    space.find_runs()
    return space


def expected(
    memory: bytes, needles: list[bytes], sparse: list[bool] | None = None, least: int = 16
) -> list[Agreement]:
    padded = memory + bytes(-len(memory) % 8)
    return reference.sweep_find(padded, needles, sparse or [False] * len(needles), least)


KEY = stretch("random", 64, 1)
FILL = b"\xa5"


@pytest.mark.parametrize(
    ("memory", "agreements"),
    [
        (b"", []),
        (KEY, [(0, 0, 0, 64)]),
        (FILL * 5 + KEY, [(0, 5, 0, 64)]),
        (KEY[10:50] + FILL * 8, [(0, 0, 10, 40)]),
        (FILL * 8 + KEY[:16] + FILL * 8, [(0, 8, 0, 16)]),
        (FILL * 8 + KEY[:15] + FILL * 8, []),
        (FILL * 9 + KEY[:16] + FILL * 8, [(0, 9, 0, 16)]),  # one aligned word of it
        (KEY[:20] + FILL + KEY[21:] + FILL * 3, [(0, 0, 0, 20), (0, 21, 21, 43)]),
        (KEY[:32] + FILL * 8 + KEY[32:], [(0, 0, 0, 32), (0, 40, 32, 32)]),
        (KEY * 2, [(0, 0, 0, 64), (0, 64, 0, 64)]),
        (KEY[::-1], []),
    ],
)
def test_agreements(memory: bytes, agreements: list[Agreement]) -> None:
    assert sorted(found(memory, [KEY])) == agreements
    assert sorted(expected(memory, [KEY])) == agreements


@pytest.mark.parametrize("size", [16, 17, 23, 24, 31, 32, 65])
@pytest.mark.parametrize("least", [16, 31])
def test_every_part_at_every_place(size: int, least: int) -> None:
    """All beginnings and ends of a needle, at all alignments, at both ends of the buffer."""
    needle = stretch("random", size, size)
    sweep = Sweep([needle])
    for start in range(0, size, 3):
        for end in range(start + 8, size + 1, 7):
            for shift in range(8):
                memory = FILL * shift + needle[start:end]
                assert sorted(sweep.find(filled(memory), min_bytes=least)) == sorted(
                    expected(memory, [needle], None, least)
                )


def test_a_part_of_15_bytes_has_an_aligned_word() -> None:
    for shift in range(8):
        memory = FILL * shift + KEY[7:22] + FILL * 16
        assert found(memory, [KEY], None, 15) == [(0, shift, 7, 15)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(16, 90), st.integers(0, 5), st.booleans()), min_size=1, max_size=4),
    MEMORIES,
    SEEDS,
    st.sampled_from([15, 16, 20, 48]),
)
@example([(16, 0, False)], b"", 0, 16)
def test_any_memory(made: list[tuple[int, int, bool]], memory: bytes, seed: int, least: int) -> None:
    """Needles of different looks, some of them with common parts, planted whole, cut and spoilt."""
    rng = random.Random(seed)
    kinds = ["random", "random", "base64", "smis", "digits", "hex"]
    needles = [stretch(kinds[kind], length, kind + seed) for length, kind, _ in made]
    needles += [rng.choice(needles)[:16] for _ in range(rng.choice([0, 1]))]
    sparse = [mark for *_, mark in made] + [False] * (len(needles) - len(made))
    planted = bytearray(memory)
    for _ in range(rng.choice([0, 1, 4])):
        needle = bytearray(rng.choice(needles))
        if rng.random() < 0.5:
            needle[rng.randrange(len(needle))] ^= 1 << rng.randrange(8)
        start = rng.choice([0, 0, rng.randrange(len(needle))])
        at = rng.randrange(len(planted) + 1)
        planted[at : at + rng.choice([0, 16])] = needle[start:]
    memory = bytes(planted)
    got = found(memory, needles, sparse, least)
    assert len(got) == len(set(got))
    assert sorted(got) == sorted(expected(memory, needles, sparse, least))
    space = filled(memory)
    with room_for(space, 64, 4):
        assert Sweep(needles, sparse).find(space, min_bytes=least) == got


@pytest.mark.parametrize("blocks", [63, 64, 65, 128, 1000])
def test_long_buffers(blocks: int) -> None:
    """Words are looked up by the block of 64."""
    rng = random.Random(blocks)
    needles = [stretch("random", rng.choice([16, 32, 128, 256]), k) for k in range(40)]
    memory = bytearray(stretch("random", 8 * blocks, 99))
    for _ in range(blocks // 30):
        needle = rng.choice(needles)
        at = rng.randrange(len(memory) - 1)
        memory[at : at + len(needle)] = needle[: len(memory) - at]
    for at in range(0, len(memory), 512):
        if rng.random() < 0.3:
            memory[at : at + 64] = bytes(64)
    assert sorted(found(bytes(memory), needles)) == by_bytes_find(bytes(memory), needles)


def by_bytes_find(memory: bytes, needles: list[bytes]) -> list[Agreement]:
    """As the twin, for buffers that are too long for it: from the places of pieces."""
    places = set()
    for index, needle in enumerate(needles):
        for at in range(len(needle) - 7):
            piece, place = needle[at : at + 8], -1
            while (place := memory.find(piece, place + 1)) >= 0:
                if place % 8 == 0 and not reference.is_dull(int.from_bytes(piece, "little")):
                    low = high = 0
                    while min(place, at) > low and memory[place - low - 1] == needle[at - low - 1]:
                        low += 1
                    while (
                        place + high < len(memory)
                        and at + high < len(needle)
                        and memory[place + high] == needle[at + high]
                    ):
                        high += 1
                    if low + high >= 16:
                        places.add((index, place - low, at - low, low + high))
    return sorted(places)


def test_of_sparse_needles_long_parts_only() -> None:
    needle = stretch("random", 400, 7)
    for start in range(0, 300, 7):
        for shift in range(8):
            part = FILL * shift + needle[start : start + 79] + FILL * 9
            assert found(part, [needle], [True]) == [(0, shift, start, 79)]
    assert found(FILL * 3 + needle, [needle], [True]) == [(0, 3, 0, 400)]
    assert found(needle[8:64], [needle], [True]) == []
    assert found(needle[8:64], [needle], [False]) == [(0, 0, 8, 56)]


def test_dull_words_tell_nothing() -> None:
    """A piece of a needle of which no aligned word is other than dull is not found; the whole is."""
    needle = KEY[:16] + bytes(40) + KEY[16:32]
    assert found(needle[16:56], [needle]) == []
    assert found(needle[8:], [needle]) == [(0, 0, 8, 64)]
    assert found(FILL * 4 + needle, [needle]) == [(0, 4, 0, 72)]


def test_needles_with_a_common_part_are_all_named() -> None:
    needles = [KEY, KEY + b"!", b"?" + KEY, KEY]
    agreements = [(0, 1, 0, 64), (1, 1, 0, 65), (2, 0, 0, 65), (3, 1, 0, 64)]
    assert sorted(found(b"?" + KEY + b"!", needles)) == agreements


def test_many_equal_words() -> None:
    """A needle that repeats itself agrees with memory in many ways: so many are kept, and it ends."""
    needle = KEY[:8] * 40
    got = found(needle, [needle])
    assert (0, 0, 0, 320) in got
    assert set(got) <= set(expected(needle, [needle]))


@pytest.mark.parametrize("needles", [[b"x" * 15], [b""], [KEY, b"x" * 15], [bytes((1 << 20) + 1)]])
def test_what_is_refused(needles: list[bytes]) -> None:
    with pytest.raises(LimitError):
        Sweep(needles)


def test_too_many_needles_are_refused_before_they_are_read() -> None:
    lengths = ffi.new("uint32_t[]", [1 << 20] * 1025)
    assert lib.sweep_new(b"", lengths, bytes(1025), 1025) == ffi.NULL


def test_the_longest_needle() -> None:
    needle = random.Random(3).randbytes(1 << 20)
    memory = b"." * 11 + needle
    assert found(memory, [needle]) == [(0, 11, 0, 1 << 20)]
    assert found(memory, [needle], [True]) == [(0, 11, 0, 1 << 20)]
    assert found(memory, []) == []
