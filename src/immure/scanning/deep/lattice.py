"""A prime of which a stretch of bits is not known, computed from the others.

Let p divide n and p = a + 2^l·x, where a and l are known and 0 ≤ x < X. Then f(x) = x + a·2^-l has the root x
modulo p, and products of n, f and x have it modulo powers of p. A short integer combination of those, which
the LLL algorithm finds, has x as a root over the integers (Coppersmith, "Small solutions to polynomial
equations, and low exponent RSA vulnerabilities", J. Cryptology 10, 1997; in the form of Howgrave-Graham,
"Finding small roots of univariate modular equations revisited", 1997). Of a prime half as long as n,
dimension 3 computes a third of the bits, dimension 11 0.45 of them; half of them is the limit.

The second scanner of redaction has a lattice of its own, on purpose: it must share no code with this one.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, Final

#: Odd dimensions that may be asked for: what each reaches, and what it costs, grow with it.
DIMENSIONS: Final = (3, 5, 7, 9, 11)
#: Bits by which a bound is missed in practice: LLL finds a short vector, not the shortest.
SLACK: Final = 8


def reach(n_bits: int, dimension: int) -> int:
    """Bits of a prime of half the size of n that a lattice of this dimension (2m + 1) computes."""
    m = (dimension - 1) // 2
    return n_bits * m * (dimension - m - 1) // (dimension * (dimension - 1)) - SLACK


def dimension_for(n_bits: int, unknown: int) -> int | None:
    """The smallest dimension that is enough, or None if there is none."""
    return next((size for size in DIMENSIONS if unknown <= reach(n_bits, size)), None)


class Stretch:
    """The search for factors of ``n`` of which bits ``low`` to ``low + unknown`` are not known.

    Args:
        n: the modulus.
        low: the first bit that is not known.
        unknown: how many are not known. Some of them may be known all the same: that does no harm.
        dimension: of the lattice, one of :data:`DIMENSIONS`.
    """

    def __init__(self, n: int, low: int, unknown: int, dimension: int) -> None:
        from flint import fmpz_mat, fmpz_poly

        self._matrix, self._poly = fmpz_mat, fmpz_poly
        self._n = n
        self._low = low
        self.unknown = unknown
        self.dimension = dimension
        self._half = 1 << unknown >> 1
        self._inverse = pow(1 << low, -1, n) if low else 1

    def factor(self, known: int) -> int | None:
        """A proper factor of n that equals ``known`` outside of the stretch (zero inside); None if there is
        none."""
        for candidate in self.candidates(known):
            if 1 < candidate < self._n and self._n % candidate == 0:
                return candidate
        return None

    def candidates(self, known: int, more: int = 0) -> list[int]:
        """Numbers that equal ``known`` outside of the stretch and may, plus ``more``, be multiples of a
        factor of n modulo n."""
        # centred, the root lies between -half and half
        start = known + more
        if self._low:
            start = start * self._inverse % self._n
        start += self._half
        roots = self._roots_of_quadratic(start) if self.dimension == 3 else self._roots(start)
        return [known + (root + self._half << self._low) for root in roots]

    def _roots_of_quadratic(self, start: int) -> list[int]:
        """Dimension 3: by far the most are tried, and nearly all of them end at the square root."""
        n, bound = self._n, max(1, self._half)
        rows = [[n, 0, 0], [start, bound, 0], [0, start * bound, bound * bound]]
        shortest = self._matrix(rows).lll()
        constant, linear = int(shortest[0, 0]), int(shortest[0, 1]) // bound
        square = int(shortest[0, 2]) // (bound * bound)
        if not square:
            return [-constant // linear] if linear and constant % linear == 0 else []
        discriminant = linear * linear - 4 * square * constant
        if discriminant < 0 or (root := isqrt(discriminant)) ** 2 != discriminant:
            return []
        return [
            (sign * root - linear) // (2 * square)
            for sign in (1, -1)
            if (sign * root - linear) % (2 * square) == 0
        ]

    def _roots(self, start: int) -> list[int]:
        poly, size, bound = self._poly, self.dimension, max(1, self._half)
        m = (size - 1) // 2
        f: Any = poly([start, 1])
        rows = [poly([self._n]) ** (m - i) * f**i for i in range(m)]
        rows += [poly([0] * j + [1]) * f**m for j in range(size - m)]
        powers = [bound**column for column in range(size)]
        shortest = self._matrix(
            [[int(row[column]) * powers[column] for column in range(size)] for row in rows]
        ).lll()
        found = poly([int(shortest[0, column]) // powers[column] for column in range(size)])
        return [int(root) for root, _ in found.roots()] if found else []
