"""Which bits of a number a part of a writing of it tells.

>>> from immure.redact.prove.arithmetic import Number
>>> from immure.redact.prove.writings import writings
>>> number = Number("p", 0x0123456789ABCDEF_FEDCBA9876543210, 128)
>>> forms = {writing.encoding: writing for writing in writings(number)}
>>> hex(bits_of(forms["be"], 0, 2)), hex(bits_of(forms["hex"], 30, 2)), hex(bits_of(forms["be32w"], 0, 4))
('0xffff0000000000000000000000000000', '0xff', '0xffffffff000000000000000000000000')
"""

from __future__ import annotations

from immure.redact.prove.writings import LAYOUTS, Digits, Writing


def bits_of(writing: Writing, at: int, length: int) -> int:
    """The bits of the number, as a mask, that ``length`` bytes of ``writing`` from ``at`` on tell.

    Of decimal digits, and of text with ends of lines in it, it is only known how many bits they tell; so many
    are taken about where they stand.
    """
    layout = LAYOUTS.get(writing.encoding)
    if layout is not None:
        mask = _of_digits(layout, len(writing.data) // layout.size, at, length)
    elif writing.char_bits:
        mask = _of_text(writing, at, length)
    else:
        mask = _by_share(writing, at, length)
    return mask & (1 << writing.number.bits) - 1


def _of_digits(layout: Digits, digits: int, at: int, length: int) -> int:
    mask = 0
    for position in range(at, at + length):
        digit, byte = divmod(position, layout.size)
        if layout.high_first:
            digit = digits - 1 - digit
        if layout.big:
            byte = layout.size - 1 - byte
        low, high = max(0, 8 * byte - layout.shift), min(layout.bits, 8 * byte + 8 - layout.shift)
        if low < high:
            mask |= (1 << high - low) - 1 << layout.bits * digit + low
    return mask


def _of_text(writing: Writing, at: int, length: int) -> int:
    """The first bit of a text is the number's highest; of bytes it is the highest of the first byte."""
    number, size = writing.number, writing.char_bytes
    first, last = -(-at // size), (at + length) // size  # whole characters
    start = max(0, writing.first_bit + writing.char_bits * first)
    stop = min(number.bits, writing.first_bit + writing.char_bits * last)
    if stop <= start:
        return 0
    mask = (1 << stop - start) - 1 << number.bits - stop
    if number.is_bytes:
        mask = int.from_bytes(mask.to_bytes(number.bits // 8, "big"), "little")
    return mask


def _by_share(writing: Writing, at: int, length: int) -> int:
    bits, size = writing.number.bits, len(writing.data)
    start, stop = bits * at // size, bits * (at + length) // size
    return (1 << stop - start) - 1 << bits - stop
