"""Who would have taken a token: what somebody did outweighs what he says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.response.radius_key import key_sql
from immure.response.radius_parties import would_accept
from immure.response.radius_settings import Party, RadiusSettings
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources import StaticSource

ISSUER, TEMPLATE = "https://login.example/", "https://login.example/{tenantid}/v2.0"
TENANT = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
AUDIENCE = "https://mail.example"


def record(issuer: str = ISSUER, **scope: Any) -> KeyRecord:
    classes = frozenset(scope.pop("audience_classes", {"enterprise"}))
    key = PublicKey(OkpNumbers("Ed25519", bytes(31) + b"\x01"), Origin("test"))
    made = KeyScope(issuer, audience_classes=classes, **scope)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return KeyRecord.new(key, "k1", made, by="ops", at=at, state=KeyState.ACTIVE)


def policy(issuer: str = ISSUER, **rule: Any) -> Policy:
    given = {"audience_class": "enterprise", **rule}
    return Policy(
        {issuer: IssuerRule(StaticSource(KeySet.from_jwks({"keys": []}, "none")), **given)},
        {AUDIENCE: frozenset({"enterprise"})},
    )


def probe(**members: Any) -> dict[str, Any]:
    return {
        "verdict": "nothing let in",
        "complete": True,
        "counts": {"holes": 0},
        "trusted": {"keys": []},
        **members,
    }


KEY = record()
THEIRS = {"keys": [{"kid": "k1", "alg": "EdDSA", "thumbprint": KEY.thumbprint}]}


@pytest.mark.parametrize(
    ("party", "asked", "wanted", "words"),
    [
        ({}, {}, "unknown", "nothing is known"),
        ({}, {"accepted": 3}, "yes", "3 such tokens as accepted"),
        ({}, {"refused": 2, "rule": "key-class"}, "no", "2 tokens of the key as refused (key-class)"),
        ({}, {"accepted": 1, "refused": 2}, "yes", "1 such tokens"),
        ({"probe": probe()}, {}, "no", "lets nothing forged in"),
        ({"probe": probe(trusted=THEIRS)}, {}, "yes", "trusts the key"),
        ({"probe": probe(counts={"holes": 2})}, {}, "yes", "2 kinds of forged tokens"),
        ({"probe": probe(complete=False)}, {}, "unknown", "did not come to its end"),
        ({"probe": {}}, {}, "unknown", "did not come to its end"),
        ({"probe": {"trusted": {"keys": "x"}, "counts": []}}, {}, "unknown", "did not come to its end"),
        ({"probe": probe()}, {"accepted": 1}, "yes", "but a probe found"),
        ({"policy": policy()}, {}, "yes", "by its policy the key may sign for it"),
        ({"policy": policy(), "audience": AUDIENCE}, {}, "yes", "by its policy"),
        ({"policy": policy(), "audience": "https://other.example"}, {}, "no", "does not have the audience"),
        ({"policy": policy(audience_class="workload")}, {}, "no", "'workload' audiences"),
        ({"policy": policy("https://other.example/")}, {}, "no", "may not sign for an issuer"),
        ({"policy": policy(algorithms=frozenset({"RS256"}))}, {}, "yes", "by its policy"),
        ({"policy": policy()}, {"refused": 1}, "no", "but by its policy"),
    ],
)
def test_who_would_accept(party: dict[str, Any], asked: dict[str, Any], wanted: str, words: str) -> None:
    given = {"accepted": 0, "refused": 0, "rule": "", **asked}
    verdict, why = would_accept(Party("mail", **party), KEY, "k1", **given)
    assert verdict == wanted
    assert words in why


@pytest.mark.parametrize(
    ("key", "rule", "wanted"),
    [
        (record(TEMPLATE), policy(TEMPLATE), "yes"),
        (record(f"https://login.example/{TENANT}/v2.0"), policy(TEMPLATE), "yes"),
        (record(TEMPLATE), policy(f"https://login.example/{TENANT}/v2.0"), "yes"),
        (record(TEMPLATE), policy(f"https://login.example/{TENANT}/v2.0", exact_keys=True), "no"),
        (record(audience_classes={"consumer"}), policy(), "no"),
        (record(clouds=frozenset({"a"})), policy(clouds=frozenset({"b"})), "no"),
        (record(algorithms=frozenset({"EdDSA"})), policy(algorithms=frozenset({"EdDSA"})), "yes"),
        (record(algorithms=frozenset({"EdDSA"})), policy(algorithms=frozenset({"ES256"})), "no"),
        (replace(KEY, scope=None), policy(), "no"),
        (None, policy(), "unknown"),
    ],
)
def test_policies_and_scopes(key: KeyRecord | None, rule: Policy, wanted: str) -> None:
    party = Party("mail", policy=rule)
    assert would_accept(party, key, "k1", accepted=0, refused=0, rule="")[0] == wanted


def test_a_probe_without_a_registry() -> None:
    party = Party("mail", probe=probe(trusted=THEIRS))
    assert would_accept(party, None, "k1", accepted=0, refused=0, rule="")[0] == "yes"
    assert would_accept(party, None, "k2", accepted=0, refused=0, rule="")[0] == "no"


def test_a_kid_is_a_text_and_no_sql() -> None:
    assert key_sql(RadiusSettings("k'1")) == "(kid = 'k''1')"
    other = record(TEMPLATE)
    sql = key_sql(RadiusSettings("k1", record=KEY, namesakes=(other,)))
    assert "regexp_full_match" in sql
    assert KEY.thumbprint in sql
