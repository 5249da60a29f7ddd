"""From the bytes of a window to the number that they are, by the names of the layouts (the inverse of the
encoding catalog)."""

from __future__ import annotations

import struct


def _words(data: bytes, kind: str) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data)


def decode(data: bytes, layout: str) -> int:
    """The number written in ``data``. Layouts: ``le64 be be32w be64w py30 smi28 negated``.

    ``negated`` reads R − x, where x is the little-endian number and R = 2^(8·length): the prime p whose R mod
    p stands there.
    """
    if layout == "le64":
        return int.from_bytes(data, "little")
    if layout == "negated":
        return (1 << 8 * len(data)) - int.from_bytes(data, "little")
    if layout == "be":
        return int.from_bytes(data, "big")
    if layout in ("be32w", "be64w"):
        bits, kind = (32, "I") if layout == "be32w" else (64, "Q")
        number = 0
        for word in _words(data, kind):
            number = number << bits | word
        return number
    bits, shift, kind = (30, 0, "I") if layout == "py30" else (28, 32, "Q")
    return sum((word >> shift) << bits * index for index, word in enumerate(_words(data, kind)))
