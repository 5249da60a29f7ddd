"""Parts of d, and dp or dq alone: the arithmetic, and in memory."""

from __future__ import annotations

import random
from math import lcm

import pytest

from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import RsaPrivate
from immure.scanning.deep.crt import prime_of_crt_exponent, prime_of_damaged_crt_exponent
from immure.scanning.deep.exponents import (
    TOP_BITS,
    BottomOfExponent,
    TopOfExponent,
    prime_of_low_quarter,
    prime_of_sum,
)
from immure.scanning.deep.rebuilt import encoded

from ..material import private, public
from .damage import clobber, deep, memory_with

KINDS = ("RSA-1024", "RSA-2048", "RSA-4096")
#: Primes p with p mod 3 = 2, of 512 bits, for e = 3; made once by a search upwards from two seeds.
SMALL_E = 3


def numbers(kind: str) -> tuple[RsaNumbers, int, int]:
    key = private(kind)
    assert isinstance(key, RsaPrivate)
    return key.public, key.p.reveal(), key.q.reveal()


def exponent(kind: str, modulus: str) -> int:
    """d modulo φ(n) or λ(n)."""
    key, p, q = numbers(kind)
    return pow(key.e, -1, (p - 1) * (q - 1) if modulus == "phi" else lcm(p - 1, q - 1))


def next_prime(start: int, e: int) -> int:
    from flint import fmpz

    while not (start % e != 1 and fmpz(start).is_probable_prime()):
        start += 2
    return start


