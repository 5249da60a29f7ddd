"""Runs of words that are not dull, what of them looks random, and which windows are visited."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from immure.scanning.kernels._words import ffi, lib

from immure.errors import LimitError
from immure.scanning.kernels import reference
from immure.scanning.kernels.rsa import digit_windows, random_windows
from immure.scanning.kernels.workspace import NEVER_LONG, NOISE_MARGIN, Windows, Workspace, count_windows

from .memory import KINDS, MEMORIES, SEEDS, loaded, native, room_for, runs_in, stretch, whole, windows_at

D, A = bytes(8), b"key-word"  # a dull word, one that is not
ZEROS = (b"", b"\0" * 8)
LOW, HIGH = 1 << 48, 2**64 - (1 << 48)


@pytest.mark.parametrize(
    ("word", "dull"),
    [
        (0, True),
        (1, True),
        (0x7FFF_FFFF_F000, True),
        (LOW - 1, True),
        (LOW, False),
        (LOW + 1, False),
        (1 << 63, False),
        (HIGH - 1, False),
        (HIGH, True),
        (0xFFFF_8000_0000_0000, True),
        (2**64 - 1, True),
    ],
)
@pytest.mark.parametrize("words", [1, 3, 8, 63, 64, 65, 128])
def test_dull_words(word: int, dull: bool, words: int) -> None:
    assert reference.is_dull(word) == dull
    for place in {0, words // 2, words - 1}:
        memory = bytearray(8 * words)
        memory[8 * place : 8 * place + 8] = word.to_bytes(8, "little")
        assert loaded(memory).find_runs() == (not dull)


@pytest.mark.parametrize(
    ("words", "strict", "loose"),
    [
        ("", [], []),
        ("D", [], []),
        ("AA", [], []),
        ("AAA", [(0, 3)], []),
        ("ADADA", [], [(0, 5)]),  # a strict run has three words side by side; a loose one five, with gaps
        ("AADA", [], []),
        ("DDAAADD", [(1, 6)], []),
        ("DDAAAADD", [(1, 7)], []),
        ("DDAAAAADD", [(1, 8)], [(1, 8)]),  # five and one at both ends
        ("AAAAAADD", [(0, 7)], [(0, 7)]),
        ("DDDAAAAAA", [(2, 9)], [(2, 9)]),
        ("DAADAADAAD", [], [(0, 10)]),  # single gaps do not cut a loose run
        ("DAADDAAD", [], []),  # two dull words do: they may be the head of another object
        ("DAAAAADDAAAAAD", [(0, 7), (7, 14)], [(0, 7), (7, 14)]),
        ("AAADAAA", [(0, 4), (3, 7)], [(0, 7)]),  # strict runs may share a word at their ends
        ("DADADADAD", [], [(0, 9)]),
    ],
)
def test_runs(words: str, strict: list[tuple[int, int]], loose: list[tuple[int, int]]) -> None:
    memory = b"".join(A if word == "A" else D for word in words)
    space = loaded(memory)
    assert space.find_runs() == words.count("A")
    assert space.strict.pairs() == [(8 * start, 8 * end) for start, end in strict]
    assert space.loose.pairs() == [(8 * start, 8 * end) for start, end in loose]
    assert reference.find_runs(memory) == (words.count("A"), space.strict.pairs(), space.loose.pairs())


def check_runs(memory: bytes) -> None:
    space = loaded(memory)
    assert (space.find_runs(), space.strict.pairs(), space.loose.pairs()) == reference.find_runs(memory)


@given(MEMORIES)
@example(b"")
@example(b"\xff")
def test_runs_of_any_memory(memory: bytes) -> None:
    check_runs(memory)


@pytest.mark.parametrize("around", [0, 64, 128, 4096])
def test_runs_at_block_boundaries(around: int) -> None:
    """Runs of all lengths that begin and end around the 64 words of which a mask has bits."""
    rng = random.Random(around)
    for length in (1, 2, 3, 4, 5, 6, 7, 31, 32, 33, 62, 63, 64, 65, 66, 127, 128, 129):
        for start in range(max(0, around - 4), around + 4):
            check_runs(bytes(8 * start) + stretch("random", 8 * length, rng.getrandbits(30)) + bytes(24))


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 40))
def test_runs_of_any_mask(marks: list[bool], least: int) -> None:
    """``words_runs`` by itself, with room for one run at a time."""
    mask = ffi.new("uint64_t[]", len(marks) // 64 + 1)
    for index, marked in enumerate(marks):
        mask[index // 64] |= int(marked) << index % 64
    resume, out, found = ffi.new("size_t *", 0), ffi.new("int64_t[2]"), []
    while lib.words_runs(mask, len(marks), least, out, 1, resume):
        found.append((out[0], out[1]))
    assert resume[0] == len(marks)
    assert found == reference._stretches(marks, least)


def test_a_chunk_does_not_leave_runs_to_the_next() -> None:
    space = Workspace(4096)
    space.view[:] = stretch("random", 4096, 1)
    space.set_length(4096)
    assert space.find_runs() == 512
    space.view[:100] = bytes(100)
    space.set_length(100)
    assert space.find_runs() == 0
    assert (len(space.strict), len(space.loose)) == (0, 0)


def test_the_rest_of_the_last_word_is_zeroed() -> None:
    space = Workspace(61)
    space.view[:] = b"\xff" * 64
    space.set_length(61)
    assert (space.length, space.buffer) == (64, b"\xff" * 61 + bytes(3))
    with pytest.raises(LimitError):
        space.set_length(65)
    space.wipe()
    assert not any(space.buffer)


# ---- noise ----

PAGES = 20


def pages(kinds: str, seed: int = 0) -> bytearray:
    """A page for each letter: ``n`` noise, ``t`` text, ``.`` zeros."""
    names = {"n": "random", "t": "base64", ".": "zeros"}
    return bytearray(b"".join(stretch(names[kind], 4096, seed + place) for place, kind in enumerate(kinds)))


@pytest.mark.parametrize(
    ("kinds", "noise"),
    [
        ("n" * 16, [(0, 16)]),
        ("n" * 15, []),
        ("t" * 20, []),
        ("t" + "n" * 16 + "t", [(1, 17)]),
        ("tt" + "n" * 15 + "t" + "n" * 17, [(18, 35)]),
        ("n" * 16 + "t" + "n" * 16, [(0, 16), (17, 33)]),
        ("n" * 40, [(0, 40)]),
        ("n" * 8 + "." + "n" * 16, [(9, 25)]),
    ],
)
@pytest.mark.parametrize("phase", [0, 8, 2048, 4088])
def test_noise(kinds: str, noise: list[tuple[int, int]], phase: int) -> None:
    """Pages are counted from the beginning of the image, not of the buffer."""
    before = stretch("base64", -phase % 4096, 5)
    memory = before + pages(kinds)
    space = loaded(memory)
    space.find_runs()
    space.find_quiet_runs(phase + 7 * 4096)
    at, end, expected = 0, len(memory), []
    if "." in kinds:  # of zeros, one word belongs to a loose run at either side
        zeros = len(before) + 4096 * kinds.index(".")
        expected, at = [(0, zeros + 8)], zeros + 4096 - 8
    for first, last in noise:
        expected.append((at, len(before) + 4096 * first + NOISE_MARGIN))
        at = len(before) + 4096 * last - NOISE_MARGIN
    expected.append((at, end))
    assert space.quiet_loose.pairs() == expected
    assert space.has_noise == bool(noise)
    check_quiet(memory, phase)


def check_quiet(memory: bytes, phase: int) -> None:
    space = loaded(memory)
    space.find_runs()
    space.find_quiet_runs(phase)
    _, strict, loose = reference.find_runs(memory)
    assert space.quiet_strict.pairs() == reference.find_quiet_runs(memory, phase, strict)
    assert space.quiet_loose.pairs() == reference.find_quiet_runs(memory, phase, loose)


@pytest.mark.parametrize("seed", range(8))
def test_noise_with_a_few_other_bytes(seed: int) -> None:
    """Random pages into which zeros, text and repeated bytes of all sizes were written."""
    rng = random.Random(seed)
    memory = pages("n" * 60, seed)
    for _ in range(rng.choice([1, 3, 10])):
        at, length = rng.randrange(len(memory)), rng.choice([8, 64, 90, 128, 600, 1200, 5000])
        piece = stretch(rng.choice(sorted(KINDS)), length, rng.getrandbits(20))
        memory[at : at + length] = piece[: len(memory) - at]
    check_quiet(bytes(memory), rng.choice([0, 8, 1000, 4095]))


@pytest.mark.parametrize(("different", "noise"), [(63, False), (64, True)])
def test_how_many_values_make_noise(different: int, noise: bool) -> None:
    """Half as many values as bytes, in all of the eight places of a page but one."""
    block = bytes(index % different for index in range(128))
    page = bytearray(4096)
    for at in range(0, 4096, 512):
        page[at : at + 128] = block
    page[1024 : 1024 + 128] = bytes(128)
    assert reference.is_noise(page) == noise
    runs, out = native([(0, 16 * 4096)]), ffi.new("int64_t[]", 16)
    count = lib.words_quiet(ffi.from_buffer(page * 16), 0, runs.data, 1, NOISE_MARGIN, out, 8)
    assert count == 1 + noise
    page[2048 : 2048 + 128] = bytes(128)
    assert not reference.is_noise(page)
    assert lib.words_quiet(ffi.from_buffer(page * 16), 0, runs.data, 1, NOISE_MARGIN, out, 8) == 1


def test_noise_never_writes_past_its_room() -> None:
    memory = bytes(pages("n" * 16 + "t" + "n" * 16 + "t" + "n" * 16))
    runs = native(whole(memory))
    out = ffi.new("int64_t[]", [-1] * 16)
    for room in range(8):
        count = lib.words_quiet(ffi.from_buffer(memory), 0, runs.data, 1, NOISE_MARGIN, out, room)
        assert count <= room
        assert list(out)[2 * room :] == [-1] * (16 - 2 * room)


# ---- ends that look random ----


@given(st.lists(st.sampled_from(["random", "base64", "extremes", "float", "hex"]), max_size=6), SEEDS)
@settings(deadline=None)
def test_ends(kinds: list[str], seed: int) -> None:
    """Of runs of all lengths, in any order, the answers of the same workspace."""
    rng = random.Random(seed)
    memory = b"".join(
        stretch(kind, 8 * rng.choice([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20, 40]), rng.getrandbits(20))
        + stretch(rng.choice(kinds), 8 * rng.choice([0, 1, 8, 9]), seed)
        + bytes(8 * rng.choice([0, 1, 2, 5]))
        for kind in kinds
    )
    space = loaded(memory)
    for _ in range(2):
        if not space.find_runs():
            return
        space.find_quiet_runs(0)
        strict, loose = space.quiet_strict.pairs(), space.quiet_loose.pairs()
        for _ in range(4):
            least, most = rng.choice([56, 64, 80, 96, 128]), rng.choice([64, 80, 104, 400, 1 << 40])
            assert space.random_ends(least, most).pairs() == reference.random_ends(memory, loose, least, most)
            assert space.of_length(least, most).pairs() == reference.of_length(loose, least, most)
            whole, head = rng.choice([(NEVER_LONG, 0), (100, 32), (64, 64)])
            expected = reference.binary_ends(memory, strict, most, whole, head)
            assert space.binary_ends(most, whole, head).pairs() == expected
        memory = memory[len(memory) // 16 * 8 :]
        space.view[: len(memory)] = memory
        space.set_length(len(memory))


def ends(inside: bytes, at_end: bool) -> bytes:
    """A run of text with ``inside`` sixteen bytes in from one of its ends."""
    text = stretch("base64", 400, 4)
    return text[:400] + inside + text[:16] if at_end else text[:16] + inside + text[:400]


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize(
    ("different", "top_bits", "found"), [(18, 12, False), (19, 11, False), (19, 12, True), (32, 32, True)]
)
def test_what_makes_a_random_end(at_end: bool, different: int, top_bits: int, found: bool) -> None:
    """64 bytes with so many top bits, of which the middle half has so many different values."""
    outside = [0x80 if k < top_bits else 0x20 for k in range(32)]
    middle = [0x20 + k % different for k in range(32)]
    inside = bytes(outside[:16] + middle + outside[16:])
    space = loaded(ends(inside, at_end))
    assert space.find_runs()
    space.find_quiet_runs(0)
    assert bool(space.random_ends(64, 1 << 40).pairs()) == found


# ---- which windows are visited ----


@pytest.mark.parametrize(
    ("run", "width", "windows", "starts"),
    [
        ((0, 32), 32, Windows(8), [0]),
        ((0, 24), 32, Windows(8), []),
        ((8, 64), 32, Windows(8), [8, 16, 24, 32]),
        ((0, 40), 36, Windows(4), [0, 4]),
        ((0, 40), 36, Windows(8), [0]),
        ((0, 40), 38, Windows(1), [0, 1, 2]),
        ((0, 80), 32, Windows(8, 0, 0), [0, 48]),
        ((0, 80), 32, Windows(8, 0, 8), [0, 8, 40, 48]),
        ((0, 80), 32, Windows(8, 0, 15), [0, 8, 40, 48]),
        ((0, 80), 32, Windows(8, 0, 16), [0, 8, 16, 32, 40, 48]),
        ((0, 80), 32, Windows(8, 0, 24), [0, 8, 16, 24, 32, 40, 48]),  # the two ends meet
        ((0, 80), 32, Windows(8, 80, 0), [0, 48]),
        ((0, 80), 32, Windows(8, 81, 0), [0, 8, 16, 24, 32, 40, 48]),  # not a long run
        ((0, 80), 32, Windows(8, NEVER_LONG, 0), [0, 8, 16, 24, 32, 40, 48]),
        ((0, 40), 32, Windows(1, 0, 2), [0, 1, 2, 6, 7, 8]),
        ((0, 48), 42, Windows(4, 0, 0), [0, 4]),  # the last window is the last at this step
    ],
)
def test_visited_windows(run: tuple[int, int], width: int, windows: Windows, starts: list[int]) -> None:
    assert reference.window_starts(run, width, windows) == starts
    memory = stretch("random", run[1], 3)
    space = loaded(memory)
    assert random_windows(space, native([run]), width, windows) == starts
    assert space.visited == len(starts)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 80)), max_size=6),
    st.integers(8, 300),
    windows_at([1, 2, 4, 8, 16]),
)
def test_windows_are_counted(gaps: list[tuple[int, int]], width: int, windows: Windows) -> None:
    runs, at = [], 0
    for gap, length in gaps:
        runs.append((at + 8 * gap, at + 8 * (gap + length)))
        at = runs[-1][1]
    assert count_windows(native(runs), width, windows) == reference.count_windows(runs, width, windows)


# ---- windows by their looks ----


@given(MEMORIES, SEEDS, st.sampled_from([64, 72, 96, 120, 128, 136, 256]), windows_at([1, 4, 8]))
@settings(deadline=None)
def test_random_windows_of_any_memory(memory: bytes, seed: int, width: int, windows: Windows) -> None:
    runs = runs_in(memory, random.Random(seed))
    limit = random.Random(seed).choice([NEVER_LONG, width + 48])
    space = loaded(memory)
    got = random_windows(space, native(runs), width, windows, limit)
    padded = memory + bytes(-len(memory) % 8)
    assert got == reference.random_windows(padded, runs, width, windows, limit)
    assert space.visited == sum(
        len(reference.window_starts(run, width, windows)) for run in runs if run[1] - run[0] <= limit
    )
    with room_for(space, 1, 1):
        assert random_windows(space, native(runs), width, windows, limit) == got
    assert space.visited % 2 == 0


@pytest.mark.parametrize("width", [64, 128, 256])
@pytest.mark.parametrize("seed", range(20))
def test_random_windows_of_few_values_or_bits(width: int, seed: int) -> None:
    """Windows around both thresholds: so many different bytes, so many bits."""
    rng = random.Random(seed)
    memory = b"".join(
        bytes(rng.choices(rng.sample(range(256), k), k=width))
        if rng.random() < 0.5
        else bytes(rng.randrange(256) & mask for _ in range(width))
        for k in range(width // 4, width, 3)
        if (mask := rng.choice([0x7F, 0xF7, 0x3F, 0xFF])) or True
    )
    space = loaded(memory)
    got = random_windows(space, native(whole(memory)), width, Windows(8))
    assert got == reference.random_windows(memory, whole(memory), width, Windows(8))
    assert 0 < len(got) < len(memory) // 8


@pytest.mark.parametrize("width", [64, 96, 128, 256])
def test_random_windows_lose_no_random_number(width: int) -> None:
    """Uniformly random windows fail only if a word at one of the ends is dull, or by chance about once in a
    million."""
    memory = stretch("random", 1 << 18, 9)
    words = reference.words_of(memory)
    starts = random_windows(loaded(memory), native(whole(memory)), width, Windows(8))
    lost = set(range(0, len(memory) - width + 1, 8)) - set(starts)
    assert all(
        reference.is_dull(words[at // 8]) or reference.is_dull(words[(at + width) // 8 - 1]) for at in lost
    )


@given(
    MEMORIES, SEEDS, st.sampled_from([16, 20, 36, 52, 60, 72, 140]), windows_at([4, 8]), st.integers(0, 60)
)
@settings(deadline=None)
def test_digit_windows_of_any_memory(
    memory: bytes, seed: int, width: int, windows: Windows, digits: int
) -> None:
    rng = random.Random(seed)
    memory += stretch("digits", 8 * digits, seed) + stretch("random", rng.choice([0, 3, 64]), seed)
    runs = runs_in(memory, rng)
    space = loaded(memory)
    got = digit_windows(space, native(runs), width, windows)
    padded = memory + bytes(-len(memory) % 8)
    assert got == reference.digit_windows(padded, runs, width, windows)
    with room_for(space, 1, 1):
        assert digit_windows(space, native(runs), width, windows) == got


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({0: 1 << 30}, False),
        ({4: (1 << 30) - 1}, True),
        ({8: 1 << 30}, False),
        ({8: 0}, True),  # the top digit may be small
        ({7: (1 << 14) - 1}, False),  # the one before it is not
        ({7: 1 << 14}, True),
        ({0: 0, 1: 0, 2: 0, 3: 0, 4: 0}, False),  # too few values
    ],
)
def test_digits(change: dict[int, int], found: bool) -> None:
    digits = [random.Random(place).randrange(1 << 29, 1 << 30) for place in range(9)]
    for place, digit in change.items():
        digits[place] = digit
    memory = b"".join(digit.to_bytes(4, "little") for digit in digits) + bytes(4)
    space = loaded(memory)
    # the run ends with the last word that is not dull: the one behind it is read as well
    assert digit_windows(space, native([(0, 32)]), 36, Windows(8)) == [0] * found
    assert reference.digit_windows(memory, [(0, 32)], 36, Windows(8)) == [0] * found


def test_digit_windows_refuse_odd_widths() -> None:
    space = loaded(bytes(64))
    for width in (12, 18):
        with pytest.raises(LimitError):
            digit_windows(space, native([(0, 64)]), width, Windows(4))


@given(seed=st.integers(0, 99), length=st.integers(0, 5000), fills=st.lists(st.integers(0, 5000), max_size=6))
def test_a_mask_made_while_the_buffer_is_filled_is_the_same(seed: int, length: int, fills: list[int]) -> None:
    memory = random.Random(seed).randbytes(length)
    space = loaded(bytes(6000))
    space.view[:6000] = b"\x55" * 6000  # what was there before, and a look at it that came to nothing
    space.look_at(0)
    space.look_at(4096)
    space.look_at(0)
    for filled in sorted(min(fill, length) for fill in fills):
        space.view[:filled] = memory[:filled]
        space.look_at(filled) if filled else None
    space.view[:length] = memory
    space.set_length(length)
    fresh = loaded(memory)
    assert space.find_runs() == fresh.find_runs()
    assert (space.loose.pairs(), space.strict.pairs()) == (fresh.loose.pairs(), fresh.strict.pairs())
