"""The exact edges of rules about keys, tenants and clouds; see test_edges.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from immure.tokens.check import AllOf
from immure.tokens.errors import (
    TokenError,
)
from immure.tokens.key_checks import KeyMaySignForIssuer, WithinKeyScope, clouds_of
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import (
    CHAT,
    CONSUMERS,
    ISSUER,
    MAIL,
    NOW,
    OTHER_TENANT,
    TENANT,
    Mint,
    T,
    jwk,
    key_set,
    validator,
)
from tokens.test_edges import GOOD, LATEST, code
from tokens.test_validator import Changing, of

# --- windows ---


@pytest.mark.parametrize(
    ("members", "claims", "refused"),
    [
        ({"exp": T}, {}, None),
        ({"exp": T - 1}, {}, "key-window"),
        ({"nbf": T}, {"iat": None}, None),
        ({"nbf": T + 1}, {"iat": None}, "key-window"),
        ({"nbf": T}, {"iat": T - 60}, None),
        ({"nbf": T}, {"iat": T - 61}, "key-window"),
        ({"exp": T}, {"iat": T}, None),
        ({"exp": T}, {"iat": T + 1}, "key-window"),
        ({"exp": LATEST}, {}, None),
        ({"exp": 0}, {}, "key-window"),
        ({"exp": LATEST + 1}, {}, "key-use"),
        ({"nbf": 0}, {}, None),
    ],
)
def test_windows_of_keys(members, claims, refused):
    assert code(validator(jwk("Ed25519", **members)), Mint().token(nbf=None, **claims)) == refused


def test_the_narrower_of_two_windows():
    key = key_set(jwk("Ed25519", nbf=T - 100, exp=T + 100)).find("Ed25519")
    for begins, ends in ((T - 50, T + 200), (T - 200, T + 50)):
        scope = replace(
            key.scope,
            not_before=NOW + timedelta(seconds=begins - T),
            not_after=NOW + timedelta(seconds=ends - T),
        )
        one, token = of(Changing(replace(key, scope=scope))), Mint().token(iat=None, nbf=None)
        first, last = max(begins, T - 100), min(ends, T + 100)
        for at, refused in ((first - 1, "key-window"), (first, None), (last, None), (last + 1, "key-window")):
            assert code(one, token, now=NOW + timedelta(seconds=at - T)) == refused


# --- sets, clouds, tenants ---


def test_whether_a_set_has_a_key():
    keys = key_set(jwk("Ed25519"), jwk("ES256", use="enc"))
    assert [kid in keys for kid in ("Ed25519", "ES256", "x", None)] == [True, True, False, False]
    assert len(keys) == 1
    alone = KeySet.from_jwks(jwk("Ed25519", kid=None), "x")
    assert [kid in alone for kid in ("x", None)] == [True, True]


@pytest.mark.parametrize(
    ("stated", "wanted", "refused"),
    [
        ("a", {"a"}, None),
        ("a", {"a", "b"}, None),
        ("a", {"b"}, "key-cloud"),
        (None, {"b"}, "key-cloud"),
        (None, set(), None),
        ("a", set(), None),
    ],
)
def test_clouds(stated, wanted, refused):
    key = jwk("Ed25519", cloud_instance_name=stated)
    assert code(validator(key, rule={"clouds": wanted}), GOOD) == refused
    # a scope that says nothing of clouds, as a registry may have it: then what the key itself states counts
    found = key_set(key).find("Ed25519")
    found = replace(found, scope=replace(found.scope, clouds=frozenset()))
    assert clouds_of(found.scope, stated) == (frozenset() if stated is None else {stated})
    assert clouds_of(None, stated) == (frozenset() if stated is None else {stated})
    assert clouds_of(replace(found.scope, clouds=frozenset({"c"})), stated) == {"c"}


def exact(key, **rule):
    """A policy that names one tenant's issuer, and no template."""
    source = StaticSource(key_set(key))
    made = Policy({ISSUER: IssuerRule(source, "enterprise", **rule)}, {MAIL: frozenset({"enterprise"})})
    return Validator(made, time=lambda: NOW)


TEMPLATED, STATED = jwk("Ed25519"), jwk("Ed25519", issuer=ISSUER)


