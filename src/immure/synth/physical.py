"""Physical memory images: LiME and AVML (version 2, snappy)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from immure.synth.memory import Built


@dataclass(frozen=True, slots=True)
class Range:
    """Memory at a physical address; ``claimed_size`` is what the header says instead of the truth."""

    address: int
    data: bytes
    claimed_size: int | None = None


def build_lime(ranges: Sequence[Range]) -> Built:
    """A LiME file, version 1."""
    out, places = b"", []
    for piece in ranges:
        out += _header(b"EMiL", 1, piece)
        places.append((len(out), piece.address, len(piece.data)))
        out += piece.data
    return Built(out, tuple(places))


def build_avml(ranges: Sequence[Range]) -> Built:
    """An AVML file, version 2. ``places`` are those in the expanded image: headers, ranges, nothing else."""
    out, places, expanded = b"", [], 0
    for piece in ranges:
        stream = snappy_frames(piece.data)
        out += _header(b"AVML", 2, piece) + stream + struct.pack("<Q", len(stream))
        places.append((expanded + 32, piece.address, len(piece.data)))
        expanded += 32 + len(piece.data)
    return Built(out, tuple(places))


def _header(magic: bytes, version: int, piece: Range) -> bytes:
    size = len(piece.data) if piece.claimed_size is None else piece.claimed_size
    return magic + struct.pack("<IQQQ", version, piece.address, piece.address + size - 1, 0)


def snappy_frames(data: bytes) -> bytes:
    """A framed snappy stream (``framing_format.txt``): compressed chunks of at most 64 KiB."""
    out = b"\xff\x06\x00\x00sNaPpY"
    for start in range(0, len(data), 65536):
        piece = data[start : start + 65536]
        body = _masked_crc(piece) + snappy_block(piece)
        out += b"\x00" + len(body).to_bytes(3, "little") + body
    return out


def snappy_block(data: bytes) -> bytes:
    """One snappy block: literals, and copies where a byte repeats (enough to exercise a decoder)."""
    out, size = bytearray(), len(data)
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    position = 0
    while position < len(data):
        run = _run(data, position)
        if position and run >= 4 and data[position] == data[position - 1]:
            length = min(run, 64)
            out += bytes([(length - 1) << 2 | 2]) + (1).to_bytes(2, "little")
            position += length
            continue
        stop = position + 1
        while stop < len(data) and _run(data, stop) < 5:
            stop += 1
        literal = data[position:stop]
        out += bytes([62 << 2]) + (len(literal) - 1).to_bytes(3, "little") + literal
        position = stop
    return bytes(out)


def _run(data: bytes, position: int) -> int:
    """How often the byte at ``position`` is repeated, up to 64."""
    count = 1
    while count < 64 and position + count < len(data) and data[position + count] == data[position]:
        count += 1
    return count


def _crc32c_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc32c_table()


def _masked_crc(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
