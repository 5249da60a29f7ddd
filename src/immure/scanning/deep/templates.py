"""Where the numbers of a key stand beside its modulus, in encodings that keep them side by side.

The modulus is public, so its place is found even where headers are gone, and from it follow the places of all
other
numbers: in an RSAPrivateKey (RFC 8017, appendix A.1.2) but for the few lengths that an INTEGER may have, in
the blobs of CNG and CryptoAPI exactly. What was erased there is seen by its look only: four or more equal
bytes side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from immure.keymaterial.key import RsaNumbers
from immure.scanning.deep.multipliers import NUMBERS, KnownBits

#: Equal bytes side by side that are taken for erased. Of random numbers four in a row are once in 2^24
#: places.
ERASED_BYTES: Final = 4
Order = Literal["big", "little"]


@dataclass(frozen=True, slots=True)
class Field:
    """A number, ``at`` bytes behind the beginning of the modulus (or before, if negative)."""

    name: str
    at: int
    length: int
    order: Order


@dataclass(frozen=True, slots=True)
class Template:
    """One way in which numbers stand around a modulus.

    Attributes:
        encoding: its name.
        order: of the bytes of the modulus.
        fields: the secret numbers.
        fixed: bytes that are known, by place.
    """

    encoding: str
    order: Order
    fields: tuple[Field, ...]
    fixed: tuple[tuple[int, bytes], ...]

    @property
    def extent(self) -> tuple[int, int]:
        """From where to where it reaches, counted from the beginning of the modulus."""
        starts = [field.at for field in self.fields] + [at for at, _ in self.fixed]
        return min(starts), max(field.at + field.length for field in self.fields)

    def agreement(self, data: bytes, erased: bytes, base: int) -> int | None:
        """Bytes of ``fixed`` that are there; None if other bytes are. ``base`` is where the modulus begins in
        ``data``."""
        count = 0
        for at, wanted in self.fixed:
            for index, byte in enumerate(wanted, base + at):
                if not 0 <= index < len(data) or erased[index]:
                    continue
                if data[index] != byte:
                    return None
                count += 1
        return count

    def known(self, data: bytes, erased: bytes, base: int) -> dict[str, KnownBits]:
        """What is known of each number."""
        result = {}
        for field in self.fields:
            value = mask = 0
            for index in range(field.length):
                place = base + field.at + index
                shift = 8 * (index if field.order == "little" else field.length - 1 - index)
                if 0 <= place < len(data) and not erased[place]:
                    value |= data[place] << shift
                    mask |= 255 << shift
            result[field.name] = KnownBits(value, mask)
        return result


def erased_bytes(data: bytes) -> bytes:
    """A one for each byte that looks erased."""
    marks = bytearray(len(data))
    start = 0
    for at in range(1, len(data) + 1):
        if at == len(data) or data[at] != data[start]:
            if at - start >= ERASED_BYTES:
                marks[start:at] = b"\1" * (at - start)
            start = at
    return bytes(marks)


def templates(public: RsaNumbers) -> list[Template]:
    """All ways in which the numbers of this key may stand around its modulus."""
    return [*_pkcs1(public), *_blobs(public)]


def total_bits(known: Mapping[str, KnownBits]) -> int:
    """Bits that are known, of the numbers that a key is rebuilt from."""
    return sum(bits.mask.bit_count() for name, bits in known.items() if name in NUMBERS)


def _pkcs1(public: RsaNumbers) -> Iterator[Template]:
    size, half = _sizes(public)
    head = b"\x02\x01\x00" + _header(size + 1) + b"\0"
    sign = public.n.bit_length() % 8 == 0
    if not sign:
        head = b"\x02\x01\x00" + _header(size)
    e = public.e.to_bytes(public.e.bit_length() // 8 + 1, "big")
    for d, dp, dq in product(
        (size, size + 1, size - 1), (half, half + 1, half - 1), (half, half + 1, half - 1)
    ):
        # p has its highest bit set, so a zero stands before it; of the others each length may be
        lengths = {"d": d, "p": half + 1, "q": half + 1, "dp": dp, "dq": dq}
        fields: list[Field] = []
        after = _header(len(e)) + e
        fixed: list[tuple[int, bytes]] = [(-len(head), head), (size, after)]
        at = size + len(after)
        for name, length in lengths.items():
            header = _header(length)
            fixed.append((at, header))
            fields.append(Field(name, at + len(header), length, "big"))
            at += len(header) + length
        yield Template("pkcs1-der", "big", tuple(fields), tuple(fixed))


def _blobs(public: RsaNumbers) -> Iterator[Template]:
    size, half = _sizes(public)
    bits = public.n.bit_length()
    e = public.e.to_bytes((public.e.bit_length() + 7) // 8, "big")
    words = [word.to_bytes(4, "little") for word in (bits, len(e), size, half, half)]
    yield Template(
        "cng-blob", "big", _side_by_side(size, half, "big"), ((-24 - len(e), b"RSA3" + b"".join(words) + e),)
    )
    if public.e < 1 << 32:
        head = b"RSA2" + bits.to_bytes(4, "little") + public.e.to_bytes(4, "little")
        yield Template("capi-blob", "little", _side_by_side(size, half, "little"), ((-12, head),))


def _side_by_side(size: int, half: int, order: Order) -> tuple[Field, ...]:
    """Behind n: p, q, dp, dq, qInv, d (BCRYPT_RSAFULLPRIVATE_BLOB, PRIVATEKEYBLOB)."""
    primes = [
        Field(name, size + half * index, half, order) for index, name in enumerate(("p", "q", "dp", "dq"))
    ]
    return (*primes, Field("d", size + 5 * half, size, order))


def _sizes(public: RsaNumbers) -> tuple[int, int]:
    return (public.n.bit_length() + 7) // 8, (public.n.bit_length() + 15) // 16


def _header(length: int) -> bytes:
    """Tag and length of an INTEGER (X.690, section 8.1.3)."""
    if length < 128:
        return bytes((2, length))
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((2, 128 + len(digits))) + digits
