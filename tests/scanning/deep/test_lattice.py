"""Primes from a part of their bits: every dimension up to its reach, either end, and no prime from a wrong
part."""

from __future__ import annotations

import random

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.redact.prove.lattice import recover_prime
from immure.scanning.deep.lattice import DIMENSIONS, Stretch, dimension_for, reach

from ..material import private


def primes(kind: str) -> tuple[int, int, int]:
    """n, p, q of a key."""
    key = private(kind)
    assert isinstance(key, RsaPrivate)
    return key.public.n, key.p.reveal(), key.q.reveal()


@pytest.mark.parametrize("dimension", [3, 5, 7])
@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-2048"])
@pytest.mark.parametrize("end", ["low", "high"])
def test_reach(kind: str, dimension: int, end: str) -> None:
    n, p, q = primes(kind)
    bits, unknown = p.bit_length(), reach(n.bit_length(), dimension)
    low = 0 if end == "low" else bits - unknown
    hidden = (1 << low + unknown) - (1 << low)
    stretch = Stretch(n, low, unknown, dimension)
    assert stretch.factor(p & ~hidden) == p
    assert stretch.factor(q & ~hidden) == q


def test_largest_dimension() -> None:
    n, p, _ = primes("RSA-2048")
    unknown = reach(n.bit_length(), 11)
    assert unknown > 0.44 * p.bit_length()
    assert Stretch(n, 0, unknown, 11).factor(p >> unknown << unknown) == p


@pytest.mark.parametrize("missing", [0, 1, 8, 200, 320])
def test_less_may_be_missing_than_is_thought(missing: int) -> None:
    n, p, _ = primes("RSA-2048")
    stretch = Stretch(n, 0, 320, 3)
    assert stretch.factor(p >> 320 << 320) == p
    # what is taken for unknown is put to zero by the caller, whether it was damaged or not
    assert stretch.factor((p ^ (1 << missing) - 1) >> 320 << 320) == p


@pytest.mark.parametrize("low", [0, 704])
def test_wrong_parts_give_nothing(low: int) -> None:
    n, p, _ = primes("RSA-2048")
    chance = random.Random(7)
    stretch = Stretch(n, low, 320, 3)
    for _ in range(50):
        assert stretch.factor((chance.getrandbits(704) | 1) << (0 if low else 320)) is None
    flipped = p ^ 1 << (500 if not low else 100)
    hidden = (1 << low + 320) - (1 << low)
    assert stretch.factor(flipped & ~hidden) is None


def test_the_second_scanner_agrees() -> None:
    """Two implementations that share no code."""
    n, p, _ = primes("RSA-1024")
    for low, unknown in ((0, 160), (352, 160), (100, 150)):
        hidden = (1 << low + unknown) - (1 << low)
        assert Stretch(n, low, unknown, 3).factor(p & ~hidden) == p
        assert recover_prime(n, p & ~hidden, low, unknown, 3) == p


def test_dimension_for() -> None:
    assert [dimension_for(2048, reach(2048, size)) for size in DIMENSIONS] == list(DIMENSIONS)
    assert dimension_for(2048, 320) == 3
    assert dimension_for(2048, 512) is None
