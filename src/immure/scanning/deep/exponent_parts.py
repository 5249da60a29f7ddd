"""Private exponents of which one end was overwritten, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.decode import decode
from immure.scanning.deep.exponents import (
    MOST_E_BITS,
    TOP_BITS,
    BottomOfExponent,
    TopOfExponent,
)
from immure.scanning.deep.parts import LONGEST_RUN, Gathered, Part, all_parts, edge_parts
from immure.scanning.deep.rebuilt import Place, Rebuilt, encoded
from immure.scanning.deep.work import Work
from immure.scanning.finding import Partial
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import Proof, prove_prime

#: Work of one attempt in units, and of completing what is the top of d for certain.
_WORK: Final = 1
_COMPLETING: Final = 500


class ExponentParts:
    """Looks for parts of private exponents of keys whose moduli have ``bits`` bits, a multiple of 64.

    The lowest part is enough; of the highest, more is needed than these bytes: the rest is read from the
    image. If that is not enough, the part is kept in ``fragments``: (key, place, layout, bits).
    """

    def __init__(self, keys: Sequence[RsaNumbers], bits: int, *, everywhere: bool, words: bool) -> None:
        self._keys = [
            (key, TopOfExponent(key), BottomOfExponent(key))
            for key in keys
            if key.e.bit_length() <= MOST_E_BITS
        ]
        self.too_great = len(keys) - len(self._keys)
        self._bits = bits
        self._purpose = f"private exponents of {bits} bits of which an end is left"
        self._width = max((bottom.bits for _, _, bottom in self._keys), default=0) // 8
        self._everywhere = everywhere
        self._layouts = ("le64", "be", "be32w") if words else ("le64", "be")
        self._gathered = Gathered()
        self.fragments: list[tuple[RsaNumbers, Place, str, int]] = []

    def examine(self, space: Workspace, chunk: Chunk) -> list[Part]:
        """What of the chunk in the workspace may be an end of an exponent; by any thread."""
        if not self._keys or 8 * self._width >= self._bits:
            return []
        if self._everywhere:
            return list(all_parts(space, chunk, self._width, space.loose))
        return list(edge_parts(space, chunk, self._width, LONGEST_RUN * self._bits // 16))

    def take(self, examined: Sequence[Part]) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        self._gathered.add(examined)

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered."""
        purpose = self._purpose
        work.budget.skip(self._gathered.dropped, purpose)
        for key, top, bottom in self._keys:
            if key in work.done:
                continue
            tops: list[tuple[RsaNumbers, Place, str, int]] = []
            for part in self._gathered:
                if not work.budget.spend(_WORK, purpose):
                    continue
                found = self._try(key, top, bottom, part, work, tops)
                if found is not None:
                    yield found
                    break
            else:
                self.fragments += tops

    def _try(
        self,
        key: RsaNumbers,
        top: TopOfExponent,
        bottom: BottomOfExponent,
        part: Part,
        work: Work,
        tops: list[tuple[RsaNumbers, Place, str, int]],
    ) -> Rebuilt | None:
        reader = work.reader
        for layout in self._layouts:
            value = decode(part.data, layout)
            # the lowest byte stands first in little-endian numbers only
            low_at_start = layout == "le64"
            if part.first if low_at_start else part.last:
                prime = bottom.factor(value % (1 << bottom.bits)) if value & 1 else None
                if prime is not None:
                    return self._rebuilt(key, prime, Place(reader, part, low_at_start), layout, "low-half")
            if part.last if low_at_start else part.first:
                place = Place(reader, part, not low_at_start)
                is_top = top.is_top(value >> 8 * len(part.data) - TOP_BITS)
                if is_top and work.budget.spend(_COMPLETING, self._purpose):
                    prime, known = self._complete(top, place, layout)
                    if prime is not None:
                        return self._rebuilt(key, prime, place, layout, "high-part")
                    if known >= TOP_BITS:
                        tops.append((key, place, layout, known))
        return None

    def _complete(self, top: TopOfExponent, place: Place, layout: str) -> tuple[int | None, int]:
        """A prime, and how many bits of d are there if there is none."""
        data = place.around(self._bits // 8)
        if len(data) < self._bits // 8:
            return None, 8 * len(place.part.data)
        value = decode(data, layout)
        missing = top.most_missing
        prime = top.factor(value >> missing << missing, missing)
        known = max(
            (
                place.known_bits(encoded(top.upper_half(*way), layout, self._bits // 8))
                for way in top.multiples(value)
            ),
            default=0,
        )
        return prime, known

    def _rebuilt(self, key: RsaNumbers, prime: int, place: Place, layout: str, method: str) -> Rebuilt | None:
        proof = prove_prime(key, prime, "prime", place.part.offset)
        if proof is None:
            return None
        known = _known_bits(proof, place, layout, self._bits)
        words = f"{known} of the {self._bits} bits of d are there; the others follow, and p·q = n"
        partial = Partial("d", known, self._bits, rebuilt=True, method=method)
        return Rebuilt(replace(proof, words=words, secret="d"), partial)


def _known_bits(proof: Proof, place: Place, layout: str, bits: int) -> int:
    """Of d modulo φ or modulo λ, whichever it is."""
    from immure.keymaterial.encodings import secret_numbers

    if proof.private is None:
        return 0
    numbers = secret_numbers(proof.private)
    values = [numbers[name] for name in ("d", "d_lambda") if name in numbers]
    return max(
        place.known_bits(encoded(value, layout, bits // 8)) for value in values if isinstance(value, int)
    )
