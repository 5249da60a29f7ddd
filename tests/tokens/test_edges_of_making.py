"""The exact edges of what is read of keys, and of what policies are made of; see test_edges.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from immure.errors import KeyFormatError, PolicyError
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.tokens.errors import DuplicateKeyError, KeyUseError, UnknownKeyError
from immure.tokens.jwk_scope import ANY_CLASS, AssumedScope, scoped_key
from immure.tokens.keyset import MOST_KEYS, KeySet
from immure.tokens.policy import Policy, check_issuer
from tokens.minting import CHAT, ISSUER, MAIL, NOW, TENANT, T, jwk, policy
from tokens.test_edges import LATEST

# --- what is read of a JWK ---


def test_all_that_a_jwk_says_is_kept():
    stated = jwk(
        "ES256", issuer="https://a.example", cloud_instance_name="c", alg="ES256", use="sig", nbf=T - 9,
        exp=T + 9, audience_classes=["x", "*"], tenants=[TENANT],
    )  # fmt: skip
    begins, ends = NOW - timedelta(seconds=9), NOW + timedelta(seconds=9)
    found = scoped_key(stated, "set")
    origin = found.key.origin
    assert (found.kid, found.state) == ("ES256", KeyState.ACTIVE)
    assert (origin.source, origin.kid, origin.issuer) == ("set", "ES256", "https://a.example")
    assert (origin.cloud_instance_name, origin.use, origin.alg) == ("c", "sig", "ES256")
    assert (origin.not_before, origin.not_after) == (begins, ends)
    assert found.scope == KeyScope(
        "https://a.example",
        frozenset({"x"}),
        frozenset({TENANT}),
        frozenset({"c"}),
        frozenset({"ES256"}),
        begins,
        ends,
    )
    plain = scoped_key(jwk("ES256", issuer=None), "set", "https://b.example")
    assert plain.key.origin.issuer == "https://b.example"
    assert plain.scope == AssumedScope("https://b.example", audience_classes=frozenset({ANY_CLASS}))
    assert type(scoped_key(jwk("ES256"), "set", "https://b.example").scope) is KeyScope
    assert scoped_key(jwk("ES256", issuer=None), "set").scope is None


@pytest.mark.parametrize(
    ("revoked", "state"),
    [
        (None, KeyState.ACTIVE),
        ({"reason": "superseded"}, KeyState.DEACTIVATED),
        ({"reason": "compromised"}, KeyState.COMPROMISED),
        ({}, KeyState.COMPROMISED),
        ("superseded", KeyState.COMPROMISED),
    ],
)
def test_states_of_revoked_keys(revoked, state):
    assert scoped_key(jwk("ES256", revoked=revoked), "set").state is state


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"audience_classes": "x"}, "audience_classes is not a list of texts"),
        ({"audience_classes": [1]}, "audience_classes is not a list of texts"),
        ({"issuer": "x" * 1025}, "issuer is not a text of sane length"),
        ({"issuer": "{tenantid}/{tenantid}"}, "its issuer is a template that is not understood"),
        ({"issuer": "{tenantid}/{x}"}, "its issuer is a template that is not understood"),
        ({"exp": LATEST + 1}, "exp is not a time"),
    ],
)
def test_members_that_are_malformed(members, words):
    with pytest.raises(KeyFormatError) as caught:
        scoped_key(jwk("ES256", **members), "set")
    assert caught.value.reason == words


def test_members_at_their_edges():
    assert scoped_key(jwk("ES256", issuer="x" * 1024), "set").scope.issuer == "x" * 1024
    assert scoped_key(jwk("ES256", exp=LATEST, nbf=0), "set").key.origin.not_after.year == 9999
    with pytest.raises(KeyUseError) as caught:
        scoped_key(jwk("ES256", use="u" * 50), "set")
    assert caught.value.reason == f"is for another use: '{'u' * 40}'"


def test_sets_made_of_keys():
    one = scoped_key(jwk("ES256", kid="k" * 100), "set")
    keys = KeySet([one], "set")
    assert keys.find("k" * 100) is keys.find(None) is one
    with pytest.raises(UnknownKeyError):
        keys.find("other")
    with pytest.raises(DuplicateKeyError) as caught:
        KeySet([one, one], "set")
    assert str(caught.value) == f"set: two keys have the id '{'k' * 80}'"
    refused = KeySet([], "set", [("k" * 100, (KeyUseError, "is not"))])
    with pytest.raises(KeyUseError) as caught:
        refused.find("k" * 100)
    assert str(caught.value) == f"set: the key '{'k' * 80}' is not"
    named = KeySet.from_jwks(jwk("ES256"), "set")
    assert named.keys[0].key.origin.source == "set"
    assert ["other" in named, "ES256" in named] == [False, True]
    odd = KeySet.from_jwks({"keys": [{"kid": 7}, {"kid": [1]}]}, "set")  # no two keys of one id
    assert len(odd) == 0
    with pytest.raises(UnknownKeyError):
        odd.find("")
    assert len(KeySet.from_jwks({"keys": [{}] * MOST_KEYS}, "set")) == 0


def test_where_one_key_says_whose_it_is_the_source_speaks_for_none():
    keys = KeySet.from_jwks({"keys": [jwk("ES256"), jwk("RS", issuer=None)]}, "set", issuer=ISSUER)
    assert [one.scope is None for one in keys.keys] == [False, True]
    keys = KeySet.from_jwks(
        {"keys": [jwk("ES256", issuer=None), jwk("RS", issuer=None)]}, "set", issuer=ISSUER
    )
    assert [one.scope.issuer for one in keys.keys] == [ISSUER, ISSUER]


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("", "an issuer is a text, with {tenantid} in it once at most"),
        (7, "an issuer is a text, with {tenantid} in it once at most"),
        (None, "an issuer is a text, with {tenantid} in it once at most"),
        ("{tenantid}/{tenantid}", "an issuer is a text, with {tenantid} in it once at most"),
        ("*" + "i" * 300, f"an issuer with a placeholder that is not {{tenantid}}: '*{'i' * 199}'"),
        ("{x", "an issuer with a placeholder that is not {tenantid}: '{x'"),
        ("x}", "an issuer with a placeholder that is not {tenantid}: 'x}'"),
    ],
)
def test_issuers_that_are_none(issuer, words):
    with pytest.raises(PolicyError) as caught:
        check_issuer(issuer)
    assert caught.value.reason == words
    for right in ("X", "https://x.example/{tenantid}", "{tenantid}"):
        check_issuer(right)


def test_a_policy_cannot_be_changed_by_what_it_was_made_of():
    issuers, values = dict(policy().issuers), {"v": ["a"]}
    audiences, require = {MAIL: ["enterprise"]}, ["exp"]
    made = Policy(issuers, audiences, values=values, require=require)
    issuers.clear()
    audiences[CHAT] = ["consumer"]
    values["w"] = ["b"]
    require.append("x")
    assert len(made.issuers) == 2
    assert (made.audiences, made.values, made.require) == ({MAIL: {"enterprise"}}, {"v": {"a"}}, {"exp"})
    for table in (made.issuers, made.audiences, made.values):
        with pytest.raises(TypeError):
            table["x"] = 1
    assert all(type(one) is frozenset for one in (made.require, made.audiences[MAIL], made.values["v"]))
