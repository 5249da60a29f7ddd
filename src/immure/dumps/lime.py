"""LiME: physical memory of a Linux machine, as ranges that each have a header.

Header (little-endian, 32 bytes): magic ``0x4C694D45``, version 1, first address, last address (inclusive),
8 reserved bytes; the range's bytes follow. Format: LiME, ``doc/README.md``. Addresses of the regions are
*physical*.
"""

from __future__ import annotations

import struct

from immure.dumps.dump import Image, Reader, Region
from immure.dumps.limits import Limits
from immure.dumps.tables import beyond_end, cover
from immure.errors import ImageError

MAGIC = b"EMiL"
HEADER = struct.Struct("<4sIQQ8x")


def detect(head: bytes) -> bool:
    """Whether a file begins with a LiME header of version 1."""
    return head[:8] == MAGIC + b"\x01\0\0\0"


def parse_lime(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in a LiME file.

    Raises:
        ImageError: the first header cannot be used.
    """
    return parse_ranges(path, reader, limits or Limits(), "lime", (MAGIC,))


def parse_ranges(path: str, reader: Reader, limits: Limits, name: str, magics: tuple[bytes, ...]) -> Image:
    """Walk the chain of headers with one of ``magics``; what follows a broken link is ``data``."""
    claims: list[Region] = []
    warnings: list[str] = []
    position = 0
    while len(claims) < 2 * limits.max_regions:
        raw = reader.read(position, HEADER.size)
        if not raw:
            break
        problem = _problem(raw, magics)
        if problem:
            if position == 0:
                raise ImageError(problem, path=path, offset=0)
            warnings.append(
                f"{path}: at offset {position:#x}: {problem}: the rest is searched as plain bytes"
            )
            break
        _, _, first, last = HEADER.unpack(raw)
        claims.append(Region(position, HEADER.size, name="range header", kind="header"))
        memory = Region(position + HEADER.size, last - first + 1, first, "physical memory")
        claims.append(memory)
        position = memory.end
        if position > (reader.size or 0):
            break
    else:
        warnings.append(f"{path}: more than {limits.max_regions} ranges: the limit")
    size = reader.size or 0
    return Image(
        path, name, reader, cover(claims, size), beyond_end(claims, size, limits.max_missing),
        warnings=tuple(warnings),
    )  # fmt: skip


def _problem(raw: bytes, magics: tuple[bytes, ...]) -> str | None:
    if len(raw) < HEADER.size:
        return "a range header is cut short"
    magic, _, first, last = HEADER.unpack(raw)
    if magic not in magics:
        return "no range header where one is due"
    if last < first:
        return f"a range ends ({last:#x}) before it begins ({first:#x})"
    return None
