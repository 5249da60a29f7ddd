"""Chunks cover an image once, keep words aligned as addresses are, and work is given back in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps.dump import Image, Reader, Region
from immure.dumps.readers import BytesReader, FileReader
from immure.scanning.chunks import (
    OVERLAP,
    SMALL_HOLE,
    Chunk,
    Spaces,
    for_each_chunk,
    load,
    mapped,
    plan_chunks,
    stream_chunks,
)
from immure.scanning.kernels.workspace import Workspace

PAGE = 4096


class SparseReader(Reader):
    """Bytes that say where they are; holes and unreadable pages as told."""

    def __init__(
        self, size: int, extents: list[tuple[int, int]] | None = None, bad: tuple[int, ...] = ()
    ) -> None:
        self.size = size
        self._extents = extents if extents is not None else [(0, size)]
        self._bad = bad

    def read_into(self, offset: int, view: memoryview) -> int:
        stop = min(offset + len(view), self.size or 0)
        for page in self._bad:
            if offset < (page + 1) * PAGE and stop > page * PAGE:
                stop = max(offset, page * PAGE)
        view[: max(0, stop - offset)] = bytes((at >> 4) % 251 for at in range(offset, stop))
        return max(0, stop - offset)

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for first, last in self._extents:
            if first < stop and last > start:
                yield max(first, start), min(last, stop)


def image(reader: Reader, *regions: Region) -> Image:
    return Image("test", "raw", reader, regions or (Region(0, reader.size or 0),))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.lists(
        st.tuples(st.integers(1, 9 * PAGE), st.one_of(st.none(), st.integers(0, 15))), min_size=1, max_size=6
    ),
    chunk_bytes=st.sampled_from((PAGE, 2 * PAGE, 16 * PAGE)),
)
def test_cores_cover_every_byte_once_and_lie_inside_what_is_read(
    lengths: list[tuple[int, int | None]], chunk_bytes: int
) -> None:
    regions, at = [], 0
    for length, phase in lengths:
        regions.append(Region(at, length, None if phase is None else 0x10000 + phase + at // PAGE * PAGE))
        at += length
    chunks = list(plan_chunks(image(SparseReader(at), *regions), chunk_bytes))
    position = 0
    for chunk in chunks:
        assert chunk.start == position
        assert chunk.start < chunk.stop <= chunk.start + chunk_bytes
        assert chunk.read_stop >= chunk.stop
        assert chunk.read_stop - chunk.read_start <= chunk_bytes + 2 * OVERLAP + 16
        position = chunk.stop
    assert position == at
    for chunk in chunks:
        region = next(region for region in regions if region.offset <= chunk.start < region.end)
        if region.address is not None:
            # a word that is aligned in memory is aligned in the buffer
            assert (chunk.start - chunk.read_start) % 8 == (region.address + chunk.start - region.offset) % 8


HOLES = [
    (
        [(0, PAGE), (3 * SMALL_HOLE, 3 * SMALL_HOLE + PAGE)],
        [(0, PAGE), (3 * SMALL_HOLE, 3 * SMALL_HOLE + PAGE)],
    ),
    ([(0, PAGE), (SMALL_HOLE, SMALL_HOLE + PAGE)], [(0, SMALL_HOLE + PAGE)]),
    ([], []),
]


@pytest.mark.parametrize(("extents", "expected"), HOLES)
def test_holes_are_left_out_unless_they_are_small(
    extents: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    chunks = list(plan_chunks(image(SparseReader(8 * SMALL_HOLE, extents)), 8 << 20))
    assert [(chunk.start, chunk.stop) for chunk in chunks] == expected


def test_an_image_of_unknown_end_is_cut_on_and_on() -> None:
    chunks = stream_chunks(1 << 16)
    got = [next(chunks) for _ in range(3)]
    assert [(chunk.start, chunk.stop) for chunk in got] == [
        (0, 1 << 16),
        (1 << 16, 2 << 16),
        (2 << 16, 3 << 16),
    ]
    assert got[2].read_start == max(0, (2 << 16) - OVERLAP)


def test_unreadable_pages_are_zeros_and_are_said() -> None:
    reader = SparseReader(6 * PAGE, bad=(1, 3))
    space = Workspace(1 << 16)
    space.view[:] = b"\xff" * (1 << 16)
    gaps = load(reader, Chunk(0, 6 * PAGE, 0, 6 * PAGE), space)
    assert gaps == [(PAGE, PAGE), (3 * PAGE, PAGE)]
    assert bytes(space.view[PAGE : 2 * PAGE]) == bytes(PAGE)
    assert bytes(space.view[2 * PAGE : 2 * PAGE + 64]) == reader.read(2 * PAGE, 64)
    assert space.length == 6 * PAGE


def chunks_of(count: int) -> list[Chunk]:
    return [Chunk(index, index + 1, index, index + 1) for index in range(count)]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_come_in_order(threads: int) -> None:
    def work(space: Workspace, chunk: Chunk) -> int:
        time.sleep(0.002 * (chunk.start % 3))
        return chunk.start

    done = [
        (chunk.start, result) for chunk, result in for_each_chunk(chunks_of(30), Spaces(PAGE), work, threads)
    ]
    assert done == [(index, index) for index in range(30)]


@pytest.mark.parametrize("threads", [2, 4])
def test_few_chunks_are_under_way(threads: int) -> None:
    started = 0
    lock = threading.Lock()

    def work(space: Workspace, chunk: Chunk) -> None:
        nonlocal started
        with lock:
            started += 1

    for index, _ in enumerate(for_each_chunk(chunks_of(200), Spaces(PAGE), work, threads)):
        assert started <= index + 2 * threads + 2


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_worker_comes_out(threads: int) -> None:
    def work(space: Workspace, chunk: Chunk) -> None:
        if chunk.start == 5:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(for_each_chunk(chunks_of(20), PAGE, work, threads))


@pytest.mark.parametrize("threads", [1, 3])
def test_buffers_are_wiped_at_the_end(threads: int) -> None:
    seen = []
    spaces = Spaces(PAGE)

    def work(space: Workspace, chunk: Chunk) -> None:
        space.view[:4] = b"key!"
        seen.append(space)

    for _ in range(3):
        list(for_each_chunk(chunks_of(9), spaces, work, threads))
    assert len(set(map(id, seen))) <= threads
    spaces.wipe()
    assert all(bytes(space.view[:4]) == bytes(4) for space in seen)


@pytest.mark.parametrize("threads", [1, 3])
def test_buffers_of_its_own_are_wiped_though_nobody_asks(threads: int) -> None:
    seen = []

    def work(space: Workspace, chunk: Chunk) -> None:
        space.view[:4] = b"key!"
        seen.append(space)

    list(for_each_chunk(chunks_of(9), PAGE, work, threads))
    assert all(bytes(space.view[:4]) == bytes(4) for space in seen)


def test_only_plain_files_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 64)
    reader = FileReader.open(str(path))
    mapping = mapped(reader)
    assert mapping is not None
    assert mapping.size == 1 << 14
    reader.close()
    assert mapped(reader) is None
    assert mapped(BytesReader(b"some bytes")) is None
    path.write_bytes(b"")
    assert mapped(FileReader.open(str(path))) is None


def test_a_mapped_chunk_is_loaded_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 64)
    reader = FileReader.open(str(path))
    space = Workspace(1 << 14, mapped(reader))
    assert load(reader, Chunk(8, 16, 0, 1 << 13), space) == []
    assert space.view == path.read_bytes()[: 1 << 13]
    assert not any(space.buffer)
    assert load(reader, Chunk(8, 16, 0, 99), space) == []  # not whole words
    assert bytes(space.view[:104]) == path.read_bytes()[:99] + bytes(5)
