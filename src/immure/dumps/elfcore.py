"""ELF core files: what the Linux kernel, gdb's ``gcore`` and their kin write when a process dies.

32 and 64 bit, both byte orders, more than 65,534 segments (``PN_XNUM``). Format: System V ABI (gABI)
chapters 4 and 5, and for the notes the kernel's ``fs/binfmt_elf.c`` (see :mod:`immure.dumps.elfnotes`).

A segment with less file size than memory size is no defect: the kernel leaves out unmodified mappings of
files, and what a process excluded (``MADV_DONTDUMP``). That is said in :attr:`Image.warnings`.
:class:`Missing` is what the program headers promise *in the file* and the file does not have.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from immure.dumps.dump import Image, Missing, Reader, Region
from immure.dumps.elfnotes import read_notes
from immure.dumps.elfregions import name_segments
from immure.dumps.limits import Limits
from immure.dumps.tables import FAR, beyond_end, cover
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


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header: offsets, sizes and addresses in bytes, ``flags`` as ``PF_*``."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


def detect(head: bytes) -> bool:
    """Whether a file begins like an ELF core (and not like a program or library)."""
    if len(head) < 20 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return False
    return int.from_bytes(head[16:18], "little" if head[5] == 1 else "big") == ET_CORE


def parse_elf_core(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in an ELF core.

    Raises:
        ImageError: the ELF header itself cannot be used. Everything behind it may be broken: then there are
            warnings and missing ranges, and the bytes are plain ``data`` regions.
    """
    limits = limits or Limits()
    header = _read_header(path, reader)
    warnings: list[str] = []
    claims = [Region(0, header.size, name="ELF header", kind="header")]
    phnum = _count(header, reader, claims, warnings)
    taken = min(phnum, limits.max_regions)
    if taken < phnum:
        warnings.append(f"{path}: {phnum} program headers, of which {taken} are read: the limit")
    entry = struct.calcsize(header.prefix + _PHDR_FIELDS[header.word_size])
    table = Region(header.phoff, entry * phnum, name="program headers", kind="header")
    segments = list(_segments(header, reader, taken))
    notes = read_notes(path, reader, [s for s in segments if s.type == PT_NOTE], header, limits)
    named = name_segments([s for s in segments if s.type == PT_LOAD], notes, header.word_size)
    claims += [table, *_note_regions(segments), *named.regions]
    warnings += [*notes.warnings, *(f"{path}: {text}" for text in named.warnings)]
    regions, missing = _settle(claims, reader, limits)
    return Image(
        path, "elf-core", reader, regions, missing, notes.process(header.machine),
        header.word_size, header.byte_order, tuple(warnings),
    )  # fmt: skip


def _settle(
    claims: list[Region], reader: Reader, limits: Limits
) -> tuple[tuple[Region, ...], tuple[Missing, ...]]:
    """Regions that cover the file. While a stream's end is unknown, they cover what is claimed."""
    size = reader.size
    if size is None:
        return cover(claims, min(FAR, max(claim.end for claim in claims))), ()
    return cover(claims, size), beyond_end(claims, size, limits.max_missing)


def _read_header(path: str, reader: Reader) -> Header:
    head = reader.read(0, 64)
    if not detect(head):
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


def _count(header: Header, reader: Reader, claims: list[Region], warnings: list[str]) -> int:
    """How many program headers there are: with ``PN_XNUM`` the first section header says so (``sh_info``)."""
    if header.phnum != PN_XNUM:
        return header.phnum
    layout = struct.Struct(header.prefix + _SHDR_FIELDS[header.word_size])
    claims.append(Region(header.shoff, layout.size, name="section header", kind="header"))
    raw = reader.read(header.shoff, layout.size) if 0 < header.shoff <= FAR else b""
    if len(raw) < layout.size:
        warnings.append(
            f"the section header at {header.shoff:#x}, which counts the segments, is not in the file"
        )
        return PN_XNUM
    return int(layout.unpack(raw)[7])


def _segments(header: Header, reader: Reader, count: int) -> Iterator[Segment]:
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


def _note_regions(segments: list[Segment]) -> list[Region]:
    return [
        Region(s.offset, s.file_size, name="notes", kind="notes")
        for s in segments
        if s.type == PT_NOTE and s.file_size
    ]
