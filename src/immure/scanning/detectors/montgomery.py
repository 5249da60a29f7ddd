"""Montgomery constants: R² mod p gives the prime p away as gcd(R² − x, n), even where p itself was erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.scanning.batch import Batch
from immure.scanning.chunks import Chunk
from immure.scanning.detectors import Detector, Examined
from immure.scanning.kernels.rsa import random_windows
from immure.scanning.kernels.workspace import NEVER_LONG, Workspace
from immure.scanning.plan import Plan, loose_runs, windows
from immure.scanning.proofs import Proof, prove_prime

#: Bytes by which a run may be longer than the number, in the narrowest tier.
SLACK_BYTES: Final = 16


class SquareDetector(Detector):
    """R² mod p for moduli whose primes have ``bits`` bits, R = 2^(64·limbs), as little-endian limbs.

    Such a number has no mark of its own: any window of random-looking bytes may be one. So candidates are
    batched, and of a large image quick mode takes only those in runs that are not much longer: a number in an
    allocation of its own.
    """

    name = "montgomery"
    family = "constants"

    def __init__(self, keys: Sequence[RsaNumbers], bits: int, plan: Plan) -> None:
        limbs = (bits + 63) // 64
        square = 1 << 128 * limbs
        self._keys = list(keys)
        self._square = square
        self._width = 8 * limbs
        self._tier = plan.tier(self.family)
        self._windows = windows(self._tier, 8)
        # a loose run has one word more at both ends; the rest is slack of the allocation
        self._max_run = self._width + SLACK_BYTES if self._tier == "edges" else NEVER_LONG
        self._batch = Batch([key.n for key in keys], lambda value: square - value)

    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Queue the chunk's candidates."""
        result = Examined()
        for at in random_windows(
            space, loose_runs(space, self._tier, self._width), self._width, self._windows, self._max_run
        ):
            offset = chunk.read_start + at
            if chunk.start <= offset < chunk.stop:
                value = int.from_bytes(space.view[at : at + self._width], "little")
                result.queued.append((value, offset))
        return result

    def settle(self, queued: list[tuple[int, int]]) -> list[Proof]:
        """Batch the candidates."""
        batch = self._batch
        return self._proofs([hit for value, offset in queued for hit in batch.add(value, offset)])

    def finish(self) -> list[Proof]:
        """Test the last batch."""
        return self._proofs(self._batch.flush())

    def _proofs(self, hits: list[tuple[int, int, int]]) -> list[Proof]:
        proofs = (prove_prime(self._keys[key], factor, "rr", offset) for offset, key, factor in hits)
        return [proof for proof in proofs if proof is not None]
