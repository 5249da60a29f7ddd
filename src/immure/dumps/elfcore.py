"""ELF core files: what the Linux kernel, gdb's ``gcore`` and their kin write when a process dies.

32 and 64 bit, both byte orders, more than 65,534 segments (``PN_XNUM``). Format: System V ABI (gABI)
chapters 4 and 5, and for the notes the kernel's ``fs/binfmt_elf.c`` (see :mod:`immure.dumps.elfnotes`).

A segment with less file size than memory size is no defect: the kernel leaves out unmodified mappings of
files, and what a process excluded (``MADV_DONTDUMP``). That is said in :attr:`Image.warnings`.
:class:`Missing` is what the program headers promise *in the file* and the file does not have.
"""

from __future__ import annotations

from immure.dumps.dump import Image, Missing, Reader, Region
from immure.dumps.elfheader import (
    PT_LOAD,
    PT_NOTE,
    Segment,
    count_segments,
    is_core,
    read_header,
    read_segments,
)
from immure.dumps.elfnotes import read_notes
from immure.dumps.elfregions import name_segments
from immure.dumps.limits import Limits
from immure.dumps.tables import FAR, beyond_end, cover


def detect(head: bytes) -> bool:
    """Whether a file begins like an ELF core (and not like a program or library)."""
    return is_core(head)


def parse_elf_core(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in an ELF core.

    Raises:
        ImageError: the ELF header itself cannot be used. Everything behind it may be broken: then there are
            warnings and missing ranges, and the bytes are plain ``data`` regions.
    """
    limits = limits or Limits()
    header = read_header(path, reader)
    warnings: list[str] = []
    claims = [Region(0, header.size, name="ELF header", kind="header")]
    phnum = count_segments(path, header, reader, claims, warnings)
    taken = min(phnum, limits.max_regions)
    if taken < phnum:
        warnings.append(f"{path}: {phnum} program headers, of which {taken} are read: the limit")
    table = Region(header.phoff, header.entry_size * phnum, name="program headers", kind="header")
    segments = list(read_segments(header, reader, taken))
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


def _note_regions(segments: list[Segment]) -> list[Region]:
    return [
        Region(s.offset, s.file_size, name="notes", kind="notes")
        for s in segments
        if s.type == PT_NOTE and s.file_size
    ]
