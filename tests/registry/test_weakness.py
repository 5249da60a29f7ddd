"""Weak keys are told by their numbers; strong ones are left alone."""

from __future__ import annotations

import random

import pytest
from flint import fmpz

from immure.keymaterial.curves import EDWARDS_ORDERS
from immure.keymaterial.key import OkpNumbers, RsaNumbers
from immure.keymaterial.numbers import checked_okp
from immure.registry.weakness import has_close_primes, has_roca_fingerprint, weaknesses

from .material import public

CHANCE = random.Random(7)


def prime_near(number: int) -> int:
    number |= 1
    while not fmpz(number).is_probable_prime():
        number += 2
    return number


def roca_prime(bits: int) -> int:
    """A prime as the library of CVE-2017-15361 makes them: k M + (65537^a mod M)."""
    product, candidate = 1, 2
    for _ in range(71):  # as many primes as it takes for 1,024 bits
        while not fmpz(candidate).is_probable_prime():
            candidate += 1
        product, candidate = product * candidate, candidate + 1
    while True:
        k = CHANCE.randrange((3 << bits - 2) // product, (1 << bits) // product)
        number = k * product + pow(65537, CHANCE.getrandbits(64), product)
        if fmpz(number).is_probable_prime():
            return number


ROCA = roca_prime(1024) * roca_prime(1024)
NEAR = prime_near(CHANCE.getrandbits(1024) | 1 << 1023)
CLOSE = NEAR * prime_near(NEAR + (1 << 500))


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        (public("RSA-2048").numbers, []),
        (public("RSA-1024").numbers, ["weak-rsa"]),
        (RsaNumbers(public("RSA-2048").numbers.n, 3), ["small-exponent"]),
        (RsaNumbers(public("RSA-2048").numbers.n, 65535), ["small-exponent"]),
        (RsaNumbers(ROCA, 65537), ["roca"]),
        (RsaNumbers(CLOSE, 65537), ["close-primes"]),
        (public("P-256").numbers, []),
        (public("P-384").numbers, []),
        (public("P-521").numbers, []),
        (public("Ed25519").numbers, []),
        (public("Ed448").numbers, []),
        (public("secp256k1").numbers, ["wrong-curve"]),
        (public("X25519").numbers, ["wrong-curve"]),
        (public("X448").numbers, ["wrong-curve"]),
        (OkpNumbers("Ed25519", b"\1" + bytes(31)), ["small-order"]),
        (OkpNumbers("Ed25519", bytes(32)), ["small-order"]),
        (OkpNumbers("Ed25519", bytes(31) + b"\x80"), ["small-order"]),
        (
            checked_okp(
                "Ed25519",
                bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            ),
            ["small-order"],
        ),
        (OkpNumbers("Ed448", b"\1" + bytes(56)), ["small-order"]),
        (OkpNumbers("Ed448", bytes(57)), ["small-order"]),
    ],
)
def test_codes(numbers, codes):
    assert [one.code for one in weaknesses(numbers)] == codes
    assert all(one.words and one.permits for one in weaknesses(numbers))


def test_other_moduli_have_no_mark():
    for _ in range(40):
        modulus = CHANCE.getrandbits(2048) | 1 << 2047 | 1
        assert not has_roca_fingerprint(modulus)
        assert not has_close_primes(modulus)
    assert EDWARDS_ORDERS
