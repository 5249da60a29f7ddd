"""Bounds that keep a hostile image from costing more than its own size in time and memory."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a foreign image's tables is believed. What lies beyond is still scanned, as plain bytes.

    Attributes:
        max_regions: entries of a region table (program headers, memory ranges, blocks, records).
        max_missing: separate :class:`~immure.dumps.dump.Missing` entries; further ones are merged into one.
        max_notes, max_note_bytes: notes of an ELF core: how many, and how many bytes of them, are read.
        max_threads: threads named in :class:`~immure.dumps.dump.Process`.
        max_members: files yielded from one archive.
        max_files: files yielded from one directory tree.
        max_nesting: archives within archives that are opened.
        max_compression_depth: compressed streams within compressed streams that are opened.
        max_apparent_bytes: size of one decompressed stream, runs of zeros included.
        max_stored_bytes: non-zero bytes of one decompressed stream kept in the spool.
        max_archive_ratio: how often as many non-zero bytes may come out of one archive as are in it, once
            they are more than ``max_stored_bytes``.
        spool_memory_bytes: how many of these stay in memory; the others go, encrypted, to an unlinked file.
        disk_margin_bytes: free space that the spool leaves on its file system.
        spool_directory: where the spool file is made; None for the system's temporary directory.
    """

    max_regions: int = 1 << 18  # four times the kernel's default vm.max_map_count
    max_missing: int = 10_000
    max_notes: int = 1_000_000
    max_note_bytes: int = 64 * MIB
    max_threads: int = 100_000
    max_members: int = 100_000
    max_files: int = 10_000_000
    max_nesting: int = 1
    max_compression_depth: int = 3
    max_apparent_bytes: int = TIB
    max_stored_bytes: int = 64 * GIB
    max_archive_ratio: int = 100
    spool_memory_bytes: int = 32 * MIB
    disk_margin_bytes: int = GIB
    spool_directory: str | None = None
