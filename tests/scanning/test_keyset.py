"""Which keys are searched for, under which name, and in which groups."""

from __future__ import annotations

from dataclasses import replace

import pytest

from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning.finding import FindingKind
from immure.scanning.keyset import KeySet, prime_bits

from .material import KINDS, public

KEY = public("P-256")
ELSEWHERE = replace(KEY, origin=Origin("other.jwks"))
SEQUENCES: list[tuple[list[tuple[PublicKey, FindingKind]], FindingKind, str, int]] = [
    ([(KEY, "named")], "named", "named.jwks", 0),
    ([(KEY, "named"), (KEY, "named")], "named", "named.jwks", 0),
    ([(KEY, "named"), (ELSEWHERE, "named")], "named", "named.jwks", 1),
    ([(KEY, "named"), (ELSEWHERE, "harvested")], "named", "named.jwks", 0),
    ([(KEY, "unnamed"), (ELSEWHERE, "harvested")], "harvested", "other.jwks", 0),
    ([(KEY, "harvested"), (ELSEWHERE, "unnamed")], "harvested", "named.jwks", 0),
]


@pytest.mark.parametrize(("added", "kind", "source", "others"), SEQUENCES)
def test_the_first_that_names_a_key_gives_it_its_name(
    added: list[tuple[PublicKey, FindingKind]], kind: FindingKind, source: str, others: int
) -> None:
    keys = KeySet()
    for key, how in added:
        keys.add(key, how)
    assert len(keys) == 1
    entry = keys.get(KEY.numbers)
    assert entry is not None
    assert (entry.kind, entry.key.origin.source, len(entry.others)) == (kind, source, others)


def test_a_copy_can_be_harvested_into() -> None:
    named = KeySet([KEY])
    copy = named.copy()
    copy.add(public("RSA-1024"), "harvested")
    copy.add(ELSEWHERE, "named")
    entry = named.get(KEY.numbers)
    assert (len(named), len(copy)) == (1, 2)
    assert entry is not None
    assert entry.others == []
    assert public("RSA-1024").numbers not in named


@pytest.mark.parametrize(
    ("bits", "expected"), [(1024, 512), (2047, 1024), (2048, 1024), (1040, 520), (1535, 768)]
)
def test_prime_bits(bits: int, expected: int) -> None:
    assert prime_bits(1 << bits - 1) == expected


def test_groups() -> None:
    keys = KeySet([public(kind) for kind in KINDS])
    assert list(keys.rsa_by_prime_bits()) == [512, 520, 768, 1024, 1536, 2048, 4096]
    assert set(keys.on_curves()) == {
        "P-256",
        "P-384",
        "P-521",
        "secp256k1",
        "Ed25519",
        "Ed448",
        "X25519",
        "X448",
    }
    assert keys.unsearchable() == []
    assert [entry.key for entry in keys.entries()] == [public(kind) for kind in KINDS]


@pytest.mark.parametrize("n", [(1 << 1022) + 1, (1 << 8192) + 1, 1 << 2047])
def test_what_cannot_be_searched_for_is_told(n: int) -> None:
    key = PublicKey(RsaNumbers(n, 3), Origin("x"))
    keys = KeySet([key])
    assert (keys.unsearchable(), keys.rsa_by_prime_bits()) == ([key], {})
