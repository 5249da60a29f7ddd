"""Weak public keys, told by their numbers alone.

>>> [weakness.code for weakness in weaknesses(RsaNumbers((1 << 1023) + 1, 3))]
['weak-rsa', 'small-exponent']
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import isqrt
from typing import Final, NamedTuple

from immure.keymaterial.key import Numbers, OkpNumbers, RsaNumbers
from immure.registry.fit import fitting_algorithms

#: Bits that an RSA modulus must have (RFC 7518, section 3.3).
LEAST_RSA_BITS: Final = 2048
#: Least public exponent (NIST SP 800-56B revision 2, section 6.2).
LEAST_EXPONENT: Final = 65537
#: The primes of the smallest product that the flawed library made its primes with; larger keys use more.
_ROCA_PRIMES = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip
#: Steps of Fermat's method: enough for primes that were taken one after the other.
_FERMAT_STEPS = 64
_SQUARES = frozenset(number * number & 0xFF for number in range(256))
_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1


class Weakness(NamedTuple):
    """A weakness: stable code, what is wrong, and what it permits."""

    code: str
    words: str
    permits: str


def weaknesses(numbers: Numbers) -> list[Weakness]:
    """What is weak about a key, in a fixed order."""
    if isinstance(numbers, RsaNumbers):
        return list(_of_rsa(numbers))
    if not fitting_algorithms(numbers):
        words = f"{numbers.curve} signs nothing (RFC 8037)"
        return [Weakness("wrong-curve", words, "nothing, unless a validator takes it for another key")]
    if numbers.curve == "secp256k1":
        words = "secp256k1 is for ES256K only (RFC 8812)"
        return [
            Weakness("wrong-curve", words, "signatures on a curve that nobody agreed on, where it is taken")
        ]
    if isinstance(numbers, OkpNumbers) and has_small_order(numbers):
        return [Weakness("small-order", "the point has small order", "anybody to sign: no secret is needed")]
    return []


def has_small_order(numbers: OkpNumbers) -> bool:
    """Whether eight (Ed448: four) times the point of an Edwards curve is the neutral element (RFC 8032)."""
    if numbers.curve not in ("Ed25519", "Ed448"):
        return False
    y = int.from_bytes(numbers.x, "little") & ~(1 << (8 * len(numbers.x) - 1))
    if numbers.curve == "Ed448":
        return y in (0, 1, _P448 - 1)
    # order 8: doubling gives y = 0, so x² = -y²; put into -x² + y² = 1 + d x² y²
    d = -121665 * pow(121666, -1, _P25519)
    return y in (0, 1, _P25519 - 1) or (2 * y * y - 1 + d * pow(y, 4, _P25519)) % _P25519 == 0


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether a modulus looks as if the library of CVE-2017-15361 had made it: such keys can be factored.

    Its primes are powers of 65537 modulo a product of small primes, and so is the modulus. One in some
    hundred million others looks so by chance.
    """
    return all(modulus % prime in _powers(prime) for prime in _ROCA_PRIMES)


def has_close_primes(modulus: int) -> bool:
    """Whether Fermat's method finds the factors at once, as they are close to each other."""
    root = isqrt(modulus)
    root += root * root < modulus
    for step in range(_FERMAT_STEPS):
        square = (root + step) ** 2 - modulus
        if square & 0xFF in _SQUARES and isqrt(square) ** 2 == square:
            return True
    return False


def _of_rsa(numbers: RsaNumbers) -> Iterator[Weakness]:
    bits = numbers.n.bit_length()
    if bits < LEAST_RSA_BITS:
        words = f"RSA of {bits} bits; at least {LEAST_RSA_BITS} are needed"
        yield Weakness("weak-rsa", words, "whoever factors the modulus to sign in the issuer's name")
    if numbers.e < LEAST_EXPONENT:
        words = f"RSA exponent {numbers.e}; at least {LEAST_EXPONENT} is needed"
        yield Weakness("small-exponent", words, "forged signatures where a verifier is lax about the padding")
    if has_roca_fingerprint(numbers.n):
        words = "the modulus has the fingerprint of CVE-2017-15361 (ROCA)"
        yield Weakness("roca", words, "whoever rents some machines to factor the modulus and sign")
    if has_close_primes(numbers.n):
        words = "the modulus falls to Fermat's method"
        yield Weakness("close-primes", words, "anybody to factor the modulus in no time, and to sign")


@cache
def _powers(prime: int) -> frozenset[int]:
    """The powers of 65537 modulo a prime."""
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * 65537 % prime
    return frozenset(found)
