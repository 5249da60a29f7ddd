"""What stands where a secret stood: sixteen bytes of text, repeated, in step with the offset.

>>> fill(0, 20)
b'-immure-redacted-imm'
>>> fill(18, 4)
b'mmur'

In a hex dump with sixteen bytes to the line every line of a long span reads the same. The bytes of a fill
depend on their offset alone, so that spans may overlap, and redacting twice changes nothing.
"""

from __future__ import annotations

from typing import Final

PATTERN: Final = b"-immure-redacted"
_LONG: Final = PATTERN * 4096


def fill(offset: int, length: int) -> bytes:
    """The fill for ``length`` bytes from ``offset`` on."""
    phase = offset % len(PATTERN)
    if phase + length <= len(_LONG):
        return _LONG[phase : phase + length]
    whole = PATTERN * ((phase + length) // len(PATTERN) + 1)
    return whole[phase : phase + length]


def is_fill(data: bytes) -> bool:
    """Whether bytes of text are nothing but fill, at whatever offset."""
    return len(data) >= 8 and data in PATTERN * (len(data) // len(PATTERN) + 2)
