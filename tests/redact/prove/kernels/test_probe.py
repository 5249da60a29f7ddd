"""The native prober against its plain twin, which compares every byte with every byte."""

from __future__ import annotations

import random
import secrets

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from immure.errors import LimitError
from immure.redact.prove.kernels import reference
from immure.redact.prove.kernels.probe import Agreement, Needle, Prober, Room, count_differences

BYTES = random.Random(7).randbytes(64)
KEY = Needle(BYTES, 15)
WORDS = Needle(BYTES, 15, by_words=True)
FILL = b"\xa5"
SMALL_INTEGERS = b"".join((0x1234567 + 0x1010101 * n << 32).to_bytes(8, "little") for n in range(8))


def found(memory: bytes, needles: list[Needle], slack: int = 0) -> list[Agreement]:
    room = Room(len(memory) + slack)
    room.view[: len(memory)] = memory
    return sorted(Prober(needles).find(room, len(memory), 0, len(memory)))


@pytest.mark.parametrize(
    ("memory", "needle", "agreements"),
    [
        (b"", KEY, []),
        (BYTES[:7], WORDS, []),
        (BYTES, KEY, [(0, 0, 0, 64)]),
        (FILL * 5 + BYTES, KEY, [(0, 5, 0, 64)]),
        (FILL * 3 + BYTES[10:25] + FILL, KEY, [(0, 3, 10, 15)]),
        (FILL * 3 + BYTES[10:24] + FILL, KEY, []),
        (FILL * 3 + BYTES[10:24] + FILL, WORDS, [(0, 3, 10, 14)]),  # the word at 16
        (FILL * 3 + BYTES[9:23] + FILL, KEY, []),
        (FILL * 3 + BYTES[9:23] + FILL, WORDS, []),  # 14 bytes, and no word is whole
        (FILL * 3 + BYTES[8:16] + FILL, WORDS, [(0, 3, 8, 8)]),
        (BYTES * 2, KEY, [(0, 0, 0, 64), (0, 64, 0, 64)]),
        (BYTES[:30] + FILL + BYTES[31:], KEY, [(0, 0, 0, 30), (0, 31, 31, 33)]),
        (bytes(40), Needle(BYTES[:20] + bytes(40) + BYTES[20:40], 15), []),  # zeros are no part
        (FILL + BYTES[:7] + bytes(9), Needle(BYTES[:7] + b"\0", 8), [(0, 1, 0, 8)]),  # one zero is not two
        (bytes(9) + BYTES[:7] + FILL, Needle(b"\0" + BYTES[:7], 8), [(0, 8, 0, 8)]),
        (SMALL_INTEGERS[3:43], Needle(SMALL_INTEGERS, 35), [(0, 0, 3, 40)]),
        (
            b"abcdefgh ijklmnopq",
            Needle(b"abcdefgh ijklmnopqrst", 15),
            [(0, 0, 0, 18)],
        ),  # plain text, if it must
    ],
)
def test_agreements(memory: bytes, needle: Needle, agreements: list[Agreement]) -> None:
    assert found(memory, [needle]) == agreements
    assert reference.find(memory, [needle]) == agreements


def test_every_part_at_every_place() -> None:
    """All parts of the least length, at all alignments, in a buffer that ends just behind."""
    prober = Prober([KEY])
    for at in range(len(BYTES) - 14):
        for before in range(66):
            memory = FILL * before + BYTES[at : at + 15]
            room = Room(len(memory))
            room.view[:] = memory
            hits = prober.find(room, len(memory), 0, len(memory))
            assert [hit[:3] for hit in hits] == [(0, before, at)], (at, before)


@pytest.mark.parametrize("at", range(0, 140, 3))
def test_a_window_belongs_to_the_stretch_that_it_begins_in(at: int) -> None:
    prober, room = Prober([Needle(BYTES[:8], 8)]), Room(200)
    room.view[:] = FILL * at + BYTES[:8] + FILL * (192 - at)
    for start, stop, hits in ((0, at, 0), (0, at + 1, 1), (at, at + 1, 1), (at, 200, 1), (at + 1, 200, 0)):
        assert len(prober.find(room, 200, start, stop)) == hits, (start, stop)


def alphabet(*values: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=8, max_size=90).map(
        lambda raw: bytes(values[byte % len(values)] for byte in raw)
    )


