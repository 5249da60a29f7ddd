"""The incident's shape: a genuine consumer key, a key set that consumers and enterprises share, and a token
that names an enterprise as its issuer."""

from __future__ import annotations

import pytest

from immure.tokens.errors import (
    AudienceClassError,
    KeyIssuerError,
    KeyWindowError,
    TenantError,
    TokenError,
    UnknownKeyError,
    UnscopedKeyError,
)
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import (
    CHAT,
    CONSUMER_ISSUER,
    CONSUMERS,
    ENTERPRISE,
    MAIL,
    NOW,
    Mint,
    jwk,
    key_set,
    validator,
)

THIEF = Mint(key="Ed25519:consumer")
CONSUMER = {"iss": CONSUMER_ISSUER, "tid": CONSUMERS}


def test_the_genuine_enterprise_token_is_accepted():
    accepted = validator().validate(Mint().token(), audience=MAIL)
    assert (accepted["sub"], accepted.audience_class, accepted.key.kid) == (
        "mailbox-7",
        "enterprise",
        "Ed25519",
    )


def test_the_genuine_consumer_token_is_accepted_where_consumers_are():
    assert validator().validate(THIEF.token(**CONSUMER, aud=CHAT)).audience_class == "consumer"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param(THIEF.token(), KeyIssuerError, id="consumer-key-enterprise-issuer"),
        pytest.param(THIEF.token(tid=CONSUMERS), KeyIssuerError, id="with-its-own-tenant"),
        pytest.param(THIEF.token(**CONSUMER), AudienceClassError, id="consumer-token-at-enterprise-audience"),
        pytest.param(
            THIEF.token(**CONSUMER, aud=[CHAT, MAIL]),
            AudienceClassError,
            id="beside-one-that-takes-consumers",
        ),
        pytest.param(Mint().token(**CONSUMER, aud=CHAT), KeyIssuerError, id="enterprise-key-consumer-issuer"),
        pytest.param(
            Mint(key="Ed25519:other", header={"kid": "Ed25519:consumer"}).token(),
            TokenError,
            id="unknown-key",
        ),
        pytest.param(Mint(key="Ed25519:other").token(), UnknownKeyError, id="unknown-kid"),
    ],
)
def test_it_is_refused(token, error):
    with pytest.raises(error):
        validator().validate(token)


def test_a_key_that_says_nothing_beside_others_is_refused():
    lax = validator(jwk("Ed25519"), jwk("Ed25519:consumer", issuer=None))
    with pytest.raises(UnscopedKeyError):
        lax.validate(THIEF.token())


def test_a_pooled_set_that_says_nothing_at_all_opens_no_door():
    pool = validator(jwk("Ed25519", issuer=None), jwk("Ed25519:consumer", issuer=None))
    for mint in (Mint(), THIEF):
        with pytest.raises(UnscopedKeyError):
            pool.validate(mint.token())


def test_an_expired_key_is_refused_however_good_its_signature():
    expired = jwk("Ed25519", exp=int(NOW.timestamp()) - 1)
    with pytest.raises(KeyWindowError):
        validator(expired).validate(Mint().token())


def test_without_a_rule_for_consumers_their_tenant_is_no_enterprise():
    source = StaticSource(key_set(jwk("Ed25519")))
    rule = IssuerRule(source, "enterprise", separate_tenants=frozenset({CONSUMERS}))
    alone = Validator(Policy({ENTERPRISE: rule}, {MAIL: frozenset({"enterprise"})}), time=lambda: NOW)
    assert alone.validate(Mint().token())
    with pytest.raises(TenantError):
        alone.validate(Mint().token(**CONSUMER))


def test_two_issuers_never_share_their_keys():
    a, b = "https://a.example", "https://b.example"
    rules = {
        name: IssuerRule(
            StaticSource(key_set(jwk(f"Ed25519:{name}", kid="1", issuer=None), issuer=name)), "workload"
        )
        for name in (a, b)
    }
    two = Validator(Policy(rules, {MAIL: frozenset({"workload"})}), time=lambda: NOW)
    for signer in (a, b):
        mint = Mint(key=f"Ed25519:{signer}", header={"kid": "1"})
        assert two.validate(mint.token(iss=signer, tid=None))["iss"] == signer
        with pytest.raises(TokenError):
            two.validate(mint.token(iss=b if signer == a else a, tid=None))
