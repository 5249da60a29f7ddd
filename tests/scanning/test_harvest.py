"""What the survey saw becomes keys to search for, and proofs."""

from __future__ import annotations

import pytest

from immure.keymaterial.structures import PrivateHit, PublicHit
from immure.scanning.harvest import Harvest
from immure.scanning.keyset import KeySet

from .material import image_of, private, public

KIND = "P-256"


def private_hit(proved: bool = True, offset: int = 10) -> PrivateHit:
    return PrivateHit(
        private(KIND), offset, 138, "pkcs8-der", proved, kid="k1", issuer="https://issuer.example"
    )


def public_hit(offset: int = 500) -> PublicHit:
    return PublicHit(public(KIND).numbers, offset, 91, "spki-der")


PROVED, SCRAP, PUBLIC = private_hit(), private_hit(proved=False), public_hit()
TABLE: list[tuple[str, list[PrivateHit | PublicHit], bool, bool, str | None, bool]] = [
    ("a private key", [PROVED], True, True, "unnamed", True),
    ("and its public half behind it", [PROVED, PUBLIC], True, True, "harvested", True),
    ("and its public half before it", [PUBLIC, PROVED], True, True, "harvested", True),
    ("a public key", [PUBLIC], True, True, "harvested", False),
    ("a scrap", [SCRAP], True, True, None, False),
    ("a scrap of a known key", [SCRAP, PUBLIC], True, True, "harvested", True),
    ("structures are not asked for", [PROVED], True, False, "harvested", False),
    ("keys are not to be harvested", [PUBLIC], False, True, None, False),
    ("neither", [PUBLIC, PROVED], False, False, None, False),
    ("only private keys", [PUBLIC, PROVED], False, True, "unnamed", True),
]


@pytest.mark.parametrize(
    ("hits", "takes_public", "takes_private", "kind", "is_proved"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_hits(
    hits: list[PrivateHit | PublicHit],
    takes_public: bool,
    takes_private: bool,
    kind: str | None,
    is_proved: bool,
) -> None:
    keys = KeySet()
    harvest = Harvest(keys, public=takes_public, private=takes_private)
    for hit in hits:
        harvest.take(hit)
    harvest.settle()
    entry = keys.get(public(KIND).numbers)
    assert (entry.kind if entry else None) == kind
    assert (public(KIND).numbers in harvest.proofs) == is_proved


def test_what_the_structure_says_of_a_key_is_kept() -> None:
    keys = KeySet()
    harvest = Harvest(keys, public=True, private=True)
    harvest.take(private_hit())
    harvest.take(private_hit(offset=300))
    entry = keys.get(public(KIND).numbers)
    assert entry is not None
    origin = entry.key.origin
    assert (origin.source, origin.kid, origin.issuer, origin.harvested_at) == (
        "image",
        "k1",
        "https://issuer.example",
        10,
    )
    places = harvest.occurrences(image_of(bytes(4096)))[public(KIND).numbers]
    assert [(one.offset, one.length, one.secret, one.encoding) for one in places] == [
        (10, 138, "key", "pkcs8-der"),
        (300, 138, "key", "pkcs8-der"),
    ]
    assert harvest.proofs[public(KIND).numbers].offset == 10
