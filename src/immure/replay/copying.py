"""The memory of a process as an ELF core, without kernel or debugger: what it maps, and no registers.

Source: elf(5), proc(5). A core of ours has no notes, so that no debugger can show a backtrace; a scanner has
all that it needs.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_PAGE: Final = 4096
_PIECE: Final = 1 << 20
#: Bytes of the largest mapping, and of all: what a small service has is far below.
MOST_MAPPING: Final = 512 << 20
MOST_BYTES: Final = 4 << 30
_LINE: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)")
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_X86_64, _CORE, _LOAD = 62, 4, 1


class Mapping(NamedTuple):
    """Memory that may hold data of the process's own: private and writable."""

    start: int
    size: int
    flags: int


def copy_memory(pid: int, path: Path) -> None:
    """Write the memory of a process to a new file.

    Raises:
        OSError: it cannot be read, or the file cannot be written.
    """
    mappings = list(_mappings(Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as out, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        _write(out, memory, mappings)


def _mappings(text: str) -> Iterator[Mapping]:
    """Writable private mappings out of ``/proc/PID/maps``.

    >>> list(_mappings("7f00000-7f02000 rw-p 00000000 00:00 0 [heap]"))
    [Mapping(start=133169152, size=8192, flags=6)]
    """
    total = 0
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or "w" not in match[3] or "r" not in match[3] or match[3][3] != "p":
            continue
        start, size = int(match[1], 16), int(match[2], 16) - int(match[1], 16)
        total += size
        if 0 < size <= MOST_MAPPING and total <= MOST_BYTES and start < 1 << 63:
            yield Mapping(start, size, 6 | ("x" in match[3]))


def _write(out: BinaryIO, memory: BinaryIO, mappings: list[Mapping]) -> None:
    table = _HEADER.size + _SEGMENT.size * len(mappings)
    at = table + -table % _PAGE
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    out.write(
        _HEADER.pack(
            ident,
            _CORE,
            _X86_64,
            1,
            0,
            _HEADER.size,
            0,
            0,
            _HEADER.size,
            _SEGMENT.size,
            len(mappings),
            0,
            0,
            0,
        )
    )
    for one in mappings:
        out.write(_SEGMENT.pack(_LOAD, one.flags, at, one.start, 0, one.size, one.size, _PAGE))
        at += one.size
    out.write(bytes(-table % _PAGE))
    for one in mappings:
        for offset in range(0, one.size, _PIECE):
            length = min(_PIECE, one.size - offset)
            out.write(_read(memory, one.start + offset, length).ljust(length, b"\0"))


def _read(memory: BinaryIO, at: int, length: int) -> bytes:
    """Bytes of a process; none where it has a mapping and no memory, as with guard pages."""
    try:
        return os.pread(memory.fileno(), length, at)
    except OSError:
        return b""
