"""Cuts an image into chunks, and runs work over them in order, on as many threads as wanted.

A chunk has a *core*, and bytes around it (the overlap) so that what begins in the core is whole. Everything
is found in exactly one core: so findings depend neither on the size of chunks nor on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from immure.dumps.dump import Image, Reader
from immure.scanning.finding import NotSearched
from immure.scanning.kernels.mapping import Mapping
from immure.scanning.kernels.workspace import Workspace

T = TypeVar("T")

#: Bytes read on both sides of a core. Longer than any structure that is parsed, and than the 64 KiB from
#: which on a run counts as noise, so that both ends of every shorter run that touches the core are seen.
OVERLAP = 72 << 10
#: Holes of sparse files up to this long are read as zeros: that costs less than cutting a chunk there.
SMALL_HOLE = 1 << 20
#: Bytes read at a time: what fits into a second-level cache.
PIECE_BYTES = 1 << 20
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an image: findings that start in [start, stop) are its own; [read_start, read_stop) is
    read."""

    start: int
    stop: int
    read_start: int
    read_stop: int


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes whose offsets are congruent to their addresses by the same amount modulo 8."""

    start: int
    stop: int
    phase: int


def _spans(image: Image) -> list[_Span]:
    spans: list[_Span] = []
    for region in image.regions:
        if region.length <= 0:
            continue
        last = spans[-1] if spans else None
        joined = last is not None and last.stop == region.offset
        if region.address is None:
            phase = last.phase if last is not None and joined else 0
        else:
            phase = (region.offset - region.address) % 8
        if last is not None and joined and last.phase == phase:
            spans[-1] = _Span(last.start, region.end, phase)
        else:
            spans.append(_Span(region.offset, region.end, phase))
    return spans


def plan_chunks(image: Image, chunk_bytes: int) -> Iterator[Chunk]:
    """The chunks of an image in order of offset; holes of sparse files are left out.

    Words are taken to be aligned where their *addresses* are, which in a minidump is not where their offsets
    are.
    """
    if image.reader.size is None and not image.regions:
        yield from _endless(chunk_bytes)
        return
    for span in _spans(image):
        yield from _cut(image.reader, span, chunk_bytes)


def stream_chunks(chunk_bytes: int) -> Iterator[Chunk]:
    """Chunks of an image whose end is not known yet; the caller stops at the first that is empty."""
    return _endless(chunk_bytes)


def _endless(chunk_bytes: int) -> Iterator[Chunk]:
    start = 0
    while True:
        yield Chunk(start, start + chunk_bytes, max(0, start - OVERLAP), start + chunk_bytes + OVERLAP)
        start += chunk_bytes


def _cut(reader: Reader, span: _Span, chunk_bytes: int) -> Iterator[Chunk]:
    """The chunks of a span, each as soon as its end is known (a stream's holes are known only up to where it
    is)."""
    base = span.start - (span.start - span.phase) % 8
    start = stop = -1  # of what is still to be cut
    for first, last in reader.extents(span.start, span.stop):
        if stop < 0 or first - stop > SMALL_HOLE:
            if start < stop:
                yield _chunk(span, base, start, stop)
            start = first
        stop = last
        # on a grid that does not depend on where the holes are
        while (grid := base + ((start - base) // chunk_bytes + 1) * chunk_bytes) <= stop:
            yield _chunk(span, base, start, grid)
            start = grid
    if start < stop:
        yield _chunk(span, base, start, stop)


def _chunk(span: _Span, base: int, start: int, stop: int) -> Chunk:
    read_start = max(base, base + (start - base - OVERLAP) // 8 * 8, 0)
    if read_start % 8 != base % 8:
        read_start += (base - read_start) % 8
    return Chunk(start, stop, read_start, min(stop + OVERLAP, span.stop))


def unread(chunk: Chunk, unreadable: Iterable[tuple[int, int]]) -> list[NotSearched]:
    """What :func:`load` could not read of a chunk's core, for the report."""
    return [
        NotSearched(offset, length, "all", "could not be read")
        for offset, length in unreadable
        if offset < chunk.stop and offset + length > chunk.start
    ]


