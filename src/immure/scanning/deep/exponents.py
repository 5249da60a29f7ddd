"""Private exponents of which one end was overwritten.

e·d = 1 + k·φ(n), or e·d·g = g + k·φ(n) for d modulo λ(n) = φ(n)/g, with k < e·g. So of d

* the **upper half** follows from the public key, up to k: a window of memory that has it is certainly (a part
  of) d, but tells no more than k. As soon as u bits of d and less are missing, φ(n) = g(e·d − 1)/k is known
  but for about u bits, so is p + q = n + 1 − φ(n), and with the square root of (p + q)² − 4n so is p; the
  rest is a lattice (:mod:`immure.scanning.deep.lattice`), which wants somewhat more than three quarters of d
  from the top;
* the **lower half** is enough: k·(n + 1) − k·(p + q) = g(e·d − 1), where k·(p + q) is short, and modulo 2^m
  only k is
  unknown: a closest vector in a lattice of two dimensions, the same one for all candidates of a key;
* the **lowest quarter** is enough for small e, where all k can be tried: p solves p² − (n + 1 − φ(n))·p + n =
  0 modulo 2^m (Boneh, Durfee and Frankel, "An attack on RSA given a small fraction of the private key bits",
  ASIACRYPT 1998), and half of p is enough for a lattice.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Final

from immure.keymaterial.key import RsaNumbers
from immure.scanning.deep.lattice import Stretch, dimension_for, reach
from immure.scanning.kernels.rsa import EXPONENT_MULTIPLE

#: Bits of a window that are looked at to tell whether it may be the top of d, and so many that the product
#: must be near a whole number: of random windows one in 2^80 is.
TOP_BITS: Final = 128
_NEAR: Final = 82
#: Greatest public exponents that are looked for, in bits.
MOST_E_BITS: Final = 24
#: Greatest public exponents for which every k is tried.
SMALL_E: Final = 17
#: Bits by which the error of d grows on the way to p.
_GROWTH: Final = 12
#: Bits of the low part of d that exceed what is needed, so that no random window passes.
_MARGIN: Final = 40
_COMMON: Final = (1, *range(2, 17, 2))


class TopOfExponent:
    """Tells the upper part of a private exponent, and completes it."""

    def __init__(self, public: RsaNumbers) -> None:
        self._public = public
        n, e = public.n, public.e
        self._width = (n.bit_length() + 63) // 64 * 64  # bits of d in memory: whole limbs
        self._fraction = TOP_BITS + 128
        shift = self._width - TOP_BITS
        self._beta = (e * EXPONENT_MULTIPLE << shift + self._fraction) // n
        # as much as a lattice computes of p, less what errors grow by where p and q are near to each other
        self.most_missing = reach(n.bit_length(), 11) - 2 * _GROWTH

    def is_top(self, top: int) -> bool:
        """Whether the highest :data:`TOP_BITS` bits of a number are those of a private exponent."""
        if top >> TOP_BITS - 24 == 0:
            return False
        rest = (top * self._beta & (1 << self._fraction) - 1) >> self._fraction - _NEAR
        return rest in (0, (1 << _NEAR) - 1)

    def multiples(self, value: int) -> Iterator[tuple[int, int]]:
        """(g, k) that ``value``, of which the upper part is right, belongs to."""
        n, e = self._public.n, self._public.e
        rounded = (2 * e * EXPONENT_MULTIPLE * value + n) // (2 * n)  # k·G/g, whole
        for common in _COMMON:
            k, rest = divmod(rounded * common, EXPONENT_MULTIPLE)
            # n itself is such a number, too, with k = e·g
            if 0 < k < e and not rest:
                yield common, k

    def upper_half(self, common: int, k: int) -> int:
        """The private exponent, right in its upper half, wrong below."""
        return k * (self._public.n + 1) // (self._public.e * common)

    def factor(self, value: int, missing: int) -> int | None:
        """A prime, if ``value`` is d but for the lowest ``missing`` bits; None if it is not, or too little is
        there."""
        n, e = self._public.n, self._public.e
        if missing > self.most_missing:
            return None
        for common, k in self.multiples(value):
            both = n + 1 - common * (e * value - 1) // k  # p + q
            square = both * both - 4 * n
            if square <= 0:
                continue
            difference = isqrt(square)
            near = (both + difference) // 2
            # an error in p + q counts the more, the nearer p and q are to each other
            growth = _GROWTH + max(0, n.bit_length() // 2 - difference.bit_length())
            unknown = missing + growth
            dimension = dimension_for(n.bit_length(), unknown)
            if dimension is None:
                continue
            known = (near >> unknown) - 1 << unknown
            stretch = Stretch(n, 0, unknown + 2, dimension)
            if (found := stretch.factor(known)) is not None:
                return found
        return None


class BottomOfExponent:
    """Completes private exponents of which only the lower part is there.

    Attributes:
        bits: how many of the lowest bits are needed.
    """

    def __init__(self, public: RsaNumbers) -> None:
        from flint import fmpz_mat

        n, e = public.n, public.e
        self._n, self._e = n, e
        # k·G/g and its product with p + q, at most
        self._most = e * EXPONENT_MULTIPLE
        self._product = n.bit_length() // 2 + 2 + self._most.bit_length()
        self.bits = (self._product + self._most.bit_length() + _MARGIN + 63) // 64 * 64
        self._scale = 1 << self._product - self._most.bit_length()
        rows = [[self._scale, (n + 1) % (1 << self.bits)], [0, 1 << self.bits]]
        reduced = fmpz_mat(rows).lll()
        self._first = int(reduced[0, 0]), int(reduced[0, 1])
        self._second = int(reduced[1, 0]), int(reduced[1, 1])
        self._volume = self._first[0] * self._second[1] - self._first[1] * self._second[0]

    def factor(self, low: int) -> int | None:
        """A prime, if the lowest :attr:`bits` bits of d are ``low``."""
        modulus = 1 << self.bits
        target = EXPONENT_MULTIPLE * (self._e * low - 1) % modulus
        # the vector (scale·k, k(n + 1)) is near to (scale·most/2, target + product/2)
        wanted = self._scale * self._most // 2, target + (1 << self._product - 1)
        a = _rounded(wanted[0] * self._second[1] - wanted[1] * self._second[0], self._volume)
        b = _rounded(self._first[0] * wanted[1] - self._first[1] * wanted[0], self._volume)
        for first in (a, a - 1, a + 1):
            for second in (b, b - 1, b + 1):
                k = (first * self._first[0] + second * self._second[0]) // self._scale
                product = (k * (self._n + 1) - target) % modulus
                if k > 0 and product.bit_length() <= self._product and product % k == 0:
                    prime = prime_of_sum(self._n, product // k)
                    if prime is not None:
                        return prime
        return None


def prime_of_sum(n: int, both: int) -> int | None:
    """p, if p + q = ``both``."""
    square = both * both - 4 * n
    if square < 0 or (root := isqrt(square)) ** 2 != square:
        return None
    p = (both + root) // 2
    return p if 1 < p < n and n % p == 0 else None


def prime_of_low_quarter(public: RsaNumbers, low: int, bits: int) -> int | None:
    """A prime of a key with e up to :data:`SMALL_E`, if the lowest ``bits`` bits of d are ``low``, somewhat
    more than a quarter of them (and d is the inverse of e modulo φ(n), or half of that)."""
    n, e = public.n, public.e
    if e > SMALL_E:
        return None
    half = n.bit_length() // 2
    for common in (1, 2):
        for k in range(1, e * common + 1):
            twos = (k & -k).bit_length() - 1
            known = min(bits - twos, half)
            right = common * (e * low - 1)
            if known < 8 or right % (1 << twos):
                continue
            both = n + 1 - (right >> twos) * pow(k >> twos, -1, 1 << known)
            # roots are certain but for the last bits that square roots lose
            dimension = dimension_for(n.bit_length(), half - known + 3)
            if dimension is None:
                continue
            stretch = Stretch(n, known - 3, half - known + 3, dimension)
            for root in _roots_of_quadratic(both, n, known):
                prime = stretch.factor(root % (1 << known - 3))
                if prime is not None:
                    return prime
    return None


def _roots_of_quadratic(both: int, n: int, bits: int) -> set[int]:
    """x modulo 2^(bits − 3) with x² − both·x + n = 0 modulo 2^bits; odd ones."""
    roots = [1]
    for at in range(1, bits):
        modulus = 1 << at + 1
        lifted = (root | bit << at for root in roots for bit in (0, 1))
        roots = [root for root in lifted if (root * (root - both) + n) % modulus == 0]
        if len(roots) > 64:
            break
    return {root % (1 << bits - 3) for root in roots}


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number to a fraction."""
    return (2 * numerator + denominator) // (2 * denominator)
