"""Reads two images side by side, in chunks, once; what is to be found out of a chunk is said by the caller.

Where neither image has anything but a hole, and nothing was redacted, no chunk is read.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Protocol, TypeVar

from immure.dumps.dump import Reader
from immure.redact.prove.kernels.probe import Room

T = TypeVar("T")

#: A string may begin in a hole: its first byte may be zero. (Two may not: then it is found later in it.)
_BEFORE = 8


class SpanLike(Protocol):
    """What was redacted: all that the prover has to know of it."""

    @property
    def offset(self) -> int:
        """Where it begins in the image."""

    @property
    def length(self) -> int:
        """How many bytes it has."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The redacted image, and the original if it is compared with; ``size`` bytes both."""

    redacted: Reader
    original: Reader | None
    size: int


@dataclass(slots=True)
class Piece:
    """Bytes [start, stop) of both images.

    Attributes:
        low: image offset of the first byte in ``redacted``, which holds some bytes around the piece;
            ``length`` of them are filled. ``original`` holds the piece itself.
        unreadable: the first byte that could not be read, or None.
    """

    start: int
    stop: int
    low: int
    length: int
    redacted: Room
    original: Room | None
    unreadable: int | None


def merged(spans: Iterable[SpanLike | tuple[int, int]]) -> list[tuple[int, int]]:
    """(start, stop) of spans, or of pairs (offset, length); sorted, without overlaps."""
    pairs = [span if isinstance(span, tuple) else (span.offset, span.length) for span in spans]
    result: list[tuple[int, int]] = []
    for start, stop in sorted((offset, offset + length) for offset, length in pairs):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def for_each_piece(
    sides: Sides,
    spans: Sequence[tuple[int, int]],
    around: int,
    chunk_bytes: int,
    threads: int,
    work: Callable[[Piece], T],
) -> Iterator[T]:
    """The results of ``work``, in the order of the pieces; ``around`` bytes of the redacted image are read on
    either side of each."""
    rooms: SimpleQueue[tuple[Room, Room | None]] = SimpleQueue()
    for _ in range(max(1, threads)):
        rooms.put((Room(chunk_bytes + 2 * around), Room(chunk_bytes) if sides.original else None))

    def run(index: int) -> T:
        pair = rooms.get()
        try:
            start = index * chunk_bytes
            return work(_load(sides, start, min(start + chunk_bytes, sides.size), around, *pair))
        finally:
            rooms.put(pair)

    indexes = _live(sides, spans, chunk_bytes)
    try:
        yield from _in_threads(run, indexes, threads) if threads > 1 else map(run, indexes)
    finally:
        for _ in range(rooms.qsize()):
            for room in rooms.get():
                if room is not None:
                    room.wipe()


def _in_threads(run: Callable[[int], T], indexes: Iterable[int], threads: int) -> Iterator[T]:
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="immure-prove") as pool:
        try:
            for index in indexes:
                pending.append(pool.submit(run, index))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _live(sides: Sides, spans: Sequence[tuple[int, int]], chunk_bytes: int) -> Iterator[int]:
    """The chunks in which either image may hold anything, or in which something was redacted."""
    ranges: list[Iterable[tuple[int, int]]] = [sides.redacted.extents(0, sides.size), spans]
    if sides.original is not None:
        ranges.append(sides.original.extents(0, sides.size))
    chunks = heapq.merge(*(_chunks_of(some, chunk_bytes) for some in ranges))
    return (index for index, _ in groupby(chunks))


def _chunks_of(ranges: Iterable[tuple[int, int]], chunk_bytes: int) -> Iterator[int]:
    following = 0
    for start, stop in ranges:
        first = max(following, max(0, start - _BEFORE) // chunk_bytes)
        following = max(following, -(-stop // chunk_bytes))
        yield from range(first, following)


def _load(sides: Sides, start: int, stop: int, around: int, redacted: Room, original: Room | None) -> Piece:
    low, high = max(0, start - around), min(sides.size, stop + around)
    bad = [_fill(sides.redacted, low, high, redacted.view)]
    if sides.original is not None and original is not None:
        bad.append(_fill(sides.original, start, stop, original.view))
    known = [at for at in bad if at is not None]
    return Piece(start, stop, low, high - low, redacted, original, min(known, default=None))


def _fill(reader: Reader, start: int, stop: int, view: memoryview) -> int | None:
    """Fill the view with [start, stop), holes as zeros; the first offset that cannot be read, or None."""
    done = start
    for first, last in reader.extents(start, stop):
        view[done - start : first - start] = bytes(first - done)
        got = reader.read_into(first, view[first - start : last - start])
        if got < last - first:
            view[first + got - start : stop - start] = bytes(stop - first - got)
            return first + got
        done = last
    view[done - start : stop - start] = bytes(stop - done)
    return None
