"""The front of an ELF file: its header and program headers (System V gABI, chapters 4 and 5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from immure.dumps.dump import Reader, Region
from immure.dumps.tables import FAR
from immure.errors import ImageError

ET_CORE = 4
PT_LOAD, PT_NOTE = 1, 4
PN_XNUM = 0xFFFF

_PHDR_FIELDS = {8: "IIQQQQQQ", 4: "IIIIIIII"}
_EHDR_FIELDS = {8: "HHIQQQIHHHHHH", 4: "HHIIIIIHHHHHH"}
_SHDR_FIELDS = {8: "IIQQQQIIQQ", 4: "IIIIIIIIII"}
_BATCH = 4096  # program headers read at a time


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of the ELF header that matter for a core."""

    word_size: Literal[4, 8]
    byte_order: Literal["little", "big"]
    machine: int
    phoff: int
    phnum: int
    size: int
    shoff: int

    @property
    def prefix(self) -> str:
        """Byte order for :mod:`struct`."""
        return "<" if self.byte_order == "little" else ">"

    @property
    def entry_size(self) -> int:
        """Bytes of a program header."""
        return struct.calcsize(self.prefix + _PHDR_FIELDS[self.word_size])


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header: offsets, sizes and addresses in bytes, ``flags`` as ``PF_*``."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


def is_core(head: bytes) -> bool:
    """Whether a file begins like an ELF core (and not like a program or library)."""
    if len(head) < 20 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return False
    return int.from_bytes(head[16:18], "little" if head[5] == 1 else "big") == ET_CORE


def read_header(path: str, reader: Reader) -> Header:
    """The ELF header; :class:`ImageError` if it cannot be used."""
    head = reader.read(0, 64)
    if not is_core(head):
        raise ImageError("no ELF core header", path=path, offset=0)
    word_size: Literal[4, 8] = 8 if head[4] == 2 else 4
    byte_order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
    prefix = "<" if byte_order == "little" else ">"
    layout = struct.Struct(prefix + _EHDR_FIELDS[word_size])
    if len(head) < 16 + layout.size:
        raise ImageError("the ELF header is cut short", path=path, offset=len(head))
    fields = layout.unpack_from(head, 16)
    machine, phoff, shoff, phentsize, phnum = fields[1], fields[4], fields[5], fields[8], fields[9]
    expected = struct.calcsize(prefix + _PHDR_FIELDS[word_size])
    if phnum and phentsize != expected:
        reason = f"program headers of {phentsize} bytes where {expected} are due"
        raise ImageError(reason, path=path, offset=16 + layout.size - 10)
    return Header(word_size, byte_order, machine, phoff, phnum, 16 + layout.size, shoff)


def count_segments(
    path: str, header: Header, reader: Reader, claims: list[Region], warnings: list[str]
) -> int:
    """How many program headers there are: with ``PN_XNUM`` the first section header says so (``sh_info``)."""
    if header.phnum != PN_XNUM:
        return header.phnum
    layout = struct.Struct(header.prefix + _SHDR_FIELDS[header.word_size])
    claims.append(Region(header.shoff, layout.size, name="section header", kind="header"))
    raw = reader.read(header.shoff, layout.size) if 0 < header.shoff <= FAR else b""
    if len(raw) < layout.size:
        warnings.append(
            f"{path}: the section header at {header.shoff:#x}, which counts the segments, is not in the file"
        )
        return PN_XNUM
    return int(layout.unpack(raw)[7])


def read_segments(header: Header, reader: Reader, count: int) -> Iterator[Segment]:
    """The first ``count`` program headers, as many as there are, read in batches."""
    layout = struct.Struct(header.prefix + _PHDR_FIELDS[header.word_size])
    for first in range(0, count, _BATCH):
        offset = header.phoff + first * layout.size
        if offset > FAR:
            return
        raw = reader.read(offset, layout.size * min(_BATCH, count - first))
        whole = len(raw) // layout.size * layout.size
        for fields in layout.iter_unpack(raw[:whole]):
            if header.word_size == 8:
                kind, flags, at, address, _, in_file, in_memory, _ = fields
            else:
                kind, at, address, _, in_file, in_memory, flags, _ = fields
            yield Segment(kind, flags, at, address, in_file, in_memory)
        if whole < layout.size * min(_BATCH, count - first):
            return
