"""Keys that prove nothing, as others can sign with them too.

What can be seen in the public half is checked: the length of an RSA modulus, its exponent (FIPS 186-5,
section A.1.1), and the mark of moduli whose primes were made as 65537^a mod M (ROCA, CVE-2017-15361; Nemec
et al., CCS 2017); for EdDSA, points of small order. Keys that a standard prints
(:mod:`immure.keymaterial.published`) are not refused here: they are what tests are made with.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from immure.keymaterial.curves import EDWARDS_ORDERS
from immure.keymaterial.key import Numbers, OkpNumbers, PublicKey, RsaNumbers

#: Bits of the shortest and longest modulus (NIST SP 800-131A; RFC 7518, section 3.3).
RSA_BITS: Final = (2048, 16384)
_EXPONENTS: Final = (65537, 1 << 64)
_PRIMES: Final = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_P25519: Final = 2**255 - 19
#: y coordinates of the points of order 1, 2 and 4
_SMALL_ORDER: Final = {"Ed25519": {0, 1, _P25519 - 1}, "Ed448": {0, 1, 2**448 - 2**224 - 2}}


def weakness(key: PublicKey) -> str | None:
    """Why signatures of this key prove nothing, None if no reason is known."""
    numbers: Numbers = key.numbers
    if isinstance(numbers, RsaNumbers):
        return _rsa(numbers)
    if isinstance(numbers, OkpNumbers) and numbers.curve in EDWARDS_ORDERS and _has_small_order(numbers):
        return "is a point of small order, for which anybody can sign"
    return None


def _rsa(numbers: RsaNumbers) -> str | None:
    bits = numbers.n.bit_length()
    if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
        return f"has {bits} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are taken"
    if not _EXPONENTS[0] <= numbers.e < _EXPONENTS[1]:
        return "has an exponent that is too small or too large"
    if has_roca_mark(numbers.n):
        return "was made by a generator that is known to be broken (ROCA)"
    return None


def has_roca_mark(n: int) -> bool:
    """Whether the modulus is a power of 65537 modulo each of some primes; of others one in 2^27 is."""
    return all(n % prime in powers for prime, powers in _powers().items())


@cache
def _powers() -> dict[int, frozenset[int]]:
    return {prime: frozenset(pow(65537, k, prime) for k in range(prime - 1)) for prime in _PRIMES}


def _has_small_order(numbers: OkpNumbers) -> bool:
    """Whether eight (or four) times the point is the neutral element; told by its y coordinate."""
    y = int.from_bytes(numbers.x, "little") & ~(1 << (8 * len(numbers.x) - 1))
    return y in _SMALL_ORDER[numbers.curve] or (numbers.curve == "Ed25519" and _doubles_to_zero(y))


def _doubles_to_zero(y: int) -> bool:
    """Whether twice the point has y = 0, that is order 8: then x^2 = -y^2 (-x^2 + y^2 = 1 + d x^2 y^2)."""
    p, d = _P25519, -121665 * pow(121666, -1, _P25519)
    return (2 * y * y - 1 + d * pow(y, 4, p)) % p == 0
