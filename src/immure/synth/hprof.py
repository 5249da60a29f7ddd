"""Java heap dumps (HPROF, as OpenJDK's ``heapDumper.cpp`` writes them)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from immure.synth.memory import Built

_INT, _BYTE = 10, 8  # element types of primitive arrays


def build_hprof(
    strings: Sequence[str] = (),
    byte_arrays: Sequence[bytes] = (),
    int_arrays: Sequence[Sequence[int]] = (),
    *,
    version: str = "1.0.2",
    identifier_bytes: int = 8,
    segment_arrays: int = 16,
) -> Built:
    """A heap dump with ``strings`` (UTF-8 records) and primitive arrays (``int[]`` are big-endian in the
    file).

    ``places`` are the arrays' contents, with made-up object ids as addresses; ``segment_arrays`` of them
    are put into one heap dump segment.
    """
    out = bytearray(f"JAVA PROFILE {version}\0".encode())
    out += struct.pack(">IQ", identifier_bytes, 1_700_000_000_000)
    for number, text in enumerate(strings, 1):
        record = number.to_bytes(identifier_bytes, "big") + text.encode()
        out += struct.pack(">BII", 1, 0, len(record)) + record
    arrays = [(_BYTE, len(data), data) for data in byte_arrays]
    arrays += [
        (_INT, len(words), b"".join(word.to_bytes(4, "big") for word in words)) for words in int_arrays
    ]
    places: list[tuple[int, int, int]] = []
    for first in range(0, len(arrays), segment_arrays):
        body = bytearray()
        base = len(out) + 9
        for number, (kind, count, data) in enumerate(arrays[first : first + segment_arrays], first + 1):
            identifier = 0x1000 * number
            body += b"\x23" + identifier.to_bytes(identifier_bytes, "big")
            body += struct.pack(">IIB", 0, count, kind)
            places.append((base + len(body), identifier, len(data)))
            body += data
        out += struct.pack(">BII", 0x1C, 0, len(body)) + body
    out += struct.pack(">BII", 0x2C, 0, 0)
    return Built(bytes(out), tuple(places))
