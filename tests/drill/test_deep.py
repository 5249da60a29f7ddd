"""A thousand damaged primes, and a hundred keys with scattered bits: the bars of the deep scan."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.scanning.deep.branch import rebuild_rsa
from scanning.deep.damage import Case, deep
from scanning.deep.test_branch import known_bits, made
from scanning.material import private, public

CASES, MOST_BYTES = 1000, 40
KEYS, SHARE, LEAST = 100, 0.30, 95

pytestmark = pytest.mark.drill


def _is_found(seed: int) -> bool:
    key = private("RSA-2048")
    assert isinstance(key, RsaPrivate)
    case = Case.drawn(seed, (key.p.reveal(), key.q.reveal()), MOST_BYTES)
    findings = deep(case.image(), public("RSA-2048")).findings
    return any(finding.partial is not None and finding.partial.rebuilt for finding in findings)


def _is_rebuilt(seed: int) -> bool:
    key = made(seed, 1024)
    modulus = ("phi", "lambda")[seed % 2]
    return rebuild_rsa(key.public, known_bits(key, SHARE, seed, modulus=modulus)) is not None


def test_every_prime_with_up_to_320_bits_overwritten_is_found() -> None:
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(_is_found, range(CASES), chunksize=25))
    assert [seed for seed, one in enumerate(found) if not one] == []


def test_thirty_bits_in_a_hundred_rebuild_a_key() -> None:
    with ProcessPoolExecutor(2) as pool:
        rebuilt = sum(pool.map(_is_rebuilt, range(KEYS), chunksize=5))
    assert rebuilt >= LEAST
