"""How numbers stand in memory and in text, and how short a part of each still counts.

>>> from immure.redact.prove.arithmetic import Number
>>> number = Number("p", 0x0123456789ABCDEF_FEDCBA9876543210, 128)
>>> {writing.encoding: writing.data.hex() for writing in writings(number)}["be32w"]
'67452301efcdab8998badcfe10325476'

**Which parts count.** Fifteen bytes of a number as it is hold 120 bits of it; so a part counts in any
encoding if it holds 120 bits or more (:data:`LEAST`). Odds of a false find: an image of 2^40 bytes, compared
at every byte with all parts of a key, of which there are fewer than 2^19 (some 600 strings of some 300 bytes
on average), agrees with one of them by chance with odds of 2^40 · 2^19 / 2^120 = 2^-61. Texts could not do
with fewer bytes: eight hexadecimal digits, the 32 bits in a window, agree 2^40 · 2^19 / 2^32 times. A shorter
part does not make a report wrong either, for it is counted as residue where eight bytes are enough to tell
(:mod:`immure.redact.prove.residue`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from immure.redact.prove.arithmetic import Number


@dataclass(frozen=True, slots=True)
class Digits:
    """A layout of digits: ``bits`` per digit, ``size`` bytes per digit, whether the most significant digit
    comes first, whether the most significant byte of a digit does, and by how many bits a digit is shifted
    up in its bytes."""

    bits: int
    size: int
    high_first: bool = False
    big: bool = False
    shift: int = 0


#: ``le``: bytes, the least significant first: limbs of 32 and 64 bits. ``be``: the most significant first.
#: ``be32w``, ``be64w``: words, the most significant first, on little-endian machines; ``le32s``, ``le64s``:
#: the least significant first, on big-endian ones. ``py30``: CPython. ``smi28``: small integers of V8.
#: ``limb52``: AVX-512 code.
LAYOUTS: Final = {
    "le": Digits(8, 1),
    "be": Digits(8, 1, high_first=True),
    "be32w": Digits(32, 4, high_first=True),
    "be64w": Digits(64, 8, high_first=True),
    "le32s": Digits(32, 4, big=True),
    "le64s": Digits(64, 8, big=True),
    "py30": Digits(30, 4),
    "smi28": Digits(28, 8, shift=32),
    "limb52": Digits(52, 8),
}
#: Of these a single word of eight bytes, at an offset that 8 divides, counts as residue.
BY_WORDS: Final = ("le", "be")
#: Of bytes that are no number.
_PLAIN: Final = ("le", "be", "be32w")
#: Bytes of the shortest part that counts: 120 bits by the bits that a byte holds on average (of 52-bit digits
#: some more, for these have zeros side by side).
LEAST: Final = {
    "le": 15, "be": 15, "be32w": 15, "be64w": 15, "le32s": 15, "le64s": 15,  # 8 bits in a byte
    "py30": 16,  # 7.5
    "limb52": 24,  # 6.5
    "smi28": 35,  # 3.5
    "base64": 20,  # 6
    "lines": 22,  # 6, and two bytes for the end of a line
    "hex": 30,  # 4
    "decimal": 37,  # 3.32
    "utf16le": 30,  # 4: the characters of a secret
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writing:
    """A number in an encoding.

    Attributes:
        least: bytes of the shortest part of ``data`` that counts; all of them, if they are fewer.
        by_words: single words count as residue.
        char_bits, first_bit: of text, bits in a character, and where (from the top of the number) the first
            one's begin, which may be before it; 0 bits if characters are not bits.
        char_bytes: 2 of UTF-16.
    """

    number: Number
    encoding: str
    data: bytes
    least: int
    by_words: bool = False
    char_bits: int = 0
    first_bit: int = 0
    char_bytes: int = 1

    def __repr__(self) -> str:
        return f"Writing({self.number.name!r}, {self.encoding!r}, {len(self.data)} bytes)"


def writings(number: Number) -> Iterator[Writing]:
    """Every way to write a number."""
    if number.words_only:
        for name in BY_WORDS:
            data = _digits(number.value, number.bits, LAYOUTS[name])
            yield Writing(number, name, data, len(data), by_words=True)
        return
    for name, layout in LAYOUTS.items():
        if number.plain and name not in _PLAIN:
            continue
        data = _digits(number.value, number.bits, layout)
        if name == "le" and not number.is_bytes:
            data += bytes(-len(data) % 8)  # as limbs
        yield Writing(number, name, data, min(LEAST[name], len(data)), name in BY_WORDS)
    if number.is_bytes and (raw := in_order(number)).isascii():
        yield _wide(Writing(number, "raw", raw, min(LEAST["utf16le"] // 2, len(raw))))
    for text in _texts(number):
        yield text
        yield _wide(text)


def _digits(value: int, bits: int, layout: Digits) -> bytes:
    count = -(-max(bits, value.bit_length()) // layout.bits)
    if layout.bits == 8 * layout.size:
        return _whole_bytes(value.to_bytes(count * layout.size, "little"), layout)
    mask = (1 << layout.bits) - 1
    digits = [(value >> layout.bits * place & mask) << layout.shift for place in range(count)]
    return b"".join(digit.to_bytes(layout.size, "little") for digit in digits)


def _whole_bytes(little: bytes, layout: Digits) -> bytes:
    """Digits of 8, 32 or 64 bits, from the number's bytes; quicker, for secrets may be long."""
    size = layout.size
    data = (
        little[::-1] if layout.high_first else little
    )  # the digits in order, but each reversed, if high first
    if layout.big == layout.high_first:
        return data
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


def in_order(number: Number) -> bytes:
    """The bytes that texts are made of: of a number the most significant first, of bytes as they are."""
    width = -(-max(number.bits, number.value.bit_length()) // 8)
    return number.value.to_bytes(width, "little" if number.is_bytes else "big")


def _texts(number: Number) -> Iterator[Writing]:
    data = in_order(number)
    extra = 8 * len(data) - number.bits  # zeros above the number
    digits = data.hex().encode()
    for name, text in (("hex", digits), ("hex-upper", digits.upper())):
        yield Writing(number, name, text, min(LEAST["hex"], len(text)), False, 4, -extra)
    to_url = bytes.maketrans(b"+/", b"-_")
    for before in range(3):
        begin = -(-8 * before // 6)
        text = base64.b64encode(bytes(before) + data)[begin : 8 * (before + len(data)) // 6]
        least, first = min(LEAST["base64"], len(text)), 6 * begin - 8 * before - extra
        yield Writing(number, f"base64-{before}", text, least, False, 6, first)
        if (other := text.translate(to_url)) != text:
            yield Writing(number, f"base64url-{before}", other, least, False, 6, first)
    if not number.is_bytes or number.name.startswith("scalar"):
        text = decimal(number.value)
        yield Writing(number, "decimal", text, min(LEAST["decimal"], len(text)))


def _wide(text: Writing) -> Writing:
    """The same as UTF-16LE."""
    data = text.data.decode("ascii").encode("utf-16-le")
    return Writing(
        text.number,
        f"{text.encoding}-utf16le",
        data,
        2 * text.least,
        False,
        text.char_bits,
        text.first_bit,
        2,
    )


def decimal(value: int) -> bytes:
    """Decimal digits; CPython refuses to print numbers of more than 4,300 of them in one go."""
    if value.bit_length() < 8192:
        return str(value).encode()
    half = value.bit_length() * 3 // 20  # about half of the digits
    high, low = divmod(value, 10**half)
    return decimal(high) + decimal(low).rjust(half, b"0")
