"""The keys of an image that are proved so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from immure.keymaterial.key import Numbers
from immure.scanning.occurrences import Sweeps
from immure.scanning.proofs import Proof


class Proved:
    """The best proof of each key. The sweeps are told of every key whose private numbers become known."""

    def __init__(self, sweeps: Sweeps) -> None:
        self._sweeps = sweeps
        self._proofs: dict[Numbers, Proof] = {}

    def add(self, proofs: Iterable[Proof]) -> None:
        """Take what was proved, in any order: which proof is kept does not depend on it."""
        for proof in proofs:
            known = self._proofs.get(proof.public)
            if known is None or proof.rank < known.rank:
                self._proofs[proof.public] = proof
                if known is None or (known.private is None and proof.private is not None):
                    self._sweeps.add(proof)

    def __contains__(self, numbers: Numbers) -> bool:
        return numbers in self._proofs

    def items(self) -> Iterator[tuple[Numbers, Proof]]:
        """Keys with their proofs."""
        return iter(self._proofs.items())
