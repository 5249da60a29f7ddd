"""Looks for parts of byte strings in memory, at every byte: a thin coat over ``probe.c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from immure.errors import LimitError
from immure.redact.prove.kernels._probe import ffi, lib

#: Agreements that are taken from the kernel in one go.
_ROOM: Final = 4096

Agreement = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Needle:
    """A byte string of 8 bytes or more, the length of the shortest part of it that counts, and whether single
    words of eight bytes, at offsets in it that 8 divides, count as well."""

    data: bytes
    least: int
    by_words: bool = False

    def __repr__(self) -> str:
        return f"Needle({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a prober looks for.

    Attributes:
        windows: windows in its table.
        bare: needles with a part of the length that counts in which no window can be looked for: all zeros.
        words: single words that count.
        words_left_out: single words that are not looked for: plain text, or with zeros side by side.
        prose: whether plain text has to be probed as well.
    """

    windows: int
    bare: int
    words: int
    words_left_out: int
    prose: bool


class Room:
    """Bytes in native memory, and room for what is found in them; for one thread at a time."""

    def __init__(self, capacity: int) -> None:
        self.buffer = bytearray(capacity)
        self.view = memoryview(self.buffer)
        self.pointer = ffi.from_buffer("uint8_t[]", self.buffer)
        self.out = ffi.new("int64_t[]", 4 * _ROOM)

    def wipe(self) -> None:
        """Zero the bytes: they may have held keys."""
        self.view[:] = bytes(len(self.buffer))


class Prober:
    """Looks for parts of needles; used by all threads.

    Raises:
        LimitError: a needle of less than 8 bytes or more than 8 MiB, a least part that is none, or too many.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        handle = lib.prober_new(
            b"".join(needle.data for needle in needles),
            ffi.new("uint32_t[]", [len(needle.data) for needle in needles]),
            ffi.new("uint32_t[]", [needle.least for needle in needles]),
            bytes(needle.by_words for needle in needles),
            len(needles),
        )
        if handle == ffi.NULL:
            raise LimitError("needles must be 8 bytes to 8 MiB long, 256 MiB together")
        self._handle = ffi.gc(handle, lib.prober_free)
        facts = ffi.new("uint64_t[5]")
        lib.prober_facts(self._handle, facts)
        self.facts = Facts(facts[0], facts[1], facts[2], facts[3], bool(facts[4]))

    def find(self, room: Room, length: int, start: int, stop: int, *, most: int = 1 << 20) -> list[Agreement]:
        """Longest common parts of the first ``length`` bytes and the needles, as (needle, offset, offset in
        the needle, length), of which a window of the table begins in [start, stop). At most ``most`` of them,
        and then some more."""
        resume = ffi.new("size_t *", start)
        found: list[Agreement] = []
        while resume[0] < stop and len(found) < most:
            count = lib.prober_find(self._handle, room.pointer, length, start, stop, room.out, _ROOM, resume)
            if not count and resume[0] < stop:
                raise LimitError("more agreements at one place than there is room for")
            flat = ffi.unpack(room.out, 4 * count) if count else []
            found += zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        return found


def count_differences(one: Room, at: int, other: Room, other_at: int, length: int) -> tuple[int, int]:
    """How many of ``length`` bytes differ, and the first that does (``length`` if none)."""
    if max(at + length, 0) > len(one.buffer) or other_at + length > len(other.buffer):
        raise LimitError("comparison beyond the end of a buffer")
    first = ffi.new("size_t *")
    count = lib.bytes_differ(one.pointer + at, other.pointer + other_at, length, first)
    return count, first[0]
