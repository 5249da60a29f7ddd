"""CRT exponents that stand alone: dp = d mod (p − 1) gives p away.

e·dp = 1 + k·(p − 1), so 2^(e·dp − 1) = 1 modulo p, and p divides 2^(e·dp − 1) − 1 and n. That costs an
exponentiation for each candidate, so only runs are tried that are as long as the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import gcd
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import RsaPrivate
from immure.scanning.chunks import Chunk
from immure.scanning.decode import decode
from immure.scanning.deep.lattice import Stretch
from immure.scanning.deep.parts import Gathered, Part, edge_parts
from immure.scanning.deep.rebuilt import Rebuilt
from immure.scanning.deep.work import Work
from immure.scanning.finding import Partial
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import prove_prime

#: Work of one attempt for a modulus of 2,048 bits, in units.
_WORK: Final = 20
#: Bytes that a run may be longer than the number.
_SLACK_BYTES: Final = 16


def prime_of_crt_exponent(public: RsaNumbers, value: int) -> int | None:
    """p, if ``value`` is d mod (p − 1)."""
    from flint import fmpz

    n = fmpz(public.n)
    power = pow(fmpz(2), fmpz(public.e * value - 1), n)
    factor = gcd(int(power) - 1, public.n)
    return factor if 1 < factor < public.n else None


def prime_of_damaged_crt_exponent(
    public: RsaNumbers, known: int, low: int, unknown: int, dimension: int = 3
) -> int | None:
    """p, if ``known`` is d mod (p − 1) but for ``unknown`` bits from bit ``low`` on (zero in ``known``).

    Every k below e is tried, a lattice for each: for e = 65,537 that takes seconds (Blömer and May, "New
    partial key exposure attacks on RSA", CRYPTO 2003). So it is not part of a scan."""
    n, e = public.n, public.e
    stretch = Stretch(n, low, unknown, dimension)
    inverse = pow(e, -1, n)
    for k in range(1, e):
        # e·dp + k − 1 = k·p, so dp + (k − 1)/e is a multiple of p modulo n
        for value in stretch.candidates(known, (k - 1) * inverse % n):
            factor = gcd(e * value + k - 1, n)
            if 1 < factor < n:
                return factor
    return None


class CrtExponents:
    """Looks for dp and dq of keys whose primes have ``bits`` bits, a multiple of 64."""

    def __init__(self, keys: Sequence[RsaNumbers], bits: int, *, words: bool) -> None:
        self._keys = list(keys)
        self._bits = bits
        self._layouts = ("le64", "be", "be32w") if words else ("le64", "be")
        self._gathered = Gathered()

    def examine(self, space: Workspace, chunk: Chunk) -> list[Part]:
        """Runs of the chunk in the workspace that may be one; by any thread."""
        width = self._bits // 8
        return list(edge_parts(space, chunk, width, width + _SLACK_BYTES))

    def take(self, examined: Sequence[Part]) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        self._gathered.add(examined)

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered."""
        purpose = f"CRT exponents of {self._bits} bits without a prime"
        work.budget.skip(self._gathered.dropped, purpose)
        units = max(1, round(_WORK * (2 * self._bits / 2048) ** 3))
        for key in self._keys:
            if key in work.done:
                continue
            for part, value in self._candidates():
                if not work.budget.spend(units, purpose):
                    continue
                prime = prime_of_crt_exponent(key, value)
                if prime is not None and (found := self._rebuilt(key, prime, value, part)):
                    yield found
                    break

    def _candidates(self) -> Iterator[tuple[Part, int]]:
        for part in self._gathered:
            for layout in self._layouts:
                value = decode(part.data, layout)
                if value & 1:  # p − 1 is even, and e odd
                    yield part, value

    def _rebuilt(self, key: RsaNumbers, prime: int, value: int, part: Part) -> Rebuilt | None:
        proof = prove_prime(key, prime, "prime", part.offset)
        if proof is None or not isinstance(proof.private, RsaPrivate):
            return None
        secret = "dp" if value == proof.private.dp.reveal() else "dq"
        words = f"2^(e·{secret} − 1) − 1 and n have a prime of {self._bits} bits in common"
        bits = value.bit_length()
        partial = Partial(secret, bits, bits, rebuilt=True, method="exponent")
        return Rebuilt(replace(proof, words=words, secret=secret), partial)
