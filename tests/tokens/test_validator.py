"""The validator as its callers see it: claims, caches, threads, and keys that change under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from immure.errors import KeySourceError, PolicyError
from immure.registry.state import KeyState
from immure.tokens.errors import (
    AlgorithmError,
    ExpiredError,
    KeyClassError,
    KeyStateError,
    KeyTenantError,
    KeyWindowError,
    TokenError,
)
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.validator import Validator
from tokens.minting import (
    ENTERPRISE,
    ISSUER,
    MAIL,
    NOW,
    OTHER_TENANT,
    TENANT,
    Mint,
    T,
    jwk,
    key_set,
    policy,
    validator,
)


class Changing(KeySource):
    """A source whose one key may change or go."""

    def __init__(self, key):
        self.key = key

    def find(self, kid):
        if self.key is None:
            raise KeySourceError("is gone", path="https://login.example/keys")
        return self.key


def of(source) -> Validator:
    return Validator(
        Policy({ENTERPRISE: IssuerRule(source, "enterprise")}, {MAIL: frozenset({"enterprise"})}),
        time=lambda: NOW,
    )


def test_claims_read_like_a_dictionary():
    made = validator().validate(Mint().token())
    assert (made.issuer, made.subject, made.audience, made.tenant) == (ISSUER, "mailbox-7", (MAIL,), TENANT)
    assert made.expires == NOW + timedelta(hours=1)
    assert dict(made)["sub"] == made["sub"]
    assert len(made) == 7
    assert made.header.members["typ"] == "JWT"
    with pytest.raises(KeyError):
        made["nothing"]


def test_a_key_that_is_compromised_is_refused_at_once():
    source = Changing(key_set(jwk("Ed25519")).find("Ed25519"))
    one, token = of(source), Mint().token()
    assert one.validate(token)
    source.key = replace(source.key, state=KeyState.COMPROMISED)
    with pytest.raises(KeyStateError):
        one.validate(token)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tenants": frozenset({TENANT})}, None),
        ({"tenants": frozenset({OTHER_TENANT})}, KeyTenantError),
        ({"audience_classes": frozenset({"enterprise"})}, None),
        ({"audience_classes": frozenset()}, KeyClassError),
        ({"algorithms": frozenset({"Ed25519"})}, AlgorithmError),
        ({"not_after": NOW - timedelta(seconds=1)}, KeyWindowError),
        ({"not_before": NOW + timedelta(seconds=1)}, KeyWindowError),
    ],
)
def test_scopes_that_a_registry_gives(change, error):
    key = key_set(jwk("Ed25519")).find("Ed25519")
    one = of(Changing(replace(key, scope=replace(key.scope, **change))))
    if error is None:
        assert one.validate(Mint().token())
    else:
        with pytest.raises(error):
            one.validate(Mint().token())


def test_what_the_key_itself_says_holds_besides():
    key = key_set(jwk("Ed25519", alg="Ed25519")).find("Ed25519")
    one = of(Changing(replace(key, scope=replace(key.scope, algorithms=frozenset()))))
    with pytest.raises(AlgorithmError):
        one.validate(Mint().token())


@pytest.mark.parametrize("state", KeyState)
def test_states(state):
    one = of(Changing(replace(key_set(jwk("Ed25519")).find("Ed25519"), state=state)))
    if state.verifies:
        assert one.validate(Mint().token())
    else:
        with pytest.raises(KeyStateError):
            one.validate(Mint().token())


def test_another_key_under_the_same_id():
    source = Changing(key_set(jwk("Ed25519")).find("Ed25519"))
    one, token = of(source), Mint().token()
    assert one.validate(token)
    source.key = key_set(jwk("Ed25519:2", kid="Ed25519")).find("Ed25519")
    with pytest.raises(TokenError):
        one.validate(token)


def test_a_source_that_fails_is_no_verdict():
    one = of(Changing(None))
    for attempt in (lambda: one.validate(Mint().token()), lambda: asyncio.run(one.avalidate(Mint().token()))):
        with pytest.raises(KeySourceError):
            attempt()


def test_what_was_accepted_once_is_asked_again():
    one, token = Validator(policy()), Mint().token()
    assert one.validate(token, now=NOW)
    with pytest.raises(ExpiredError):
        one.validate(token, now=NOW + timedelta(hours=2))


def test_changing_claims_changes_no_other_answer():
    one, token = validator(), Mint().token()
    header = one.validate(token).header.members
    header["alg"] = "none"
    assert one.validate(token).header.alg == "EdDSA"


def test_only_accepted_tokens_are_remembered():
    one = validator()
    for number in range(50):
        with pytest.raises(TokenError):
            one.validate(Mint(header={"n": number}).token(exp=T - 999))
    assert not one._headers
    assert one.validate(Mint().token())
    assert len(one._headers) == 1


POLICIES = [
    {"issuers": {}},
    {"skew": timedelta(minutes=11)},
    {"skew": timedelta(seconds=-1)},
    {"max_age": timedelta(0)},
    {"most_bytes": 0},
    {"most_bytes": (16 << 10) + 1},
    {"confirmation": "sometimes"},
    {"audience_claim": "azp"},
    {"require": "exp"},
    {"require": [""]},
    {"require": [7]},
    {"audiences": {MAIL: "enterprise"}},
]


@pytest.mark.parametrize("change", POLICIES)
def test_policies_that_make_no_sense(change):
    with pytest.raises(PolicyError):
        policy(**change)


@pytest.mark.parametrize(
    "issuer", ["", "https://*.example", "https://{host}/", f"{ENTERPRISE}/{{tenantid}}", 7]
)
def test_issuers_that_fit_too_much(issuer):
    rule = IssuerRule(Changing(None), "enterprise")
    with pytest.raises(PolicyError):
        Policy({issuer: rule}, {MAIL: frozenset({"enterprise"})})


RULES = [
    {"algorithms": {"none"}},
    {"algorithms": {"HS256"}},
    {"algorithms": "RS256"},
    {"audience_class": "*"},
    {"audience_class": ""},
    {"audience_class": None},
    {"source": None},
    {"tenants": "x"},
    {"separate_tenants": [1]},
    {"clouds": [""]},
]


@pytest.mark.parametrize("change", RULES)
def test_rules_that_make_no_sense(change):
    with pytest.raises(PolicyError):
        IssuerRule(**{"source": Changing(None), "audience_class": "enterprise", **change})
