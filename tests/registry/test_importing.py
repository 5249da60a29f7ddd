"""From sources to records: what is kept, what may be narrowed, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from immure.keymaterial.sources import load_keys
from immure.registry.errors import RegistryError, ScopeError
from immure.registry.importing import Wanted, records_from
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

from .certificates import chain
from .material import DAY, ISSUER, NOW, OTHER, TEMPLATE, TENANT, document, jwk, public

CONSUMER = frozenset({"consumer"})


def one(key, **wanted):
    taken = records_from([key], Wanted(by="me", **wanted), at=NOW)
    (record,) = taken.records
    return record, taken.notes


def test_what_the_source_says_is_kept():
    key = public(
        "RSA-2048",
        kid="k1",
        issuer=ISSUER,
        cloud_instance_name="public",
        use="sig",
        alg="RS256",
        not_before=NOW - DAY,
        not_after=NOW + DAY,
    )
    record, notes = one(key, audience_classes=CONSUMER)
    assert (record.kid, record.state, record.history[0].by) == ("k1", KeyState.PRE_ACTIVE, "me")
    assert record.scope == KeyScope(
        ISSUER,
        CONSUMER,
        clouds=frozenset({"public"}),
        algorithms=frozenset({"RS256"}),
        not_before=NOW - DAY,
        not_after=NOW + DAY,
    )
    assert (record.key.origin.not_before, record.key.origin.not_after) == (NOW - DAY, NOW + DAY)
    assert notes == []


@pytest.mark.parametrize(
    ("origin", "wanted", "expected"),
    [
        ({}, {}, None),
        ({}, {"issuer": ISSUER}, KeyScope(ISSUER)),
        ({"issuer": ISSUER}, {}, KeyScope(ISSUER)),
        ({"issuer": ISSUER}, {"issuer": ISSUER}, KeyScope(ISSUER)),
        ({"issuer": TEMPLATE}, {"issuer": TEMPLATE.replace("{tenantid}", TENANT)}, TENANT),
        ({"issuer": ISSUER}, {"not_after": NOW}, KeyScope(ISSUER, not_after=NOW)),
        (
            {"issuer": ISSUER, "not_after": NOW - DAY},
            {"not_after": NOW},
            KeyScope(ISSUER, not_after=NOW - DAY),
        ),
        ({"issuer": ISSUER, "not_before": NOW}, {"not_before": NOW - DAY}, KeyScope(ISSUER, not_before=NOW)),
        ({"issuer": ISSUER, "alg": "EdDSA"}, {}, KeyScope(ISSUER, algorithms=frozenset({"EdDSA"}))),
    ],
)
def test_scopes(origin, wanted, expected):
    record, _ = one(public(**origin), **wanted)
    if expected is TENANT:
        expected = KeyScope(TEMPLATE.replace("{tenantid}", TENANT))
    assert record.scope == expected


@pytest.mark.parametrize(
    ("origin", "wanted", "words"),
    [
        ({"issuer": ISSUER}, {"issuer": OTHER}, "is for https://login.example, as its source says"),
        ({"issuer": ISSUER}, {"issuer": TEMPLATE}, "as its source says"),
        ({"issuer": TEMPLATE}, {"issuer": TEMPLATE.replace("{tenantid}", "common")}, "as its source says"),
        ({"issuer": ISSUER, "cloud_instance_name": "a"}, {"clouds": frozenset("b")}, "the cloud 'a'"),
        ({"issuer": ISSUER, "cloud_instance_name": "a"}, {"clouds": frozenset("ab")}, "the cloud 'a'"),
        ({"issuer": ISSUER, "alg": "EdDSA"}, {"algorithms": frozenset({"Ed25519"})}, "the algorithm 'EdDSA'"),
        ({"issuer": ISSUER, "alg": "RS256"}, {}, "'RS256' is not one of this key's"),
        ({}, {"audience_classes": CONSUMER}, "begins with an issuer"),
        ({"issuer": "https://a/{x}"}, {}, "other braces"),
        ({"issuer": ISSUER, "not_after": NOW - DAY}, {"not_before": NOW}, "ends before it begins"),
    ],
)
def test_what_contradicts_is_refused(origin, wanted, words):
    with pytest.raises(ScopeError, match=words):
        one(public(**origin), **wanted)


def test_keys_that_do_not_sign_are_left_out():
    taken = records_from([public("X25519"), public(use="enc", kid="e")], Wanted(by="me"), at=NOW)
    assert taken.records == []
    assert ["signs nothing" in taken.notes[0], "'enc'" in taken.notes[1]] == [True, True]


@pytest.mark.parametrize("kid", ["a\nb", "\ud800", "\x1b[2J", "\u202e"])
def test_kids_that_cannot_be_kept(kid):
    with pytest.raises(RegistryError, match="kid"):
        one(public(kid=kid))


def test_names_of_keys_without_one():
    assert one(public())[0].kid == public().thumbprint
    assert one(public(), kid="mine")[0].kid == "mine"
    with pytest.raises(RegistryError, match="one kid for 2 keys"):
        records_from([public(), public("P-256")], Wanted(by="me", kid="mine"), at=NOW)


def test_a_key_set_with_a_certificate_and_a_private_key(tmp_path):
    born, dies = datetime(2016, 4, 5, tzinfo=UTC), datetime(2021, 4, 4, tzinfo=UTC)
    private = jwk("Ed25519", kid="private", d="AA")
    (tmp_path / "jwks.json").write_bytes(
        document(jwk("P-256", kid="msa", issuer=ISSUER, x5c=chain("P-256", 0, born, dies)), private)
    )
    loaded = load_keys(str(tmp_path / "jwks.json"))
    taken = records_from(loaded, Wanted(by="me"), at=NOW)
    assert taken.records[0].scope == KeyScope(ISSUER, not_before=born, not_after=dies)
    assert set(taken.records[1].key.to_jwk()) == {"kty", "crv", "x"}
    assert any("PRIVATE" in note for note in loaded.notes)
    assert timedelta() < dies - born
