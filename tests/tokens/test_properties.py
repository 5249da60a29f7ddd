"""What holds of any bytes: a changed token is refused, and nothing but our errors comes out."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import ImmureError
from immure.keymaterial.key import b64url
from immure.tokens import jws
from immure.tokens.errors import TokenError
from immure.tokens.explain import explain
from immure.tokens.keyset import KeySet
from immure.tokens.parse import parse_token
from immure.tokens.policy_file import parse_policy
from tokens.minting import Mint, claims, jwk, key_set, sealed, validator

GOOD = [
    Mint(key=key, alg=alg).token() for key, alg in (("Ed25519", "EdDSA"), ("ES256", "ES256"), ("RS", "RS256"))
]
ONE = validator(jwk("Ed25519"), jwk("ES256"), jwk("RS"))
KEYS = key_set(jwk("Ed25519"), jwk("ES256"), jwk("RS"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["iss", "aud", "exp", "nbf", "iat", "tid", "sub", "cnf", "jti", "auth_time", "scope", "azp"]
)
MEMBERS = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "cty", "x5t", "enc", "zip"])


@pytest.mark.parametrize("token", GOOD)
def test_each_is_accepted(token):
    assert ONE.validate(token)
    assert asyncio.run(ONE.avalidate(token))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_a_token_with_any_change_is_refused(token, data):
    at = data.draw(st.integers(0, len(token)))
    length = data.draw(st.integers(0, 3))
    put = data.draw(st.text(alphabet=st.characters(max_codepoint=0x17F), max_size=3))
    changed = token[:at] + put + token[at + length :]
    if changed == token:
        return
    with pytest.raises(TokenError):
        ONE.validate(changed)
    with pytest.raises(TokenError):
        jws.verify(changed, KEYS)
    assert not explain(ONE, changed).accepted


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GOOD), st.sampled_from(GOOD), st.permutations([0, 1, 2]))
def test_parts_of_different_tokens_make_none(one, other, order):
    parts = [one.split(".")[order[0]], other.split(".")[order[1]], one.split(".")[order[2]]]
    changed = ".".join(parts)
    if changed in GOOD:
        return
    with pytest.raises(TokenError):
        ONE.validate(changed)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_garbage_is_refused(garbage):
    with pytest.raises(TokenError):
        ONE.validate(garbage)
    with pytest.raises(TokenError):
        jws.verify(garbage, KEYS)
    assert not explain(ONE, garbage).accepted


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=4), st.dictionaries(MEMBERS, JSON, max_size=3))
def test_genuine_signatures_over_strange_claims_raise_our_errors_only(strange, members):
    """If it is accepted all the same, the explanation agrees."""
    token = sealed(
        json.dumps({"alg": "EdDSA", "kid": "Ed25519"} | members).encode(),
        json.dumps(claims() | strange).encode(),
    )
    with suppress(TokenError):
        assert jws.verify(token, KEYS)[1]
    try:
        accepted = bool(ONE.validate(token))
    except TokenError:
        accepted = False
    assert explain(ONE, token).accepted == accepted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_genuine_signatures_over_garbage(head, payload):
    with pytest.raises(TokenError):
        ONE.validate(sealed(head, payload))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kid", "issuer", "use", "alg", "key_ops", "x5c", "exp", "x", "crv"]), JSON
    )
)
def test_any_key_set_is_a_set_or_our_error(members):
    with suppress(ImmureError):
        KeySet.from_jwks({"keys": [jwk("Ed25519") | members]}, "x").find("Ed25519")


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_document_is_a_key_set_or_our_error(document):
    with suppress(ImmureError):
        KeySet.from_jwks(document, "x")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100).map(b64url), st.binary(max_size=100).map(b64url))
def test_parsing_raises_our_errors_only(head, payload):
    with pytest.raises(TokenError):
        parse_token(f"{head}.{payload}.AA")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_policy_file_is_our_error(text):
    with pytest.raises(ImmureError):
        parse_policy(("version = 1\n" + text).encode("utf-8", "surrogatepass"), "x")