@pytest.mark.parametrize(
    ("key", "rule", "tid", "refused"),
    [
        # the key's template names the tenant, though the policy has none
        (TEMPLATED, {}, TENANT, None),
        (TEMPLATED, {}, OTHER_TENANT, "token-tenant"),
        (TEMPLATED, {}, None, "token-tenant"),
        # nothing names a tenant, so nobody asks
        (STATED, {}, None, None),
        (STATED, {}, OTHER_TENANT, None),
        (STATED, {}, "common", None),
        # the rule, or the key, asks
        (STATED, {"tenants": {TENANT}}, TENANT, None),
        (STATED, {"tenants": {TENANT}}, OTHER_TENANT, "token-tenant"),
        (STATED, {"tenants": {TENANT}}, None, "token-tenant"),
        (STATED, {"separate_tenants": {CONSUMERS}}, TENANT, None),
        (STATED, {"separate_tenants": {CONSUMERS}}, CONSUMERS, "token-tenant"),
        (STATED, {"separate_tenants": {CONSUMERS}}, None, "token-tenant"),
        (STATED, {"separate_tenants": {CONSUMERS}}, "common", "token-tenant"),
        (jwk("Ed25519", issuer=ISSUER, tenants=[TENANT]), {}, TENANT, None),
        (jwk("Ed25519", issuer=ISSUER, tenants=[TENANT]), {}, OTHER_TENANT, "key-tenant"),
        (jwk("Ed25519", issuer=ISSUER, tenants=[TENANT]), {}, None, "token-tenant"),
    ],
)
def test_who_asks_for_the_tenant(key, rule, tid, refused):
    one = exact(key, **{name: frozenset(value) for name, value in rule.items()})
    assert code(one, Mint().token(tid=tid)) == refused
    if refused is None:
        assert one.validate(Mint().token(tid=tid)).tenant == tid


def test_the_policys_template_binds_the_tenant_too():
    one = validator(jwk("Ed25519", issuer=ISSUER))
    assert code(one, GOOD) is None
    assert code(one, Mint().token(tid=OTHER_TENANT)) == "token-tenant"
    first, second = (f"{TENANT}/{{tenantid}}", f"{{tenantid}}/{OTHER_TENANT}")
    source = StaticSource(key_set(jwk("Ed25519", issuer=f"https://login.example/{first}")))
    rules = {f"https://login.example/{second}": IssuerRule(source, "enterprise")}
    two = Validator(Policy(rules, {MAIL: frozenset({"enterprise"})}), time=lambda: NOW)
    issuer = f"https://login.example/{TENANT}/{OTHER_TENANT}"
    assert code(two, Mint().token(iss=issuer, tid=TENANT)) is None  # the policy's word, not the key's
    assert code(two, Mint().token(iss=issuer, tid=OTHER_TENANT)) == "token-tenant"


def test_a_check_alone_copes_with_a_key_that_says_nothing():
    plain = jwk("Ed25519", issuer=None)
    for part in WithinKeyScope().parts:
        one = exact(plain)
        one.check = AllOf(part)
        assert code(one, GOOD) == ("key-unscoped" if isinstance(part, KeyMaySignForIssuer) else None)


def test_clouds_of_the_scope_come_before_those_that_the_key_states():
    key = key_set(jwk("Ed25519", cloud_instance_name="b")).find("Ed25519")
    key = replace(key, scope=replace(key.scope, clouds=frozenset({"a"})))
    for wanted, refused in (("a", None), ("b", "key-cloud")):
        rule = IssuerRule(Changing(key), "enterprise", clouds=frozenset({wanted}))
        made = Policy({ISSUER: rule}, {MAIL: frozenset({"enterprise"})})
        assert code(Validator(made, time=lambda: NOW), GOOD) == refused
    key = replace(key, scope=replace(key.scope, clouds=frozenset()))
    rule = IssuerRule(Changing(key), "enterprise", clouds=frozenset({"b"}))
    made = Policy({ISSUER: rule}, {MAIL: frozenset({"enterprise"})})
    assert code(Validator(made, time=lambda: NOW), GOOD) is None


def test_the_audience_that_is_asked_for():
    both = Mint().token(aud=[MAIL, CHAT])
    one = validator()
    for audience, token, refused in (
        (MAIL, GOOD, None),
        (CHAT, GOOD, "token-audience"),
        (MAIL, both, None),
        (CHAT, both, None),
        (None, both, None),
    ):
        assert code(one, token, audience=audience) == refused


def test_long_names_of_audiences_and_issuers_are_shown_in_part():
    name = "m" * 150
    one = validator(audiences={name: {"consumer"}})
    with pytest.raises(TokenError) as caught:
        one.validate(Mint().token(aud=name))
    assert str(caught.value) == f"the audience '{'m' * 100}' takes no tokens of class 'enterprise'"
    issuer = f"https://login.example/{TENANT}/{'i' * 300}"
    source = StaticSource(key_set(jwk("Ed25519", issuer="https://other.example")))
    made = Policy({issuer: IssuerRule(source, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    with pytest.raises(TokenError) as caught:
        Validator(made, time=lambda: NOW).validate(Mint().token(iss=issuer))
    assert str(caught.value).endswith(f"not for '{issuer[:200]}'")


def test_what_is_said_of_a_signature():
    with pytest.raises(TokenError, match=r"^the signature does not hold$"):
        validator().validate(GOOD.rpartition(".")[0] + "." + Mint().token(sub="x").rpartition(".")[2])


def test_what_is_said_of_the_only_key():
    keys = KeySet.from_jwks(jwk("Ed25519", kid=None, use="enc"), "set")
    for kid in (None, "x"):
        with pytest.raises(TokenError) as caught:
            keys.find(kid)
        assert caught.value.path == "set"
        assert str(caught.value) == "set: the only key is for another use: 'enc'"
