"""What the kernel that looks for sketches computes, said plainly and slowly; see :mod:`reference`.

Written from ``sketch.h``, with the standard library's SHA-256, base64 and hex.
"""

from __future__ import annotations

import base64
import hashlib
import string
from collections.abc import Collection, Iterator

from immure.scanning.kernels.reference import is_dull, words_of

_HEX = frozenset(string.hexdigits)
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/-_")


def digest(block: bytes, window: bytes) -> int:
    """The first eight bytes of SHA-256 over a block and a window."""
    return int.from_bytes(hashlib.sha256(block + window).digest()[:8], "big")


def find(
    memory: bytes, block: bytes, digests: Collection[int], *, text: bool, one_case: bool
) -> list[tuple[int, int, int]]:
    """All windows whose digest is among those given, as (offset, kind, digest), in no order."""
    known = set(digests)
    return [
        (at, kind, made)
        for at, kind, window in windows(memory, text=text, one_case=one_case)
        if (made := digest(block, window)) in known
    ]


def windows(memory: bytes, *, text: bool, one_case: bool) -> Iterator[tuple[int, int, bytes]]:
    """Every window that is tried, as (offset, kind, its sixteen bytes)."""
    words = words_of(memory)
    memory = memory.ljust(8 * len(words), b"\0")
    for place in range(0, 8 * len(words) - 8, 8):
        if is_dull(words[place // 8]) or is_dull(words[place // 8 + 1]):
            continue
        window = memory[place : place + 16]
        has_top_bit = any(byte >= 0x80 for byte in window)
        if (has_top_bit or text) and window[:8] != window[8:] and window.count(0) < 4:
            yield place, 0, window
        if has_top_bit:
            continue
        if not any(window[1:8:2]) or not any(window[0:8:2]):
            start = place + any(window[1:8:2])
            chars = _utf16(memory[start:], 33)
            if text and len(chars) >= 16:
                yield start, 3, chars[:16].encode()
            yield from _texts(chars, start, 2, 4, 5, one_case)
        else:
            yield from _texts(memory[place : place + 33].decode("latin-1"), place, 1, 1, 2, one_case)


def _utf16(data: bytes, most: int) -> str:
    """The printable ASCII that ``data`` begins with as UTF-16LE."""
    chars = ""
    for at in range(0, min(2 * most, len(data) - 1), 2):
        if data[at + 1] or not 0x20 <= data[at] < 0x7F:
            break
        chars += chr(data[at])
    return chars


def _texts(
    chars: str, start: int, width: int, hex_kind: int, base64_kind: int, one_case: bool
) -> Iterator[tuple[int, int, bytes]]:
    for phase in range(2):
        piece = chars[phase : phase + 32]
        if len(piece) == 32 and set(piece) <= _HEX:
            yield start + phase * width, hex_kind, bytes.fromhex(piece)
    for phase in range(4):
        piece = chars[phase : phase + 22]
        if len(piece) < 22 or not set(piece) <= _BASE64:
            continue
        if one_case or (any(c.isupper() for c in piece) and any(c.islower() for c in piece)):
            data = base64.b64decode(piece.replace("-", "+").replace("_", "/") + "==")
            yield start + phase * width, base64_kind, data[:16]
