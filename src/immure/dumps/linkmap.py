"""Where a core keeps the list of loaded libraries, without which no debugger finds the code of a frame.

The dynamic linker keeps a chain of ``struct link_map`` in memory of its own, which is neither stack nor heap
nor a file's. A debugger comes to it by the auxiliary vector (``AT_PHDR``), the program's dynamic section
(``DT_DEBUG``) and ``struct r_debug`` (glibc's ``link.h``; System V gABI, chapter 5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Image
from immure.dumps.elfheader import PT_NOTE, count_segments, read_header, read_segments
from immure.dumps.elfnotes import read_notes
from immure.dumps.limits import Limits
from immure.errors import ImageError

_AT_PHDR, _AT_PHENT, _AT_PHNUM = 3, 4, 5
_PT_DYNAMIC, _PT_PHDR = 2, 6
_DT_NULL, _DT_DEBUG = 0, 21
#: Words of ``struct link_map`` that are public: l_addr, l_name, l_ld, l_next, l_prev.
_MAP_WORDS: Final = 5
_DEBUG_WORDS: Final = 6
_MOST_LIBRARIES: Final = 10_000
_MOST_ENTRIES: Final = 4096
_MOST_NAME: Final = 4096


def link_map_places(image: Image) -> list[tuple[int, int]]:
    """(offset, length) in the file of everything that a debugger reads to know the loaded libraries; empty if
    the image is no ELF core, or it cannot be told. Never raises for what is broken in the image."""
    if image.format != "elf-core":
        return []
    memory = _Memory(image)
    try:
        return list(_places(memory, _auxiliary_vector(image)))
    except (_Unmapped, ImageError):
        return []


class _Unmapped(Exception):  # noqa: N818 - ends a walk, and never leaves this module
    """An address that the image does not hold."""


class _Memory:
    """Reads by address."""

    def __init__(self, image: Image) -> None:
        self._reader = image.reader
        self._word, self._order = image.word_size, image.byte_order
        self._regions = sorted(
            (region.address, region)
            for region in image.regions
            if region.address is not None and region.length
        )

    def place(self, address: int, length: int) -> tuple[int, int]:
        """The (offset, length) of bytes in the file."""
        low, high = 0, len(self._regions)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._regions[middle][0] <= address else (low, middle)
        if low:
            start, region = self._regions[low - 1]
            if address + length <= start + region.length:
                return region.offset + address - start, length
        raise _Unmapped

    def words(self, address: int, count: int) -> list[int]:
        """So many machine words."""
        offset, length = self.place(address, self._word * count)
        data = self._reader.read(offset, length)
        steps = range(0, len(data), self._word)
        return [int.from_bytes(data[at : at + self._word], self._order) for at in steps]

    def half(self, address: int) -> int:
        """A 32-bit word."""
        offset, length = self.place(address, 4)
        return int.from_bytes(self._reader.read(offset, length), self._order)

    def text(self, address: int) -> tuple[int, int]:
        """The place of a text with the zero at its end."""
        offset, _ = self.place(address, 1)
        data = self._reader.read(offset, _MOST_NAME)
        return offset, data.find(b"\0") + 1 or len(data)

    @property
    def word_size(self) -> int:
        """Bytes of a machine word."""
        return self._word


def _auxiliary_vector(image: Image) -> dict[int, int]:
    header = read_header(image.path, image.reader)
    count = min(count_segments(image.path, header, image.reader, [], []), Limits().max_regions)
    notes = [segment for segment in read_segments(header, image.reader, count) if segment.type == PT_NOTE]
    return read_notes(image.path, image.reader, notes, header, Limits()).auxv


def _places(memory: _Memory, auxv: dict[int, int]) -> Iterator[tuple[int, int]]:
    table, count, size = auxv.get(_AT_PHDR, 0), auxv.get(_AT_PHNUM, 0), auxv.get(_AT_PHENT, 0)
    headers = [_header(memory, table + index * size) for index in range(min(count, 128))]
    bias = next((table - address for kind, address in headers if kind == _PT_PHDR), 0)
    dynamic = next((bias + address for kind, address in headers if kind == _PT_DYNAMIC), 0)
    yield memory.place(table, min(count, 128) * size)
    for index in range(_MOST_ENTRIES):
        at = dynamic + 2 * index * memory.word_size
        tag, value = memory.words(at, 2)
        yield memory.place(at, 2 * memory.word_size)
        if tag == _DT_NULL:
            return
        if tag == _DT_DEBUG:
            yield memory.place(value, _DEBUG_WORDS * memory.word_size)
            yield from _chain(memory, memory.words(value, 2)[1])


def _header(memory: _Memory, at: int) -> tuple[int, int]:
    """Type and address of a program header."""
    words = memory.words(at, 3)
    if memory.word_size == 8:
        return memory.half(at), words[2]
    return words[0], words[2]


def _chain(memory: _Memory, address: int) -> Iterator[tuple[int, int]]:
    for _ in range(_MOST_LIBRARIES):
        if not address:
            return
        _, name, _, following, _ = memory.words(address, _MAP_WORDS)
        yield memory.place(address, _MAP_WORDS * memory.word_size)
        if name:
            yield memory.text(name)
        address = following
