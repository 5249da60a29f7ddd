"""Literal byte strings, and long runs of base64 and hex characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.workspace import Workspace

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
        places: (offset in ``data``, bytes, index of the text, phase) of each.
    """

    data: bytearray
    places: list[tuple[int, int, int, int]]


def text_decode(space: Workspace, texts: Sequence[tuple[int, int, int]]) -> DecodedTexts:
    """Decode texts, as :func:`text_runs` gives them."""
    flat = ffi.new("int64_t[]", [number for text in texts for number in text])
    room = sum(4 * length + 160 for _, length, _ in texts)
    data = bytearray(room)
    places = ffi.new("int64_t[]", 16 * len(texts) + 1)
    out = ffi.from_buffer("uint8_t[]", data)
    count = lib.text_decode(space.pointer, space.length, flat, len(texts), out, room, places)
    ffi.release(out)
    numbers = ffi.unpack(places, 4 * count) if count else []
    found = list(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True))
    del data[found[-1][0] + (found[-1][1] + 7) // 8 * 8 + 16 if found else 0 :]
    return DecodedTexts(data, found)
