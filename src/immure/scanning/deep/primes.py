"""Primes of which one end was overwritten, by lattice reduction.

A part of K bytes that looks random, at an end of a run, is taken for the top of a prime, or for its bottom,
in each layout. One lattice tries every shorter damage as well, because bits that are taken for unknown may be
known. Runs that are longer than K bytes are tried with the smallest lattice only; those that are shorter, but
not by much, with the larger ones, which need fewer bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.decode import decode
from immure.scanning.deep.lattice import Stretch, reach
from immure.scanning.deep.parts import (
    LONGEST_RUN,
    Gathered,
    Part,
    all_parts,
    edge_parts,
    short_parts,
)
from immure.scanning.deep.rebuilt import Place, Rebuilt, encoded
from immure.scanning.deep.work import Work
from immure.scanning.finding import Partial
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import prove_prime

#: Work of one attempt in units, by dimension: with the top known, and with the bottom, where numbers are
#: longer. With the bottom known, the largest lattice takes a second: that is not tried.
_WORK: Final[dict[int, tuple[int, int | None]]] = {3: (2, 5), 5: (14, 64), 11: (250, None)}
#: Bytes that a run may be longer than the part, for the larger lattices.
_SLACK_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One size of lattice: it needs ``width`` bytes of the prime."""

    dimension: int
    width: int


def steps_for(bits: int) -> list[Step]:
    """What is tried for primes of ``bits`` bits: the smallest lattice first; a larger one if it needs at
    least a word less."""
    steps: list[Step] = []
    for dimension in _WORK:
        known = bits - reach(2 * bits, dimension)
        width = (known + 63) // 64 * 8
        if not steps or width < steps[-1].width:
            steps.append(Step(dimension, width))
    return steps


class PrimeParts:
    """Looks for the primes of keys whose primes have ``bits`` bits, a multiple of 64."""

    def __init__(self, keys: Sequence[RsaNumbers], bits: int, *, everywhere: bool, words: bool) -> None:
        self._keys = list(keys)
        self._bits = bits
        self._everywhere = everywhere
        self._layouts = ("le64", "be", "be32w") if words else ("le64", "be")
        self._steps = steps_for(bits)
        self._gathered = {step: Gathered() for step in self._steps}

    def examine(self, space: Workspace, chunk: Chunk) -> list[tuple[Step, list[Part]]]:
        """What of the chunk in the workspace may be an end of a prime; by any thread."""
        return [(step, list(self._parts(space, chunk, step))) for step in self._steps]

    def _parts(self, space: Workspace, chunk: Chunk, step: Step) -> Iterator[Part]:
        if step is not self._steps[0]:
            if step.dimension > 5:
                return short_parts(space, chunk, step.width)
            return edge_parts(space, chunk, step.width, step.width + _SLACK_BYTES)
        if self._everywhere:
            return all_parts(space, chunk, step.width, space.loose)
        return edge_parts(space, chunk, step.width, LONGEST_RUN * self._bits // 8)

    def take(self, examined: Sequence[tuple[Step, list[Part]]]) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        for step, parts in examined:
            self._gathered[step].add(parts)

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered, cheapest first; each key that is proved, once."""
        for step, gathered in self._gathered.items():
            purpose = (
                f"primes of {self._bits} bits of which {8 * step.width} are left"
                f" (lattices of dimension {step.dimension})"
            )
            work.budget.skip(gathered.dropped, purpose)
            for low_known in (False, True):
                for key in self._keys:
                    if key not in work.done and _WORK[step.dimension][low_known] is not None:
                        found = self._solve(key, step, gathered, low_known, work, purpose)
                        if found is not None:
                            yield found

    def _solve(
        self,
        key: RsaNumbers,
        step: Step,
        gathered: Gathered,
        low_known: bool,
        work: Work,
        purpose: str,
    ) -> Rebuilt | None:
        known, size = 8 * step.width, (2 * self._bits / 2048) ** 2
        unknown = self._bits - known
        stretch = Stretch(key.n, known if low_known else 0, unknown, step.dimension)
        units = max(1, round((_WORK[step.dimension][low_known] or 0) * size))
        for part in gathered:
            for layout in self._layouts:
                # the lowest byte stands first in little-endian numbers only
                at_start = low_known == (layout == "le64")
                if not (part.first if at_start else part.last):
                    continue
                value = decode(part.data, layout)
                if not (value & 1 if low_known else value >> known - 1):
                    continue
                if not work.budget.spend(units, purpose):
                    continue
                prime = stretch.factor(value if low_known else value << unknown)
                if prime is not None and (
                    found := self._rebuilt(key, prime, Place(work.reader, part, at_start), layout, step)
                ):
                    return found
        return None

    def _rebuilt(self, key: RsaNumbers, prime: int, place: Place, layout: str, step: Step) -> Rebuilt | None:
        proof = prove_prime(key, prime, "prime", place.part.offset)
        if proof is None:
            return None
        known = place.known_bits(encoded(prime, layout, self._bits // 8))
        words = (
            f"{known} of the {self._bits} bits of {proof.secret} are there; the others follow (lattice of"
            f" dimension {step.dimension}), and {proof.secret} divides n"
        )
        partial = Partial(proof.secret, known, self._bits, rebuilt=True, method=f"lattice-{step.dimension}")
        return Rebuilt(replace(proof, words=words), partial)
