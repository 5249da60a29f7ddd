"""A real attempt: a prime of which a stretch of bits is unknown, computed from the rest by lattice reduction.

With p = a + 2^k·x, where a and k are known and 0 ≤ x < X, f(x) = x + a·2^-k has the root x modulo p, and so
have n, f, x·f … modulo p, and their products modulo powers of p (Coppersmith; in the form of Howgrave-Graham
1997). If X is small, a short combination of them, which LLL finds, has x as a root over the integers. Of a
prime half as long as n, dimension 3 computes a third of the bits (n^(1/6)), dimension 11 0.45; half of them
is the limit.
"""

from __future__ import annotations

from typing import Final

from immure.redact.prove.report import Attempt

#: Odd dimensions 2m + 1 that are tried, the smallest that is enough; the largest takes two seconds for moduli
#: of 2,048 bits, so of much longer ones only the small are tried.
_DIMENSIONS: Final = (3, 5, 7, 9, 11)
_SMALL_DIMENSIONS: Final = (3, 5)
_LONG: Final = 4096
#: Bits by which a bound is missed in practice: LLL finds a short vector, not the shortest.
_SLACK: Final = 8


def attempt(name: str, n: int, prime: int, known: int) -> list[Attempt]:
    """Try to compute ``prime``, a factor of ``n``, from its bits in the mask ``known``.

    Nothing if they are too few for a small lattice, or there are none.
    """
    bits = prime.bit_length()
    unknown = ~known & (1 << bits) - 1
    if not known:
        return []
    if not unknown:
        return [Attempt(name, 0, 0, recovered=True)]
    low = (unknown & -unknown).bit_length() - 1
    wide = unknown.bit_length() - low  # everything between the first and the last unknown bit
    dimension = _dimension(n, wide)
    if dimension is None:
        return []
    hidden = (1 << low + wide) - (1 << low)
    found = recover_prime(n, prime & ~hidden, low, wide, dimension)
    return [Attempt(name, wide, dimension, recovered=found is not None)]


def _dimension(n: int, unknown_bits: int) -> int | None:
    for dimension in _DIMENSIONS if n.bit_length() <= _LONG else _SMALL_DIMENSIONS:
        m = (dimension - 1) // 2
        reach = n.bit_length() * m * (dimension - m - 1) / (dimension * (dimension - 1))
        if unknown_bits + _SLACK <= reach:
            return dimension
    return None


def recover_prime(n: int, known: int, low: int, unknown_bits: int, dimension: int) -> int | None:
    """A factor of ``n`` that equals ``known`` but for ``unknown_bits`` bits from bit ``low`` on (zero in
    ``known``); None if the lattice does not give it."""
    from flint import fmpz_mat, fmpz_poly

    m, half = (dimension - 1) // 2, 1 << unknown_bits >> 1
    start = (known * pow(1 << low, -1, n) + half) % n  # centred: the root is between -half and half
    bound = max(1, half)
    f = fmpz_poly([start, 1])
    rows = [fmpz_poly([n]) ** (m - i) * f**i for i in range(m)]
    rows += [fmpz_poly([0] * j + [1]) * f**m for j in range(dimension - m)]
    entries = [[int(row[column]) * bound**column for column in range(dimension)] for row in rows]
    reduced = fmpz_mat(entries).lll()
    shortest = fmpz_poly([int(reduced[0, column]) // bound**column for column in range(dimension)])
    for root, _ in shortest.roots():
        candidate = known + (int(root) + half << low)
        if 1 < candidate < n and n % candidate == 0:
            return candidate
    return None