def mapped(reader: Reader) -> Mapping | None:
    """The reader's file, mapped into memory; None if it is none, or cannot be mapped."""
    descriptor = reader.descriptor()
    if descriptor is None or not reader.size:
        return None
    try:
        return Mapping(descriptor, reader.size)
    except OSError:
        return None  # it is read, then: slower, and nothing is lost


def load(reader: Reader, chunk: Chunk, space: Workspace) -> list[tuple[int, int]]:
    """Fill the workspace with a chunk; the (offset, length) ranges that could not be read and are zero
    instead."""
    if space.show(chunk.read_start, chunk.read_stop):
        return []
    wanted = chunk.read_stop - chunk.read_start
    view = space.view[:wanted]
    got = _read(reader, chunk.read_start, view, space)
    unreadable: list[tuple[int, int]] = []
    while got < wanted:
        at = chunk.read_start + got
        if reader.size is not None and at >= reader.size:
            break
        resume = min(chunk.read_stop, (at // _PAGE + 1) * _PAGE)
        view[got : resume - chunk.read_start] = bytes(resume - at)
        unreadable.append((at, resume - at))
        got = resume - chunk.read_start
        if got < wanted:
            got += reader.read_into(resume, view[got:])
    space.set_length(got)
    return unreadable


def _read(reader: Reader, offset: int, view: memoryview, space: Workspace) -> int:
    """Read a chunk piece by piece, and look at each while it is in the processor's cache."""
    got = 0
    space.look_at(0)
    while got < len(view):
        piece = view[got : got + PIECE_BYTES]
        done = reader.read_into(offset + got, piece)
        got += done
        if done < len(piece):
            break
        space.look_at(got)
    return got


def chunks_under_way(threads: int) -> int:
    """How many chunks :func:`for_each_chunk` may have taken whose work is not done."""
    return 1 if threads <= 1 else 2 * threads + 1


class Spaces:
    """Workspaces for chunks of up to ``chunk_bytes``; each is made by the thread that first needs it, and
    kept for the next. With ``mapping``, chunks are of that file."""

    def __init__(self, chunk_bytes: int, mapping: Mapping | None = None) -> None:
        self._capacity = chunk_bytes + 2 * OVERLAP + 16
        self._mapping = mapping
        self._free: SimpleQueue[Workspace] = SimpleQueue()

    @contextmanager
    def one(self) -> Iterator[Workspace]:
        """A workspace for a while."""
        try:
            space = self._free.get_nowait()
        except Empty:
            space = Workspace(self._capacity, self._mapping)
        try:
            yield space
        finally:
            self._free.put(space)

    def wipe(self) -> None:
        """Zero them all: they may have held keys."""
        for _ in range(self._free.qsize()):
            with self.one() as space:
                space.wipe()


def for_each_chunk(
    chunks: Iterable[Chunk],
    spaces: Spaces | int,
    work: Callable[[Workspace, Chunk], T],
    threads: int,
) -> Iterator[tuple[Chunk, T]]:
    """Run ``work`` over the chunks and yield the results in the order of the chunks.

    Few chunks are under way (:func:`chunks_under_way`), whatever the size of the image. The caller wipes the
    workspaces; where the longest chunk is given instead, they are made, and wiped at the end.
    """
    if isinstance(spaces, int):
        own = Spaces(spaces)
        try:
            yield from for_each_chunk(chunks, own, work, threads)
        finally:
            own.wipe()
        return

    def run(chunk: Chunk) -> T:
        with spaces.one() as space:
            return work(space, chunk)

    if threads <= 1:
        for chunk in chunks:
            yield chunk, run(chunk)
        return

    pending: deque[tuple[Chunk, Future[T]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="immure-scan") as pool:
        try:
            for chunk in chunks:
                pending.append((chunk, pool.submit(run, chunk)))
                if len(pending) >= chunks_under_way(threads):
                    done, future = pending.popleft()
                    yield done, future.result()
            while pending:
                done, future = pending.popleft()
                yield done, future.result()
        finally:
            for _, future in pending:
                future.cancel()
