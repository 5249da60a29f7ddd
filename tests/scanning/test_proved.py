"""Which proof of a key is kept, and that the sweeps are told once."""

from __future__ import annotations

from itertools import permutations

import pytest

from immure.scanning.occurrences import Sweeps
from immure.scanning.proofs import Proof, prove_prime
from immure.scanning.proved import Proved

from .material import private, public


class Told(Sweeps):
    """Notes what it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Proof] = []

    def add(self, proof: Proof) -> None:
        self.told.append(proof)
        super().add(proof)


def proof_at(offset: int) -> Proof:
    numbers = public("RSA-1024").numbers
    made = prove_prime(numbers, private("RSA-1024").p.reveal(), "prime", offset)  # type: ignore[arg-type, union-attr]
    assert made is not None
    return made


@pytest.mark.parametrize("order", list(permutations([16, 8, 4096])))
def test_the_order_of_proofs_makes_no_difference(order: tuple[int, ...]) -> None:
    sweeps = Told()
    proved = Proved(sweeps)
    proved.add(proof_at(offset) for offset in order)
    [(numbers, kept)] = proved.items()
    assert (numbers, kept.offset) == (public("RSA-1024").numbers, 8)
    assert numbers in proved
    assert public("P-256").numbers not in proved
    assert len(sweeps.told) == 1
