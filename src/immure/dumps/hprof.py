"""Java heap dumps: HPROF 1.0.1 and 1.0.2, as ``jmap`` and ``-XX:+HeapDumpOnOutOfMemoryError`` write them.

A name, the size of identifiers, a time; then records: tag (1 byte), time (4), length (4), body, all
big-endian. Format: OpenJDK, ``src/hotspot/share/services/heapDumper.cpp``. Java objects have no addresses
that mean anything outside the virtual machine, so regions have none. Neighbouring records of one kind are
one region.
"""

from __future__ import annotations

import struct

from immure.dumps.dump import Image, Reader, Region
from immure.dumps.limits import Limits
from immure.dumps.tables import Window, beyond_end, cover
from immure.errors import ImageError

_MAGICS = (b"JAVA PROFILE 1.0.1\0", b"JAVA PROFILE 1.0.2\0")
_RECORD = struct.Struct(">BII")
_HEADER_BYTES = 19 + 4 + 8
_TAGS = {
    0x01: "strings",
    0x02: "loaded classes",
    0x03: "unloaded classes",
    0x04: "stack traces",
    0x05: "stack traces",
    0x06: "allocation sites",
    0x07: "heap summary",
    0x0A: "threads",
    0x0B: "ended threads",
    0x0C: "heap",
    0x0D: "processor samples",
    0x0E: "control settings",
    0x1C: "heap",
    0x2C: "end of the heap",
}
_IN_MEMORY = ("strings", "heap")
_MAX_RECORDS = 4_000_000  # real dumps have one per string and class: some hundred thousand


def detect(head: bytes) -> bool:
    """Whether a file begins like a heap dump of version 1.0.1 or 1.0.2."""
    return head[:19] in _MAGICS


def parse_hprof(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in a heap dump.

    Raises:
        ImageError: the header cannot be used.
    """
    limits = limits or Limits()
    head = reader.read(0, _HEADER_BYTES)
    if not detect(head) or len(head) < _HEADER_BYTES:
        raise ImageError("no HPROF header", path=path, offset=0)
    word = int.from_bytes(head[19:23], "big")
    if word not in (4, 8):
        raise ImageError(f"identifiers of {word} bytes", path=path, offset=19)
    claims = [Region(0, _HEADER_BYTES, name="HPROF header", kind="header")]
    warnings: list[str] = []
    size = reader.size or 0
    _records(path, reader, size, claims, warnings, limits)
    return Image(
        path, "hprof", reader, cover(claims, size), beyond_end(claims, size, limits.max_missing),
        None, 4 if word == 4 else 8, "big", tuple(warnings),
    )  # fmt: skip


def _records(
    path: str, reader: Reader, size: int, claims: list[Region], warnings: list[str], limits: Limits
) -> None:
    """Add a region for each run of records of a kind."""
    window = Window(reader, _HEADER_BYTES, size)
    begun, current = _HEADER_BYTES, ""
    problem: str | None = None
    count = 0
    while window.position < size:
        start, count = window.position, count + 1
        fields = window.unpack(_RECORD)
        name = _TAGS.get(fields[0]) if fields else None
        if fields is None or name is None:
            problem = (
                "a record is cut short" if fields is None else f"a record of unknown kind {fields[0]:#x}"
            )
        elif len(claims) > limits.max_regions or count > _MAX_RECORDS:
            problem = "more records than are read: the limit"
        if problem or name != current:
            if start > begun:
                claims.append(_region(begun, start, current))
            begun, current = start, name or ""
        if problem or fields is None:
            warnings.append(f"{path}: at offset {start:#x}: {problem}: the rest is searched as plain bytes")
            return
        window.position += fields[2]
    if window.position > begun:
        claims.append(_region(begun, window.position, current))


def _region(start: int, stop: int, name: str) -> Region:
    return Region(start, stop - start, name=name, kind="memory" if name in _IN_MEMORY else "data")
