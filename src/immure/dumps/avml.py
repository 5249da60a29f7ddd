"""AVML: physical memory of a Linux machine in compressed ranges.

Version 1 is LiME. Version 2 has LiME's header with magic ``AVML`` and version 2; then the range's bytes as
a snappy framed stream, then the length of that stream (8 bytes, little-endian). Format: microsoft/avml,
``src/image.rs``.

The image that is scanned is the *expanded* one: headers as they are, ranges decompressed, no length fields.
Offsets in findings refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from immure.dumps.dump import Image, Reader
from immure.dumps.lime import HEADER, parse_ranges
from immure.dumps.limits import Limits
from immure.dumps.snappy import decompress_frames
from immure.dumps.spool import SpoolReader
from immure.errors import ImageError

MAGIC = b"AVML"


def detect(head: bytes) -> bool:
    """Whether a file begins with an AVML header of version 2."""
    return head[:8] == MAGIC + b"\x02\0\0\0"


def parse_avml(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in an expanded AVML file (see :func:`open_expanded`).

    Raises:
        ImageError: the first header cannot be used.
    """
    return parse_ranges(path, reader, limits or Limits(), "avml", (MAGIC,))


def open_expanded(path: str, source: Reader, limits: Limits) -> SpoolReader:
    """A reader of the expanded image. ``source`` is closed when it is not needed any more."""
    return SpoolReader(expand(source), path, limits, source.close)


def expand(source: Reader) -> Iterator[bytes]:
    """The expanded image, in pieces.

    Raises:
        ImageError: the file is corrupt or cut short; ``offset`` is the place in ``source``.
    """
    position = 0
    while raw := source.read(position, HEADER.size):
        if len(raw) < HEADER.size:
            raise ImageError("a range header is cut short", offset=position)
        magic, version, first, last = HEADER.unpack(raw)
        if (magic, version) != (MAGIC, 2) or last < first:
            raise ImageError("no usable range header where one is due", offset=position)
        yield raw
        position += HEADER.size
        left = last - first + 1
        begun = position
        for piece, after in decompress_frames(source, position):
            position = after
            if len(piece) > left:
                raise ImageError("more bytes come out of a range than its header says", offset=position)
            yield piece
            left -= len(piece)
            if not left:
                break
        if left:
            raise ImageError(f"a range lacks {left} bytes", offset=position)
        trailer = source.read(position, 8)
        if len(trailer) < 8:
            raise ImageError("a range's length is cut short", offset=position)
        if int.from_bytes(trailer, "little") != position - begun:
            raise ImageError("a range's length is not what its header led to", offset=position)
        position += 8
