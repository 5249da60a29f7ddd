"""What the elliptic-curve kernel computes, said as plainly as possible and slowly: the twin that the tests
hold it against.

Everything is in Python integers and bytes; only the curves themselves are shared with the kernel's wrapper.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from immure.scanning.kernels.ec_curves import CURVES, Family

#: bytes of a candidate in the layouts le, be, be32w, py30
WIDTHS: dict[Family, dict[str, int]] = {
    "P-256": {"le": 32, "be": 32, "be32w": 32, "py30": 36},
    "secp256k1": {"le": 32, "be": 32, "be32w": 32, "py30": 36},
    "25519": {"le": 32, "be": 32, "be32w": 32, "py30": 36},
    "P-384": {"le": 48, "be": 48, "be32w": 48, "py30": 52},
    "448": {"le": 56, "be": 56, "be32w": 56, "py30": 60},
    "P-521": {"le": 72, "be": 66, "be32w": 68, "py30": 72},
}

DULL = 1 << 48


def scalar_at(buffer: bytes, offset: int, family: Family, layout: str, kind: str) -> int | None:
    """The scalar that a candidate stands for, or None if its bytes cannot be one."""
    if kind == "seed":
        if family == "25519":
            return clamped(
                int.from_bytes(hashlib.sha512(buffer[offset : offset + 32]).digest()[:32], "little"), family
            )
        return clamped(
            int.from_bytes(hashlib.shake_256(buffer[offset : offset + 57]).digest(56), "little"), family
        )
    data = buffer[offset : offset + WIDTHS[family][layout]]
    words = [data[at : at + 4] for at in range(0, len(data), 4)]
    if layout == "py30":
        digits = [int.from_bytes(word, "little") for word in words]
        if max(digits) >= 1 << 30:
            return None
        number = sum(digit * 2 ** (30 * k) for k, digit in enumerate(digits))
    elif layout == "be32w":
        number = int.from_bytes(b"".join(word[::-1] for word in words), "big")
    else:
        number = int.from_bytes(data, "big" if layout == "be" else "little")
    if number >= 1 << CURVES[family].bits:
        return None
    return clamped(number, family) if kind == "clamped" else number


def clamped(number: int, family: Family) -> int:
    """RFC 7748, section 5, bit by bit."""
    low, top = (3, 254) if family == "25519" else (2, 447)
    below, step = 1 << top, 1 << low
    number %= below
    return number - number % step + below


def search(
    points: Sequence[tuple[int, int]],
    buffer: bytes,
    offsets: Sequence[int],
    family: Family,
    layout: str,
    kind: str,
) -> list[tuple[int, int]]:
    """Pairs (index of the candidate, index of the point) with scalar·G = point."""
    curve = CURVES[family]
    found = []
    for candidate, offset in enumerate(offsets):
        scalar = scalar_at(buffer, offset, family, layout, kind)
        if scalar is not None:
            derived = curve.multiply(scalar, curve.g)
            found += [(candidate, index) for index, point in enumerate(points) if point == derived]
    return found


def passes(window: bytes, strict: bool = True) -> bool:
    """Whether a 32-byte window may be key material (the rules of ec_filter.c)."""
    words = [int.from_bytes(window[at : at + 8], "little") for at in range(0, 32, 8)]
    if any(word < DULL or word >= 2**64 - DULL for word in words):
        return False
    columns = [{byte & 0x7F for byte in window[at::8]} for at in range(8)]
    return not strict or (
        5 <= sum(byte >> 7 for byte in window) <= 27
        and all(len(column) > 1 for column in columns)
        and 88 <= sum(byte.bit_count() for byte in window) <= 168
        and sum(byte in (0, 255) for byte in window) < 5
        and len({byte & 63 for byte in window}) >= 17
        and len({byte >> 2 for byte in window}) >= 17
        and len(set(window)) >= 23
    )


def candidates(
    buffer: bytes,
    runs: Sequence[tuple[int, int]],
    step: int = 8,
    width: int = 32,
    strict: bool = True,
    edge: int | None = None,
) -> list[int]:
    """Byte offsets of the windows in ``runs`` that may be key material, in order."""
    found = []
    for start, end in runs:
        for offset in range(start, end - width + 1, step):
            at_edge = edge is None or offset - start <= 8 * edge or end - (offset + width) <= 8 * edge
            if at_edge and passes(buffer[offset : offset + 32], strict):
                found.append(offset)
    return found


def unique(buffer: bytes, offsets: Sequence[int], width: int = 32) -> list[int]:
    """The offsets whose window differs from all earlier ones."""
    first: dict[bytes, int] = {}
    for offset in offsets:
        first.setdefault(buffer[offset : offset + width], offset)
    return list(first.values())
