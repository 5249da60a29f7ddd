"""Snappy, as far as AVML needs it: framed streams (``framing_format.txt``) of blocks
(``format_description.txt``).

Blocks are decompressed by the ``cramjam`` library where it is installed, and else by a plain decoder that
is some hundred times slower. Both are bounded: a framed block has at most 64 KiB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from immure.dumps.dump import Reader
from immure.errors import ImageError

MAX_BLOCK = 1 << 16
_MAX_CHUNK = MAX_BLOCK + MAX_BLOCK // 6 + 64  # the most that 64 KiB can grow to
_MAX_SKIPPED = 1 << 16
_IDENTIFIER = b"sNaPpY"


def decompress_frames(source: Reader, position: int) -> Iterator[tuple[bytes, int]]:
    """Pieces of at most 64 KiB, each with the position in ``source`` behind its chunk. Ends with the file.

    Raises:
        ImageError: the stream is corrupt or cut short. The blocks' checksums are not verified: bytes that
            were damaged are searched like all others.
    """
    decode = block_decoder()
    skipped = 0
    while header := source.read(position, 4):
        kind, length = header[0], int.from_bytes(header[1:4], "little")
        if kind >= 0x80 and kind != 0xFF:  # padding and what may be skipped
            position, skipped = position + 4 + length, skipped + 1
            if skipped > _MAX_SKIPPED:
                raise ImageError("too many snappy chunks without bytes", offset=position)
            continue
        body = source.read(position + 4, min(length, _MAX_CHUNK))
        if len(header) < 4 or len(body) < length:
            raise ImageError("a snappy chunk is cut short or too long", offset=position)
        if kind == 0xFF and body == _IDENTIFIER:
            position += 4 + length
            continue
        if kind > 1 or length < 4:
            raise ImageError(f"a snappy chunk of unknown kind {kind:#x}", offset=position)
        try:
            piece = body[4:] if kind == 1 else decode(body[4:])
        except ImageError as error:
            raise ImageError(error.reason, offset=position) from error
        if len(piece) > MAX_BLOCK:
            raise ImageError("a snappy block of more than 64 KiB", offset=position)
        position += 4 + length
        yield piece, position


def block_decoder() -> Callable[[bytes], bytes]:
    """The fastest decoder of blocks that there is."""
    try:
        cramjam = import_module("cramjam")
    except ImportError:  # it is not among the dependencies: what it does is only done faster
        return decompress_block

    def decode(block: bytes) -> bytes:
        size, _ = _length(block)
        out = bytearray(size)
        try:
            count = cramjam.snappy.decompress_raw_into(block, out)
        except cramjam.DecompressionError as error:
            raise ImageError(f"a snappy block is corrupt: {error}") from error
        return bytes(out[:count])

    return decode


def decompress_block(block: bytes) -> bytes:
    """The bytes of one block of at most 64 KiB.

    Raises:
        ImageError: the block is corrupt.
    """
    size, position = _length(block)
    out = bytearray()
    end = len(block)
    while position < end:
        tag = block[position]
        position += 1
        if tag & 3 == 0:
            length, position = _literal(block, tag, position)
            if position + length > end:
                raise ImageError("a snappy literal passes the end of its block")
            out += block[position : position + length]
            position += length
        else:
            length, offset, position = _copy(block, tag, position)
            if position > end:
                raise ImageError("a snappy copy passes the end of its block")
            _repeat(out, offset, length)
        if len(out) > size:
            raise ImageError("a snappy block is longer than it says")
    if len(out) != size:
        raise ImageError("a snappy block is shorter than it says")
    return bytes(out)


def _length(block: bytes) -> tuple[int, int]:
    """The decompressed size, a little-endian base-128 number, and where it ends."""
    size = 0
    for position, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            if size > MAX_BLOCK:
                raise ImageError("a snappy block of more than 64 KiB")
            return size, position + 1
    raise ImageError("a snappy block without a size")


def _literal(block: bytes, tag: int, position: int) -> tuple[int, int]:
    length = tag >> 2
    if length < 60:
        return length + 1, position
    width = length - 59
    return int.from_bytes(block[position : position + width], "little") + 1, position + width


def _copy(block: bytes, tag: int, position: int) -> tuple[int, int, int]:
    """Length, distance back, and the position behind the tag."""
    if tag & 3 == 1:
        low = block[position : position + 1]
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | int.from_bytes(low, "little"), position + 1
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(block[position : position + width], "little"), position + width


def _repeat(out: bytearray, offset: int, length: int) -> None:
    start = len(out) - offset
    if offset == 0 or start < 0:
        raise ImageError("a snappy copy points before its block")
    if offset >= length:
        out += out[start : start + length]
        return
    pattern = bytes(out[start:])
    out += (pattern * (length // offset + 1))[:length]
