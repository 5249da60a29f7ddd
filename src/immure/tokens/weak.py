"""Keys that prove nothing, as others can sign with them too.

What can be seen in the public half is checked, by :mod:`immure.registry.weakness`: the length of an RSA
modulus, its exponent (FIPS 186-5, section A.1.1), the mark of broken generators (ROCA, CVE-2017-15361),
primes that are close to each other, and points of small order. Keys that a standard prints
(:mod:`immure.keymaterial.published`) are not refused here: they are what tests are made with.
"""

from __future__ import annotations

from typing import Final

from immure.keymaterial.key import Numbers, OkpNumbers, PublicKey, RsaNumbers
from immure.registry.weakness import has_close_primes, has_roca_fingerprint, has_small_order

#: Bits of the shortest and longest modulus (NIST SP 800-131A; RFC 7518, section 3.3).
RSA_BITS: Final = (2048, 16384)
_EXPONENTS: Final = (65537, 1 << 64)


def weakness(key: PublicKey) -> str | None:
    """Why signatures of this key prove nothing, None if no reason is known."""
    numbers: Numbers = key.numbers
    if isinstance(numbers, RsaNumbers):
        return _rsa(numbers)
    if isinstance(numbers, OkpNumbers) and has_small_order(numbers):
        return "is a point of small order, for which anybody can sign"
    return None


def _rsa(numbers: RsaNumbers) -> str | None:
    bits = numbers.n.bit_length()
    if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
        return f"has {bits} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are taken"
    if not _EXPONENTS[0] <= numbers.e < _EXPONENTS[1]:
        return "has an exponent that is too small or too large"
    if has_roca_fingerprint(numbers.n):
        return "was made by a generator that is known to be broken (ROCA)"
    if has_close_primes(numbers.n):
        return "has primes so close to each other that anybody can factor the modulus"
    return None
