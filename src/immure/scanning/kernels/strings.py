"""Literal byte strings, and long runs of base64 and hex characters."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.workspace import Runs, Workspace

#: Places that come out of a kernel in one go.
_PLACES = 4096


class Anchors:
    """A set of literal byte strings to look for, all at once."""

    def find_all(self, data: bytearray, *, limit: int) -> list[tuple[int, int]]:
        """Places of the needles anywhere in ``data`` as (offset, needle index), at most ``limit`` of them."""
        memory = ffi.from_buffer("uint8_t[]", data)
        position, out = ffi.new("int64_t *", 0), ffi.new("int64_t[]", 2 * limit)
        whole = ffi.new("int64_t[2]", [0, len(data)])
        count = lib.anchors_find(self._handle, memory, len(data), whole, 1, 0, out, limit, position)
        ffi.release(memory)
        flat = ffi.unpack(out, 2 * count) if count else []
        return list(zip(flat[::2], flat[1::2], strict=True))

    def find_between(self, space: Workspace, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Places of the needles that begin in [start, stop) of the workspace's buffer, in order."""
        position, out = ffi.new("int64_t *", start), ffi.new("int64_t[]", 2 * _PLACES)
        range_ = ffi.new("int64_t[2]", [start, stop])
        while position[0] < stop:
            count = lib.anchors_find(
                self._handle, space.pointer, space.length, range_, 1, 0, out, _PLACES, position
            )
            flat = ffi.unpack(out, 2 * count) if count else []
            yield from zip(flat[::2], flat[1::2], strict=True)

    def __init__(self, needles: Sequence[bytes]) -> None:
        lengths = ffi.new("uint32_t[]", [len(needle) for needle in needles])
        handle = lib.anchors_new(b"".join(needles), lengths, len(needles))
        if handle == ffi.NULL:
            raise LimitError("anchors must be 4 to 4096 bytes long, and at most 256 in number")
        self._handle = ffi.gc(handle, lib.anchors_free)

    def find(self, space: Workspace, *, pad: int, limit: int) -> tuple[list[tuple[int, int]], int]:
        """Places of the needles near the strict runs as (offset, needle index), at most ``limit`` of them.

        Returns the places and the offset up to which the buffer was searched: less than its length only if
        the limit was reached.
        """
        position = ffi.new("int64_t *", 0)
        out = ffi.new("int64_t[]", 2 * limit)
        count = lib.anchors_find(
            self._handle,
            space.pointer,
            space.length,
            space.strict.data,
            space.strict.count,
            pad,
            out,
            limit,
            position,
        )
        flat = ffi.unpack(out, 2 * count) if count else []
        return list(zip(flat[::2], flat[1::2], strict=True)), position[0]


def text_runs(space: Workspace, *, pad: int, min_chars: int) -> list[tuple[int, int, int]]:
    """Runs of base64 (kind 1; 3 as UTF-16LE) and hex (2; 4) characters as (start, byte length, kind)."""
    position = ffi.new("int64_t *", 0)
    flat = space.collect(
        3,
        lambda out, capacity: lib.text_runs(
            space.pointer,
            space.length,
            space.strict.data,
            space.strict.count,
            pad,
            min_chars,
            out,
            capacity,
            position,
        ),
        lambda: bool(position[0] >= space.length),
    )
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


@dataclass(frozen=True, slots=True)
class DecodedTexts:
    """Texts decoded at every phase.

    Attributes:
        data: the decoded bytes of all, each on an 8-byte boundary, with 16 zero bytes or more between two.
        flat: of each its offset in ``data``, bytes, index of the text, and phase, one behind the other.
    """

    data: bytearray = field(default_factory=bytearray)
    flat: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.flat) // 4

    @property
    def places(self) -> list[tuple[int, int, int, int]]:
        """(offset, bytes, text, phase) of each."""
        flat = self.flat
        return list(zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True))

    def offsets(self) -> array[int]:
        """Where each begins in ``data``."""
        return self.flat[::4]

    def text_of(self, place: int) -> int:
        """The index of the text that a place is of."""
        return self.flat[4 * place + 2]

    def join(self, other: DecodedTexts, texts: int) -> None:
        """Put what was decoded elsewhere behind, as texts from number ``texts`` on; zeroes what it was."""
        data, flat = self.data, self.flat
        data += bytes(-len(data) % 8)
        begin, at = len(self), len(data)
        data += other.data
        flat += other.flat
        with _numbers(flat) as numbers:
            lib.text_shift(numbers + 4 * begin, len(other), at, texts)
        other.data[:] = bytes(len(other.data))

    def spans(self) -> Runs:
        """Where the decoded texts stand in ``data``, in whole words."""
        runs = Runs(len(self))
        with _numbers(self.flat) as numbers:
            lib.text_spans(numbers, len(self), runs.data)
        runs.count = len(self)
        return runs

    def starts(self, widths: Sequence[int], slack: int) -> array[int]:
        """Offsets in ``data`` of texts that are, from their first character on, as long as one of the widths,
        or up to ``slack`` bytes longer."""
        found = array("q", bytes(8 * len(self)))
        with _numbers(self.flat) as numbers, _numbers(found) as out:
            count = lib.text_starts(numbers, len(self), list(widths), len(widths), slack, out)
        return found[:count]


@contextmanager
def _numbers(values: array[int]) -> Iterator[Any]:
    """An array's memory, for as long as the native code needs it."""
    memory = ffi.from_buffer("int64_t[]", values)
    try:
        yield memory
    finally:
        ffi.release(memory)


def text_decode(space: Workspace, texts: Sequence[tuple[int, int, int]]) -> DecodedTexts:
    """Decode texts, as :func:`text_runs` gives them."""
    flat = array("q", chain.from_iterable(texts))
    room = sum(flat[1::3]) * 4 + 160 * len(texts)
    data, places = bytearray(room), array("q", bytes(8 * 16 * len(texts)))
    with _numbers(flat) as given, _numbers(places) as where:
        out = ffi.from_buffer("uint8_t[]", data)
        count = lib.text_decode(space.pointer, space.length, given, len(texts), out, room, where)
        ffi.release(out)
    found = DecodedTexts(data, places[: 4 * count])
    end = (found.flat[-4] + found.flat[-3] + 7) // 8 * 8 + 16 if count else 0
    del data[end:]
    return found
