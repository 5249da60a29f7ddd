"""What the search for damaged keys gives: a proof of the key, and how much of it there was."""

from __future__ import annotations

from dataclasses import dataclass

from immure.dumps.dump import Reader
from immure.keymaterial import bignum
from immure.scanning.deep.parts import Part
from immure.scanning.deep.templates import erased_bytes
from immure.scanning.finding import Partial
from immure.scanning.proofs import Proof


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A key that was rebuilt from what is left of it.

    Attributes:
        proof: holds the private key.
        partial: how much there was.
        pieces: (offset, length, encoding) of what was there, as far as the sweep may not find it: it wants 16
        bytes.
    """

    proof: Proof
    partial: Partial
    pieces: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part of a number stands: ``at_start`` if it is the beginning of it, as memory has it."""

    reader: Reader
    part: Part
    at_start: bool

    def around(self, width: int) -> bytes:
        """The ``width`` bytes that the whole number took up, damaged as they are; fewer at an end of the
        image."""
        offset = self.part.offset
        if not self.at_start:
            offset += len(self.part.data) - width
        return self.reader.read(max(0, offset), width + min(0, offset))

    def standing(self, width: int) -> tuple[int, int]:
        """(offset, length) of what is left of a number of ``width`` bytes, from the end that is there up to
        the first bytes that look erased; also of what nobody can tell to be of it."""
        data = self.around(width)
        marks = erased_bytes(data if self.at_start else data[::-1]).find(1)
        length = max(len(self.part.data), marks if marks >= 0 else len(data))
        return self.part.offset + (0 if self.at_start else len(self.part.data) - length), length

    def known_bits(self, whole: bytes) -> int:
        """How many bits of the number, whose bytes are ``whole``, are there side by side."""
        data = self.around(len(whole))
        return 8 * (_same(data, whole) if self.at_start else _same(data[::-1], whole[::-1]))


def _same(left: bytes, right: bytes) -> int:
    """Bytes from the beginning on that are the same."""
    return next(
        (at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )


def encoded(number: int, layout: str, width: int) -> bytes:
    """A number of ``width`` bytes in one of the layouts ``le64``, ``be``, ``be32w``."""
    if layout == "le64":
        return number.to_bytes(width, "little")
    data = bignum.be(number, width)
    return data if layout == "be" else b"".join(data[at : at + 4][::-1] for at in range(0, width, 4))
