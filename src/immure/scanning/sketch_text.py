"""How the bytes of a secret are written in memory, and which bytes stand around a place, read in that
writing."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Writing:
    """Bytes as text, or as they are.

    Attributes:
        name: for reports.
        chars: characters that may occur; None for any bytes.
        bits: bits of the secret in a character.
        width: bytes of a character.
    """

    name: str
    chars: re.Pattern[bytes] | None
    bits: int
    width: int

    @property
    def group(self) -> int:
        """Characters after which a whole byte ends: 1, 2 for hex, 4 for base64."""
        return {8: 1, 4: 2, 6: 4}[self.bits]

    def place(self, start: int, low: int, high: int) -> tuple[int, int]:
        """Offset and length in memory of the bytes ``low`` to ``high`` of what was read from ``start`` on;
        characters that hold a part of them belong to it."""
        first, last = 8 * low // self.bits, -(-8 * high // self.bits)
        return start + first * self.width, (last - first) * self.width


_ANY: Final = re.compile(rb"[\x20-\x7e]*")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]*")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]*")
#: By the kernel's numbers.
WRITINGS: Final = (
    Writing("raw", None, 8, 1),
    Writing("hex", _HEX, 4, 1),
    Writing("base64", _BASE64, 6, 1),
    Writing("utf16le", _ANY, 8, 2),
    Writing("hex-utf16le", _HEX, 4, 2),
    Writing("base64-utf16le", _BASE64, 6, 2),
)


def bytes_around(view: memoryview, at: int, writing: Writing, length: int) -> tuple[bytes, int, int]:
    """The bytes written around ``at``, as far as they are written that way, up to ``length`` on both sides.

    Returns:
        the bytes; how many of them stand before ``at``; and where in ``view`` the first of them begins.
    """
    reach = (-(-8 * length // writing.bits) // writing.group + 1) * writing.group * writing.width
    low, high = max(0, at - reach), min(len(view), at + reach)
    if writing.chars is None:
        return bytes(view[low:high]), at - low, low
    low += (at - low) % writing.width
    before = _chars(bytes(view[low:at]), writing, backwards=True)
    before = before[len(before) % writing.group :]
    after = _chars(bytes(view[at:high]), writing, backwards=False)
    data = _decoded(before + after, writing)
    return data, len(before) * writing.bits // 8, at - len(before) * writing.width


def _chars(data: bytes, writing: Writing, *, backwards: bool) -> bytes:
    """The characters that ``data`` begins with, or ends with."""
    if writing.width == 2:
        data = data[: len(data) // 2 * 2]
        zeros = data[1::2]
        if backwards:
            data = data[0::2][len(zeros.rstrip(b"\0")) :]
        else:
            data = data[0::2][: len(zeros) - len(zeros.lstrip(b"\0"))]
    if writing.chars is None:
        return data
    if not backwards:
        found = writing.chars.match(data)
        return found[0] if found else b""
    found = writing.chars.match(data[::-1])
    return found[0][::-1] if found else b""


def _decoded(chars: bytes, writing: Writing) -> bytes:
    if writing.bits == 8:
        return chars
    if writing.bits == 4:
        return bytes.fromhex(chars[: len(chars) // 2 * 2].decode("ascii"))
    text = chars.translate(_TO_STANDARD)
    text = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(text + b"=" * (-len(text) % 4))
