"""Numbers as the big-number libraries lay them out in memory.

``le64``, ``le32``: limbs, least significant first (OpenSSL, GMP). ``be``: bytes, most significant first.
``be32w``, ``be64w``: words, most significant first, each little-endian (Java's ``int[]``; Rust's ring).
``py30``: CPython's 30-bit digits in 32-bit words. ``smi28``: 28-bit digits as V8 small integers, in the upper
half of 64-bit words (node-forge).
"""

from __future__ import annotations

LAYOUTS = ("le64", "le32", "be", "be32w", "be64w", "py30", "smi28")

#: layout: bits per digit, bytes per digit, most significant digit first, shift of the digit within its bytes
_DIGITS = {
    "le64": (64, 8, False, 0),
    "le32": (32, 4, False, 0),
    "be32w": (32, 4, True, 0),
    "be64w": (64, 8, True, 0),
    "py30": (30, 4, False, 0),
    "smi28": (28, 8, False, 32),
}


def encode(value: int, layout: str, bits: int) -> bytes:
    """``value`` in ``layout``, as wide as numbers of ``bits`` bits are there.

    Raises:
        ValueError: unknown layout, negative value, or a value of more than ``bits`` bits.
    """
    if value < 0 or value >> bits:
        raise ValueError(f"not a number of {bits} bits")
    if layout == "be":
        return bytes(value >> 8 * place & 0xFF for place in reversed(range(-(-bits // 8))))
    if layout not in _DIGITS:
        raise ValueError(f"no layout {layout!r}")
    digit_bits, digit_bytes, high_first, shift = _DIGITS[layout]
    digits = [value >> digit_bits * place & (1 << digit_bits) - 1 for place in range(-(-bits // digit_bits))]
    if high_first:
        digits.reverse()
    return b"".join((digit << shift).to_bytes(digit_bytes, "little") for digit in digits)
