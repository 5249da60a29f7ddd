"""The kernel that looks for AES key schedules, against its slow twin."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.aes import LAYOUTS, MOST_FLIPPED, SURELY_FLIPPED, Layout
from immure.scanning.kernels import reference_aes as reference
from immure.scanning.kernels.aes import find_schedules, use_filter
from immure.scanning.kernels.workspace import Runs

from .memory import MEMORIES, SEEDS, loaded, runs_in

FILTERS = [kind for kind in range(1, 4) if use_filter(kind)]
use_filter(0)
Found = list[tuple[int, Layout, int]]


@pytest.fixture(params=FILTERS, ids=lambda kind: ["", "portable", "avx2", "avx512"][kind])
def each_filter(request: pytest.FixtureRequest) -> Iterator[None]:
    use_filter(request.param)
    yield
    use_filter(0)


def schedule(layout: Layout, chance: random.Random, flips: int = 0) -> bytes:
    data = bytearray(layout.write(chance.randbytes(layout.key_bytes)))
    for bit in chance.sample(range(8 * len(data)), flips):
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def found(memory: bytes, pairs: list[tuple[int, int]], **options: int) -> Found:
    space, runs = loaded(memory), Runs(len(pairs) + 1)
    runs.set(pairs)
    hits, stopped = find_schedules(space, runs, **options)
    assert stopped is None
    return [tuple(hit) for hit in hits]  # type: ignore[misc]


def test_there_is_always_a_filter() -> None:
    assert use_filter(1)
    assert not use_filter(99)
    assert use_filter(0)


@pytest.mark.usefixtures("each_filter")
@given(MEMORIES, st.lists(st.sampled_from(LAYOUTS), max_size=2), MEMORIES, SEEDS, st.sampled_from([1, 4]))
@settings(max_examples=3, deadline=None)
def test_it_finds_what_its_twin_finds(
    before: bytes, layouts: list[Layout], behind: bytes, seed: int, step: int
) -> None:
    chance = random.Random(seed)
    planted = b"".join(
        schedule(layout, chance, chance.randrange(SURELY_FLIPPED + 1))
        + chance.randbytes(chance.choice([0, 4]))
        for layout in layouts
    )
    memory = before[:200] + planted + behind[:100]
    runs = runs_in(memory, chance)
    expected = reference.find_schedules(memory, runs, step=step, most=SURELY_FLIPPED)
    assert found(memory, runs, step=step, most=SURELY_FLIPPED) == expected


@pytest.mark.usefixtures("each_filter")
@pytest.mark.parametrize(
    "layout", LAYOUTS, ids=lambda one: f"{8 * one.key_bytes}-{one.order}{'-be32w' * one.swapped}"
)
@pytest.mark.parametrize("flips", [0, 1, SURELY_FLIPPED])
def test_every_layout_at_every_place_of_a_block(layout: Layout, flips: int) -> None:
    """Behind it as many bytes as it needs, or none: the last one ends with the buffer."""
    chance = random.Random(f"{layout.name} {flips}")
    for shift in (0, 1, 63, 64, 255, 256, 257):
        data = schedule(layout, chance, flips)
        memory = chance.randbytes(4 * shift) + data
        size = (len(memory) + 7) // 8 * 8
        assert found(memory, [(0, size)]) == [(4 * shift, layout, flips)]
        memory += chance.randbytes(400)
        assert found(memory, [(0, len(memory) // 8 * 8)]) == [(4 * shift, layout, flips)]


def test_places_that_are_no_multiples_of_four() -> None:
    chance = random.Random(4)
    layout = LAYOUTS[0]
    memory = chance.randbytes(41) + schedule(layout, chance) + chance.randbytes(39)
    assert found(memory, [(0, 256)]) == []
    assert found(memory, [(0, 256)], step=1) == [(41, layout, 0)]


def test_a_schedule_may_begin_before_a_run() -> None:
    chance = random.Random(5)
    layout = next(one for one in LAYOUTS if one.key_bytes == 32)
    data = layout.write(bytes(31) + b"\x01")
    memory = bytes(96) + data + chance.randbytes(64)
    assert found(memory, [(128, 400)]) == [(96, layout, 0)]
    assert found(memory, [(136, 400)]) == []


def test_ten_flipped_bits_are_found_nearly_always() -> None:
    chance, count = random.Random(6), 0
    for number in range(200):
        layout = LAYOUTS[number % len(LAYOUTS)]
        memory = schedule(layout, chance, MOST_FLIPPED)
        count += found(memory, [(0, layout.length)]) == [(0, layout, MOST_FLIPPED)]
    assert count >= 190


def test_eleven_flipped_bits_are_too_many() -> None:
    chance = random.Random(7)
    for layout in LAYOUTS:
        memory = schedule(layout, chance, MOST_FLIPPED + 1)
        assert found(memory, [(0, layout.length)]) == []


@pytest.mark.parametrize("word", [b"\x01\0\0\0", b"\xff\xff\xff\xff", b"\0\0\x01\x40", b"\x55\x55\xaa\xaa"])
def test_memory_that_agrees_with_itself_is_not_even_tried(word: bytes) -> None:
    """Nearly empty words are the exclusive or of others, too: they must cost nothing."""
    memory = word * 2000
    space, runs = loaded(memory), Runs(1)
    runs.set([(0, len(memory))])
    assert find_schedules(space, runs, limit=1) == ([], None)


def test_it_stops_where_too_much_was_tried() -> None:
    chance = random.Random(8)
    memory = b"".join(schedule(LAYOUTS[0], chance) for _ in range(100))
    space, runs = loaded(memory), Runs(2)
    half = len(memory) // 16 * 8
    runs.set([(0, half), (half, len(memory) // 8 * 8)])
    hits, stopped = find_schedules(space, runs, limit=30)
    assert stopped is not None
    assert 5 <= len(hits) < 60
    assert all(hit.at < stopped for hit in hits)
    assert [hit.at for hit in hits] == list(range(0, stopped, LAYOUTS[0].length))[: len(hits)]
    everything, stopped = find_schedules(space, runs)
    assert (len(everything), stopped) == (100, None)


def test_results_do_not_depend_on_the_room_for_them() -> None:
    """More schedules than the workspace has entries for at a time."""
    chance = random.Random(9)
    one = schedule(LAYOUTS[0], chance)
    memory = one * 2000
    space, runs = loaded(memory), Runs(1)
    space._out_entries = 3 * 8
    runs.set([(0, len(memory))])
    hits, stopped = find_schedules(space, runs)
    assert stopped is None
    assert [hit.at for hit in hits] == list(range(0, len(memory), len(one)))
