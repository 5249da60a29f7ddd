"""PyJWT's interface: what it takes, and what it must not take over."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.compat import jwt
from immure.errors import ImmureError, PolicyError
from immure.tokens.sources.static import StaticSource
from tokens.minting import Mint, jwk, key_set, private

ISSUER, AUDIENCE = "https://login.example", "https://mail.example"
PUBLIC = private("ES256").public_key()
JWK = jwk("ES256", issuer=None)


def token(**changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 60} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return Mint("ES256", "ES256", payload=json.dumps(claims).encode()).token()


def decode(made, key=PUBLIC, algorithms=("ES256",), **options):
    return jwt.decode(made, key, algorithms, **{"audience": AUDIENCE, "issuer": ISSUER, **options})


@pytest.mark.parametrize(
    "key",
    [
        PUBLIC,
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        JWK,
        {"keys": [JWK, jwk("Ed25519", issuer=None)]},
        StaticSource(key_set(JWK, issuer=ISSUER)),
        type("PyJWK", (), {"key": PUBLIC})(),
    ],
)
def test_keys_of_all_kinds(key):
    assert decode(token(), key)["sub"] == "ada"


def test_options():
    assert decode(token(exp=1, iat=None), options={"verify_exp": False})
    assert decode(token(exp=int(time.time()) - 5), leeway=10, options={"verify_iat": False})
    assert decode(token(aud=None), audience=None)
    assert decode(token(), audience=["x", AUDIENCE])
    assert decode(token(aud="x"), audience=None, options={"verify_aud": False})
    scoped = {"keys": [jwk("ES256", issuer=ISSUER), jwk("Ed25519", issuer="https://other.example")]}
    assert decode(token(), scoped, issuer=None)
    assert decode(token(), scoped, issuer=[ISSUER, "https://other.example"])


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "options", "error", "code"),
    [
        ({"exp": 1, "iat": None}, {}, jwt.ExpiredSignatureError, "token-expired"),
        ({"nbf": NOW + 999}, {}, jwt.ImmatureSignatureError, "token-not-yet"),
        ({"aud": "x"}, {}, jwt.InvalidAudienceError, "token-audience"),
        ({}, {"audience": None}, jwt.InvalidAudienceError, "token-audience"),
        ({"iss": "x"}, {}, jwt.InvalidIssuerError, "token-issuer"),
        ({"iss": None}, {}, jwt.MissingRequiredClaimError, "claim-missing"),
        ({}, {"options": {"require": ["jti"]}}, jwt.MissingRequiredClaimError, "claim-missing"),
        ({}, {"algorithms": ["RS256"]}, jwt.InvalidAlgorithmError, "token-alg"),
        ({}, {"key": private("ES256:2").public_key()}, jwt.InvalidSignatureError, "token-signature"),
        ({"exp": "soon"}, {}, jwt.DecodeError, "claim-type"),
        (
            {},
            {"key": {"keys": [jwk("ES256", issuer="https://b.example")]}},
            jwt.InvalidIssuerError,
            "key-issuer",
        ),
        ({}, {"issuer": [ISSUER, "https://b.example"]}, jwt.InvalidIssuerError, "key-unscoped"),
        ({}, {"key": {"keys": [jwk("Ed25519", issuer=None)]}}, jwt.InvalidTokenError, "key-unknown"),
    ],
)
def test_refusals_have_their_names(changes, options, error, code):
    with pytest.raises(error) as caught:
        decode(token(**changes), **options)
    assert type(caught.value) is error
    assert caught.value.code == code


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": None},
        {"algorithms": None},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"options": {"verify_signature": False}},
        {"options": {"verify_all": True}},
        {"key": b"secret"},
        {"key": None},
        {"key": 7},
        {"leeway": 10_000},
        {"leeway": -1},
        {"leeway": float("nan")},
        {"leeway": "1"},
        {"leeway": timedelta(hours=1)},
        {"algorithms": [["ES256"]]},
        {"algorithms": 7},
        {"audience": [["x"]]},
        {"audience": 7},
        {"issuer": [7]},
        {"options": {"require": 7}},
        {"options": {"require": [["exp"]]}},
    ],
)
def test_what_cannot_be_asked_for(options):
    with pytest.raises(ImmureError) as caught:
        decode(token(), **options)
    assert isinstance(caught.value, PolicyError) or options.get("key") == b"secret"
