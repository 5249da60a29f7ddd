"""Keys from bits that are scattered over their numbers."""

from __future__ import annotations

import random
from functools import cache
from math import gcd, lcm

import pytest

from immure.errors import UsageError
from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import RsaPrivate, rsa_from_prime
from immure.scanning.deep.branch import rebuild_rsa
from immure.scanning.deep.multipliers import NUMBERS, KnownBits, multipliers

from ..material import private


def rsa(kind: str) -> RsaPrivate:
    key = private(kind)
    assert isinstance(key, RsaPrivate)
    return key


@cache
def made(seed: int, bits: int = 512) -> RsaPrivate:
    """A fresh key whose primes have so many bits."""
    from flint import fmpz

    chance = random.Random(f"made {seed}")
    primes: list[int] = []
    while len(primes) < 2:
        number = chance.getrandbits(bits) | 1 | 3 << bits - 2
        if number % 65537 != 1 and fmpz(number).is_probable_prime():
            primes.append(number)
    return rsa_from_prime(RsaNumbers(primes[0] * primes[1], 65537), primes[0])


def known_bits(
    key: RsaPrivate, share: float, seed: int, *, modulus: str = "phi", names: tuple[str, ...] = NUMBERS
) -> dict[str, KnownBits]:
    """Each bit of each number with a probability of ``share``; what is not known is noise."""
    chance = random.Random(f"bits {seed}")
    p, q = key.p.reveal(), key.q.reveal()
    values = {"p": p, "q": q, "dp": key.dp.reveal(), "dq": key.dq.reveal()}
    values["d"] = pow(key.public.e, -1, (p - 1) * (q - 1) if modulus == "phi" else lcm(p - 1, q - 1))
    result = {}
    for name in names:
        bits = key.public.n.bit_length() if name == "d" else p.bit_length()
        mask = sum(1 << at for at in range(bits) if chance.random() < share)
        result[name] = KnownBits(values[name] & mask | chance.getrandbits(bits) & ~mask, mask)
    return result


@pytest.mark.parametrize("modulus", ["phi", "lambda"])
@pytest.mark.parametrize("seed", range(4))
def test_thirty_of_a_hundred_bits(seed: int, modulus: str) -> None:
    key = made(seed)
    found = rebuild_rsa(key.public, known_bits(key, 0.35, seed, modulus=modulus))
    assert found is not None
    assert {found.p.reveal(), found.q.reveal()} == {key.p.reveal(), key.q.reveal()}


@pytest.mark.parametrize(
    ("names", "share"),
    [(("p", "q"), 0.62), (("p", "q", "d"), 0.50), (("p",), 0.97), (("p", "q", "dp", "dq", "d"), 0.40)],
)
def test_fewer_numbers_need_more_bits(names: tuple[str, ...], share: float) -> None:
    key = made(1)
    assert rebuild_rsa(key.public, known_bits(key, share, 9, names=names)) is not None


def test_too_few_bits_are_given_up_soon() -> None:
    key = made(2)
    assert rebuild_rsa(key.public, known_bits(key, 0.12, 3), most_nodes=20_000) is None


def test_a_wrong_bit_finds_nothing() -> None:
    key = made(3)
    known = known_bits(key, 0.5, 4)
    p = known["p"]
    lowest = (p.mask & ~0xFF) & -(p.mask & ~0xFF)
    known["p"] = KnownBits(p.value ^ lowest, p.mask)
    assert rebuild_rsa(key.public, known, most_nodes=20_000) is None


def test_upper_halves_need_not_be_known() -> None:
    """But for that of d, which tells k."""
    key = made(0)
    known = known_bits(key, 0.6, 5)
    low = (1 << 360) - 1
    known = {
        name: bits if name == "d" else KnownBits(bits.value, bits.mask & low) for name, bits in known.items()
    }
    assert rebuild_rsa(key.public, known) is not None


@pytest.mark.parametrize("modulus", ["phi", "lambda"])
def test_multipliers_are_among_those_found(modulus: str) -> None:
    key = made(2)
    p, q, e = key.p.reveal(), key.q.reveal(), key.public.e
    divisor = 1 if modulus == "phi" else gcd(p - 1, q - 1)
    known = known_bits(key, 0.5, 6, modulus=modulus)
    d = pow(e, -1, (p - 1) * (q - 1) // divisor)
    k = (e * d - 1) * divisor // ((p - 1) * (q - 1))
    kp, kq = ((e * pow(e, -1, prime - 1) - 1) // (prime - 1) for prime in (p, q))
    found = list(multipliers(key.public, known))
    assert len(found) <= 4
    assert any((one.k * divisor, one.kp, one.kq) == (k * one.common, kp, kq) for one in found)


def test_what_cannot_be_used() -> None:
    key = made(0)
    with pytest.raises(UsageError, match="bits of qinv"):
        rebuild_rsa(key.public, {"qinv": KnownBits(1, 1)})
    assert rebuild_rsa(RsaNumbers(key.public.n * 2, 65537), {"p": KnownBits(1, 1)}) is None
    assert rebuild_rsa(key.public, {}, most_nodes=5000) is None


def test_nothing_is_shown() -> None:
    assert repr(KnownBits(0x123456789, 0xFF)) == "KnownBits(8 bits)"