PIECES = st.one_of(
    st.binary(min_size=8, max_size=90),
    alphabet(*b"0123456789abcdef"),
    alphabet(*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\n"),
    alphabet(*b"abc de."),
    alphabet(0, 1, 0xFF),
    alphabet(0, 0x30, 0x41, 0x61),
    st.lists(st.integers(0, (1 << 28) - 1), min_size=1, max_size=10).map(
        lambda digits: b"".join((digit << 32).to_bytes(8, "little") for digit in digits)
    ),
)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[bytes, list[Needle]]:
    """Needles of all kinds, and memory that is made of parts of them and of other bytes."""
    needles = []
    for data in draw(st.lists(PIECES, min_size=1, max_size=3)):
        least = min(len(data), draw(st.sampled_from([8, 15, 20, 35])))
        needles.append(Needle(data, least, draw(st.booleans())))
    memory = b""
    for _ in range(draw(st.integers(0, 5))):
        piece = draw(st.one_of(PIECES, st.sampled_from([needle.data for needle in needles])))
        start = draw(st.integers(0, len(piece)))
        memory += piece[start : draw(st.integers(start, len(piece)))]
    return memory, needles


@settings(max_examples=300, deadline=None)
@given(scene=scenes(), slack=st.integers(0, 9))
@example(scene=(SMALL_INTEGERS, [Needle(SMALL_INTEGERS, 8, by_words=True)]), slack=0)
def test_the_twin_finds_the_same(scene: tuple[bytes, list[Needle]], slack: int) -> None:
    memory, needles = scene
    assert found(memory, needles, slack) == reference.find(memory, needles)


@settings(max_examples=100, deadline=None)
@given(scene=scenes(), cut=st.integers(0, 300))
def test_two_halves_find_what_the_whole_does(scene: tuple[bytes, list[Needle]], cut: int) -> None:
    memory, needles = scene
    cut = min(cut, len(memory))
    room, prober = Room(len(memory) or 1), Prober(needles)
    room.view[: len(memory)] = memory
    halves = [prober.find(room, len(memory), *half) for half in ((0, cut), (cut, len(memory)))]
    assert set().union(*halves) == set(reference.find(memory, needles))


def test_more_agreements_than_there_is_room_for_at_once() -> None:
    part = BYTES[8:24]
    hits = found((part + FILL) * 10_000, [KEY])
    assert hits == [(0, 17 * n, 8, 16) for n in range(10_000)]


def test_it_stops_when_there_are_more_than_anybody_wants() -> None:
    memory = (BYTES[8:24] + FILL) * 50_000
    room = Room(len(memory))
    room.view[:] = memory
    hits = Prober([KEY]).find(room, len(memory), 0, len(memory), most=100)
    assert 100 <= len(hits) < 10_000


@pytest.mark.parametrize(
    ("data", "least"), [(b"short", 5), (BYTES, 7), (BYTES, 65), (bytes(8) * (1 << 20) + b"x", 15)]
)
def test_needles_out_of_bounds(data: bytes, least: int) -> None:
    with pytest.raises(LimitError, match="needles must be"):
        Prober([Needle(data, least)])


def test_what_cannot_be_looked_for_is_counted() -> None:
    facts = Prober([Needle(bytes(40) + BYTES, 15), Needle(b"only words in here", 15), KEY]).facts
    assert (facts.bare, facts.prose) == (1, True)
    assert not Prober([KEY]).facts.prose


@settings(max_examples=50, deadline=None)
@given(size=st.integers(0, 9000), wrong=st.lists(st.integers(0, 8999), max_size=5), at=st.integers(0, 7))
def test_differences_are_counted(size: int, wrong: list[int], at: int) -> None:
    data = secrets.token_bytes(size)
    one, other = Room(size + 8), Room(size + 8)
    one.view[at : at + size] = data
    other.view[:size] = data
    places = sorted({place for place in wrong if place < size})
    for place in places:
        other.buffer[place] ^= 1
    assert count_differences(one, at, other, 0, size) == (len(places), min(places, default=size))


def test_no_comparison_beyond_a_buffer() -> None:
    with pytest.raises(LimitError):
        count_differences(Room(8), 1, Room(8), 0, 8)


def test_needles_do_not_show_themselves() -> None:
    assert repr(KEY) == "Needle(64 bytes)"