@pytest.mark.parametrize("modulus", ["phi", "lambda"])
@pytest.mark.parametrize("kind", KINDS)
def test_high_part(kind: str, modulus: str) -> None:
    key, p, q = numbers(kind)
    d, top = exponent(kind, modulus), TopOfExponent(key)
    width = (key.n.bit_length() + 63) // 64 * 64
    assert top.is_top(d >> width - TOP_BITS)
    for missing in (8, 64, top.most_missing // 2, top.most_missing):
        assert top.factor(d >> missing << missing, missing) in (p, q)
    assert top.factor(d, top.most_missing + 1) is None


@pytest.mark.parametrize("kind", KINDS)
def test_random_numbers_are_no_high_part(kind: str) -> None:
    top, chance = TopOfExponent(numbers(kind)[0]), random.Random(kind)
    assert not any(top.is_top(chance.getrandbits(TOP_BITS)) for _ in range(5000))


@pytest.mark.parametrize("modulus", ["phi", "lambda"])
@pytest.mark.parametrize("kind", KINDS)
def test_low_half(kind: str, modulus: str) -> None:
    key, p, q = numbers(kind)
    bottom, d = BottomOfExponent(key), exponent(kind, modulus)
    assert bottom.bits < 0.62 * key.n.bit_length() or kind == "RSA-1024"
    assert bottom.factor(d % (1 << bottom.bits)) in (p, q)
    assert bottom.factor(d % (1 << bottom.bits) ^ 1 << 20) is None


def test_random_numbers_are_no_low_half() -> None:
    bottom, chance = BottomOfExponent(numbers("RSA-2048")[0]), random.Random(3)
    assert all(bottom.factor(chance.getrandbits(bottom.bits) | 1) is None for _ in range(300))


def test_lowest_quarter_with_a_small_public_exponent() -> None:
    chance = random.Random(11)
    p, q = (next_prime(chance.getrandbits(512) | 1 | 3 << 510, SMALL_E) for _ in range(2))
    key = RsaNumbers(p * q, SMALL_E)
    d, bits = pow(SMALL_E, -1, (p - 1) * (q - 1)), 330
    assert prime_of_low_quarter(key, d % (1 << bits), bits) in (p, q)
    assert prime_of_low_quarter(RsaNumbers(key.n, 65537), d % (1 << bits), bits) is None


def test_damaged_crt_exponent_with_a_small_public_exponent() -> None:
    chance = random.Random(12)
    p, q = (next_prime(chance.getrandbits(512) | 1 | 3 << 510, SMALL_E) for _ in range(2))
    key, dp = RsaNumbers(p * q, SMALL_E), pow(SMALL_E, -1, p - 1)
    for low in (0, 360):
        known = dp & ~((1 << low + 150) - (1 << low))
        assert prime_of_damaged_crt_exponent(key, known, low, 150) == p
    assert prime_of_damaged_crt_exponent(key, chance.getrandbits(360) << 150, 0, 150) is None


@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-2048"])
def test_crt_exponents(kind: str) -> None:
    key, p, q = numbers(kind)
    for prime in (p, q):
        crt = pow(key.e, -1, prime - 1)
        assert prime_of_crt_exponent(key, crt) == prime
        assert prime_of_crt_exponent(key, crt + 2) is None


def test_prime_of_sum() -> None:
    key, p, q = numbers("RSA-1024")
    assert prime_of_sum(key.n, p + q) == p
    assert prime_of_sum(key.n, p + q + 2) is None
    assert prime_of_sum(key.n, 1) is None


@pytest.mark.parametrize("modulus", ["phi", "lambda"])
@pytest.mark.parametrize(
    ("layout", "lost", "lost_first", "method"),
    [
        ("le64", 40, True, "high-part"),
        ("be", 48, False, "high-part"),
        ("le64", 110, False, "low-half"),
        ("be", 110, True, "low-half"),
        ("le64", 16, False, "low-half"),
    ],
)
def test_in_memory(modulus: str, layout: str, lost: int, lost_first: bool, method: str) -> None:
    d = encoded(exponent("RSA-2048", modulus), layout, 256)
    image = memory_with(clobber(d, lost_first, bytes(lost)))
    (finding,) = deep(image, public("RSA-2048")).findings
    assert finding.partial is not None
    assert (finding.kind, finding.partial.secret, finding.partial.rebuilt) == ("partial", "d", True)
    assert finding.partial.method == method
    assert finding.partial.known_bits >= 8 * (256 - lost)


@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-2048", "RSA-3072"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_the_modulus_is_no_exponent(kind: str, order: str) -> None:
    """e·n/n is whole, too. Found by random bytes around a modulus."""
    n = numbers(kind)[0].n
    top = TopOfExponent(numbers(kind)[0])
    assert list(top.multiples(n)) == []
    data = n.to_bytes((n.bit_length() + 7) // 8, order)  # type: ignore[arg-type]
    assert deep(memory_with(data), public(kind)).findings == []
    assert deep(memory_with(bytes(40) + data[40:]), public(kind)).findings == []


def test_upper_half_is_reported_and_not_rebuilt() -> None:
    d = encoded(exponent("RSA-2048", "phi"), "le64", 256)
    report = deep(memory_with(clobber(d, True, bytes(104)), offset=0x8010), public("RSA-2048"))
    (finding,) = report.findings
    assert finding.partial is not None
    assert (finding.kind, finding.partial.rebuilt, finding.partial.method) == ("partial", False, "")
    assert 900 < finding.partial.known_bits <= 1024
    (occurrence,) = finding.occurrences
    # the bytes below the upper half as well: they are secret
    assert (occurrence.offset, occurrence.length) == (0x8010 + 104, 256 - 104)
    assert not occurrence.whole


@pytest.mark.parametrize("name", ["dp", "dq"])
@pytest.mark.parametrize("layout", ["le64", "be"])
def test_crt_exponent_alone_in_memory(name: str, layout: str) -> None:
    key = private("RSA-2048")
    image = memory_with(encoded(getattr(key, name).reveal(), layout, 128))
    assert deep(image, public("RSA-2048"), deep=False).findings == []
    (finding,) = deep(image, public("RSA-2048")).findings
    assert finding.partial is not None
    assert (finding.partial.secret, finding.partial.method) == (name, "exponent")
