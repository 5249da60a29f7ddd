"""RSA primes and private exponents, in every layout in which runtimes keep big integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.scanning.batch import Batch
from immure.scanning.chunks import Chunk
from immure.scanning.decode import decode
from immure.scanning.detectors import Detector, Examined
from immure.scanning.detectors.fields import Fields, java_heads
from immure.scanning.kernels.rsa import Exponents, Moduli, rsa_exponents, rsa_primes, rsa_width
from immure.scanning.kernels.workspace import Runs, Windows, Workspace
from immure.scanning.plan import Plan, loose_runs, windows
from immure.scanning.proofs import Proof, prove_exponent, prove_prime

#: Layouts besides aligned ``le64``, and the step in bytes at which their windows are visited. Runtimes align
#: word arrays to words; byte strings stand anywhere. (``le64`` at every byte costs as much as ``be`` and
#: keeps findings independent of alignment.)
LAYOUT_STEPS: Final[dict[str, int]] = {"be": 1, "le64": 1, "be32w": 4, "be64w": 8, "py30": 4, "smi28": 8}
#: Up to this many keys each candidate is divided into each modulus; beyond, candidates are batched.
DIRECT_KEYS: Final = 48


class PrimeDetector(Detector):
    """Primes of moduli whose primes have ``bits`` bits, in one layout.

    Args:
        secret: what a hit proves: ``prime``, or ``r`` for the layout ``negated``.
        visited: the windows to visit, if not those of the plan.
    """

    def __init__(
        self,
        keys: Sequence[RsaNumbers],
        bits: int,
        layout: str,
        step: int,
        plan: Plan,
        family: str,
        secret: str = "prime",
        visited: Windows | None = None,
    ) -> None:
        self.name = "montgomery" if secret == "r" else "rsa"
        self.family = family
        self._tier = plan.tier(family)
        self._keys = list(keys)
        self._layout = layout
        self._windows = visited or windows(self._tier, step)
        #: Bytes of a window.
        self.width = rsa_width(layout, bits)
        self._secret = secret
        many = len(self._keys) > DIRECT_KEYS
        self._moduli = Moduli([] if many else [key.n for key in self._keys], bits)
        self._batch = Batch([key.n for key in self._keys]) if many else None
        self._proved: dict[tuple[int, int], Proof] = {}

    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Look at one chunk."""
        sparse = self._layout in ("py30", "smi28")
        return self.examine_runs(space, chunk, loose_runs(space, self._tier, self.width, sparse=sparse))

    def examine_runs(self, space: Workspace, chunk: Chunk, runs: Runs) -> Examined:
        """Look at given runs of one chunk."""
        result = Examined()
        for at, index in rsa_primes(space, runs, self._layout, self._moduli, self._windows):
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop:
                continue
            value = decode(bytes(space.view[at : at + self.width]), self._layout)
            if index < 0:
                result.queued.append((value, offset))
            elif proof := self._prove(index, value, offset):
                result.proofs.append(proof)
        return result

    def _prove(self, index: int, value: int, offset: int) -> Proof | None:
        """Copies of a number are proved once: in some heaps they stand in thousands of places."""
        known = self._proved.get((index, value))
        if known is not None:
            return replace(known, offset=offset)
        proof = prove_prime(self._keys[index], value, self._secret, offset)
        if proof is not None:
            self._proved[index, value] = proof
        return proof

    def settle(self, queued: list[tuple[int, int]]) -> list[Proof]:
        """Batch the candidates."""
        if self._batch is None:
            return []
        batch = self._batch
        return self._proofs([hit for value, offset in queued for hit in batch.add(value, offset)])

    def finish(self) -> list[Proof]:
        """Test the last batch."""
        return self._proofs(self._batch.flush()) if self._batch is not None else []

    def _proofs(self, hits: list[tuple[int, int, int]]) -> list[Proof]:
        proofs = (prove_prime(self._keys[key], factor, self._secret, offset) for offset, key, factor in hits)
        return [proof for proof in proofs if proof is not None]


class ExponentDetector(Detector):
    """Private exponents, by their top 64 bits."""

    name = "rsa"
    family = "layouts"

    def __init__(
        self,
        keys: Sequence[RsaNumbers],
        bits: int,
        layout: str,
        step: int,
        plan: Plan,
        visited: Windows | None = None,
    ) -> None:
        self._keys = list(keys)
        self._layout = layout
        self._tier = plan.tier(self.family)
        self._windows = visited or windows(self._tier, step)
        self._exponents = Exponents([(key.n, key.e) for key in keys])
        #: Bytes of a window.
        self.width = self._exponents.width

    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Look at one chunk."""
        return self.examine_runs(space, chunk, loose_runs(space, self._tier, self.width))

    def examine_runs(self, space: Workspace, chunk: Chunk, runs: Runs) -> Examined:
        """Look at given runs of one chunk."""
        result = Examined()
        for at, index in rsa_exponents(space, runs, self._layout, self._exponents, self._windows):
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop:
                continue
            value = decode(bytes(space.view[at : at + self.width]), self._layout)
            if proof := prove_exponent(self._keys[index], value, offset):
                result.proofs.append(proof)
        return result


class FieldDetector(Detector):
    """Primes and private exponents that stand behind their length in a Java heap dump, where nothing is
    aligned."""

    name = "rsa"
    family = "layouts"

    def __init__(self, keys: Sequence[RsaNumbers], bits: int, plan: Plan) -> None:
        self._primes = PrimeDetector(keys, bits, "be", 1, plan, self.family)
        self._exponents = ExponentDetector(keys, bits, "be", 1, plan)
        self._searches = [
            (detector, detector.width, Fields([detector.width], java_heads, everywhere=True))
            for detector in (self._primes, self._exponents)
        ]

    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Look at one chunk."""
        base, result = chunk.read_start, Examined()
        for detector, width, fields in self._searches:
            starts = fields.find(space, chunk.start - base, chunk.stop - base)
            runs = Runs(len(starts))
            runs.set([(at, at + width) for at in starts if at + width <= space.length])
            examined = detector.examine_runs(space, chunk, runs)
            result.proofs += examined.proofs
            result.queued += examined.queued
        return result

    def settle(self, queued: list[tuple[int, int]]) -> list[Proof]:
        """Batch the candidates."""
        return self._primes.settle(queued)

    def finish(self) -> list[Proof]:
        """Test the last batch."""
        return self._primes.finish()
