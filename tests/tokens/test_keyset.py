"""Key sets: one meaning for each id, and a reason for each key that cannot be used."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from immure.errors import KeySourceError
from immure.registry.state import KeyState
from immure.tokens.errors import DuplicateKeyError, TokenError, UnknownKeyError, UnscopedKeyError
from immure.tokens.keyset import MOST_KEYS, KeySet
from tokens.minting import Mint, jwk, key_set, private, validator


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": [1]}, "x"])
def test_no_set(document):
    with pytest.raises(KeySourceError):
        KeySet.from_jwks(document, "x")


def test_where_some_keys_say_for_whom_the_source_does_not_say_it_for_others():
    keys = key_set(jwk("Ed25519"), jwk("ES256", issuer=None), issuer="https://login.example")
    with pytest.raises(UnscopedKeyError):
        keys.find("ES256")


def test_too_many_keys():
    with pytest.raises(KeySourceError):
        KeySet.from_jwks({"keys": [{}] * (MOST_KEYS + 1)}, "x")


@pytest.mark.parametrize(
    "twin", [jwk("Ed25519"), jwk("ES256", kid="Ed25519"), {"kty": "oct", "kid": "Ed25519"}]
)
def test_an_id_means_one_key(twin):
    with pytest.raises(DuplicateKeyError):
        key_set(jwk("Ed25519"), twin)


def test_a_broken_key_does_not_take_the_others_along():
    keys = key_set(jwk("Ed25519"), {"kty": "new", "kid": "b"}, jwk("ES256", use="enc"))
    assert keys.find("Ed25519").kid == "Ed25519"
    for kid, code in (("b", "key-use"), ("ES256", "key-use"), ("c", "key-unknown")):
        with pytest.raises(TokenError) as caught:
            keys.find(kid)
        assert caught.value.code == code


def test_without_an_id_only_the_only_key():
    assert key_set(jwk("Ed25519")).find(None).kid == "Ed25519"
    for others in ([jwk("ES256")], [jwk("ES256", kid=None)], [{"kty": "oct"}]):
        with pytest.raises(UnknownKeyError):
            key_set(jwk("Ed25519"), *others).find(None)


@pytest.mark.parametrize(
    ("revoked", "state"),
    [({"revoked_at": 1, "reason": "superseded"}, KeyState.DEACTIVATED), ({}, KeyState.COMPROMISED)],
)
def test_revoked_keys(revoked, state):
    assert key_set(jwk("Ed25519", revoked=revoked)).find("Ed25519").state is state


def certificate(name: str, days: int) -> str:
    """Valid for two days, the first of which was so many ago."""
    begins = datetime(2026, 11, 25, 12, tzinfo=UTC) - timedelta(days=days)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    made = x509.CertificateBuilder(
        subject, subject, private(name).public_key(), 1, begins, begins + timedelta(days=2)
    ).sign(private(name), hashes.SHA256())
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize(
    ("x5c", "code"),
    [
        pytest.param([certificate("ES256", 1)], None, id="valid"),
        pytest.param([certificate("ES256", 3)], "key-window", id="expired"),
        pytest.param([certificate("ES256", -1)], "key-window", id="not-yet"),
        pytest.param([certificate("ES256:2", 1)], "key-use", id="of-another-key"),
        pytest.param(["AAAA"], "key-use", id="no-certificate"),
        pytest.param(["!"], "key-use", id="no-base64"),
        pytest.param([], "key-use", id="empty"),
        pytest.param("AAAA", "key-use", id="no-list"),
    ],
)
def test_the_certificate_bounds_the_key(x5c, code):
    one = validator(jwk("ES256", x5c=x5c))
    token = Mint(key="ES256", alg="ES256").token()
    if code is None:
        assert one.validate(token)
    else:
        with pytest.raises(TokenError) as caught:
            one.validate(token)
        assert caught.value.code == code
