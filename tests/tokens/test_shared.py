"""Shared secrets, and payloads beside the text: for signed texts only."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial.key import b64url
from immure.secret import Secret
from immure.tokens import jws
from immure.tokens.errors import (
    AlgorithmError,
    CriticalError,
    KeyUseError,
    SignatureError,
    TokenFormError,
    TokenSizeError,
    UnknownKeyError,
    WeakKeyError,
)
from immure.tokens.shared import SIZES, SharedSecret
from tokens.minting import key_set

#: RFC 7515, appendix A.1 (also of RFC 7797), and RFC 7520, section 3.5: keys that are printed there.
JWK_7515 = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "alg": "HS256",
}
JWK_7520 = {
    "kty": "oct",
    "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
    "use": "sig",
    "alg": "HS256",
    "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
}
FRODO = (
    "It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't "
    "keep your feet, there\u2019s no knowing where you might be swept off to."
).encode()
A1 = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
PRINTED = [
    ("RFC 7515, A.1", JWK_7515, A1, None),
    (
        "RFC 7797, 4.1",
        JWK_7515,
        "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ",
        None,
    ),
    (
        "RFC 7797, 4.2",
        JWK_7515,
        "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
        b"$.02",
    ),
    (
        "RFC 7520, 4.5",
        JWK_7520,
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.."
        "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        FRODO,
    ),
]
SECRET = bytes(range(7, 71))


def signed(header: dict[str, object], payload: bytes, secret: bytes = SECRET, *, beside: bool = False) -> str:
    """A text as RFC 7515 has it; by the standard library alone."""
    head = b64url(json.dumps(header).encode())
    middle = payload if header.get("b64") is False else b64url(payload).encode()
    name = f"sha{str(header['alg'])[2:]}"
    mac = hmac.new(secret, head.encode() + b"." + middle, name).digest()
    return f"{head}.{'' if beside else middle.decode()}.{b64url(mac)}"


@pytest.mark.parametrize(("name", "jwk", "text", "payload"), PRINTED, ids=[row[0] for row in PRINTED])
def test_the_examples_of_the_rfcs(name, jwk, text, payload):
    secret = SharedSecret.from_jwk(jwk)
    header, content = jws.verify(text, secret, payload=payload)
    assert header.alg == "HS256"
    assert content == (
        payload if payload is not None else base64.urlsafe_b64decode(text.split(".")[1] + "==")
    )
    with pytest.raises(SignatureError):
        jws.verify(text, SharedSecret(SECRET, "HS256"), payload=payload)
    with pytest.raises(SignatureError):
        jws.verify(text[:-2] + ("AA" if text[-2:] != "AA" else "BA"), secret, payload=payload)
    if payload is not None:
        with pytest.raises(SignatureError):
            jws.verify(text, secret, payload=payload + b".")


@pytest.mark.parametrize("alg", SIZES)
def test_each_algorithm_by_its_own_name_only(alg):
    text = signed({"alg": alg}, b"content")
    assert jws.verify(text, SharedSecret(SECRET, alg))[1] == b"content"
    for other in SIZES.keys() - {alg}:
        with pytest.raises(AlgorithmError):
            jws.verify(text, SharedSecret(SECRET, other))
    with pytest.raises(AlgorithmError):
        jws.verify(text, SharedSecret(SECRET, alg), algorithms=SIZES.keys() - {alg})


def test_the_id_counts_where_both_have_one():
    named = SharedSecret(SECRET, "HS256", kid="a")
    assert jws.verify(signed({"alg": "HS256", "kid": "a"}, b""), named)[1] == b""
    assert jws.verify(signed({"alg": "HS256"}, b""), named)[1] == b""
    assert jws.verify(signed({"alg": "HS256", "kid": "b"}, b""), SharedSecret(SECRET, "HS256"))[1] == b""
    with pytest.raises(UnknownKeyError):
        jws.verify(signed({"alg": "HS256", "kid": "b"}, b""), named)


REFUSED = [
    (b"x" * 31, "HS256", WeakKeyError),
    (b"x" * 47, "HS384", WeakKeyError),
    (b"x" * 63, "HS512", WeakKeyError),
    (b"x" * 4097, "HS256", WeakKeyError),
    (b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0B", "HS256", WeakKeyError),
    (b"\n ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ", "HS256", WeakKeyError),
    (b'{"kty": "RSA", "n": "AQAB", "e": "AQAB"}', "HS256", WeakKeyError),
    (b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA", "HS256", WeakKeyError),
    (SECRET, "RS256", AlgorithmError),
    (SECRET, "none", AlgorithmError),
]


@pytest.mark.parametrize(("secret", "alg", "error"), REFUSED)
def test_what_is_no_shared_secret(secret, alg, error):
    with pytest.raises(error) as caught:
        SharedSecret(secret, alg)
    assert secret[-12:].decode("latin-1") not in str(caught.value)


JWKS = [
    ({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "HS256"}, KeyFormatError),
    ({"k": JWK_7515["k"], "alg": "HS256"}, KeyFormatError),
    ({"kty": "oct", "alg": "HS256"}, KeyFormatError),
    ({"kty": "oct", "k": 7, "alg": "HS256"}, KeyFormatError),
    ({"kty": "oct", "k": JWK_7515["k"]}, KeyFormatError),
    ({"kty": "oct", "k": JWK_7515["k"], "alg": None}, KeyFormatError),
    ({**JWK_7515, "kid": 1}, KeyFormatError),
    ({**JWK_7515, "k": "a+b="}, KeyFormatError),
    ({**JWK_7515, "k": "\udcff"}, KeyFormatError),
    ({**JWK_7515, "use": "enc"}, KeyUseError),
    ({**JWK_7515, "key_ops": ["sign"]}, KeyUseError),
    ({**JWK_7515, "key_ops": "verify"}, KeyUseError),
    ({**JWK_7515, "k": "AAAA"}, WeakKeyError),
    ({**JWK_7515, "alg": "ES256"}, AlgorithmError),
]


@pytest.mark.parametrize(("jwk", "error"), JWKS)
def test_what_is_no_jwk_of_a_shared_secret(jwk, error):
    with pytest.raises(error):
        SharedSecret.from_jwk(jwk)


def test_it_is_shown_nowhere():
    held = SharedSecret(Secret(SECRET), "HS512", kid="a")
    assert repr(held) == "SharedSecret(HS512, kid='a')"
    assert not hasattr(held, "__dict__")


def test_a_validator_and_a_key_set_take_none():
    """Neither a text that says so, nor a key set with a secret in it, makes a public key a shared secret."""
    jwk = {"kty": "oct", "kid": "s", "k": JWK_7515["k"], "alg": "HS256"}
    with pytest.raises(KeyUseError):
        jws.verify(signed({"alg": "HS256", "kid": "s"}, b""), key_set(jwk))
    with pytest.raises(AlgorithmError):
        jws.verify(
            A1, key_set({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        )


UNENCODED = {"alg": "HS256", "b64": False, "crit": ["b64"]}
BESIDE = [
    ({"alg": "HS256", "b64": False}, True, b"x", CriticalError),  # must be critical (RFC 7797, section 6)
    ({"alg": "HS256", "b64": 0, "crit": ["b64"]}, True, b"x", CriticalError),
    ({"alg": "HS256", "crit": ["b64"]}, True, b"x", CriticalError),
    ({**UNENCODED, "crit": ["b64", "b64"]}, True, b"x", CriticalError),
    ({**UNENCODED, "crit": ["b64", "exp"]}, True, b"x", CriticalError),
    (UNENCODED, False, None, CriticalError),  # only beside the text
    ({"alg": "HS256"}, False, b"x", TokenFormError),  # in the text, and beside it
]


@pytest.mark.parametrize(("header", "beside", "payload", "error"), BESIDE)
def test_payloads_that_are_not_taken(header, beside, payload, error):
    with pytest.raises(error):
        jws.verify(signed(header, b"x", beside=beside), SharedSecret(SECRET, "HS256"), payload=payload)


def test_a_payload_beside_the_text_has_a_limit(monkeypatch):
    monkeypatch.setattr(jws, "MOST_DETACHED", 4)
    text = signed({"alg": "HS256"}, b"12345", beside=True)
    with pytest.raises(TokenSizeError):
        jws.verify(text, SharedSecret(SECRET, "HS256"), payload=b"12345")


@given(st.binary(max_size=200), st.binary(max_size=8), st.booleans(), st.integers(0, 1 << 16))
def test_a_change_of_what_was_signed_is_seen(payload, more, plain, at):
    header: dict[str, object] = dict(UNENCODED) if plain else {"alg": "HS256"}
    text = signed(header, payload, beside=True)
    secret = SharedSecret(SECRET, "HS256")
    assert jws.verify(text, secret, payload=payload)[1] == payload
    at %= len(payload) + 1
    changed = payload[:at] + more + payload[at:]
    if changed != payload:
        with pytest.raises(SignatureError):
            jws.verify(text, secret, payload=changed)
