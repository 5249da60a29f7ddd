"""Keys as others publish them: which of them are taken, and why not the rest. The token is always genuine.

A key that is refused never takes its neighbours with it: beside each there is another, which must be found.
"""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from immure.errors import KeySourceError
from immure.keymaterial.key import b64url, b64url_uint
from immure.tokens import jws
from immure.tokens.errors import TokenError
from immure.tokens.sources.documents import key_set as parse_set
from tokens.minting import NOW, Mint, T, jwk, key_set, private, validator
from tokens.test_keyset import certificate

N = private("RS").public_key().public_numbers().n
P = 2**255 - 19


def number(value, length=None):
    return b64url_uint(value, length)


def longer(text, count=1):
    """The same number with zero bytes before it."""
    return b64url(bytes(count) + base64.urlsafe_b64decode(text + "=="))


def shorter(text):
    return b64url(base64.urlsafe_b64decode(text + "==")[1:])


def secret(name):
    """The private members of a key."""
    key = private(name)
    if name == "RS":
        numbers = key.private_numbers()
        return {one: number(getattr(numbers, one)) for one in ("d", "p", "q")}
    if name == "ES256":
        return {"d": number(key.private_numbers().private_value, 32)}
    return {"d": b64url(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))}


EC, OKP, RSA = jwk("ES256"), jwk("Ed25519"), jwk("RS")

#: Key, changes of its members, code of the refusal or None.
KEYS = [
    # members that are odd, and change nothing
    ("as-it-is", "ES256", {}, None),
    ("unknown-members", "ES256", {"x": EC["x"], "foo": [1], "ext": True, "iat": "x", "d1": 1}, None),
    ("use-sig", "ES256", {"use": "sig"}, None),
    ("use-null", "ES256", {"use": None}, None),
    ("alg-its-own", "ES256", {"alg": "ES256"}, None),
    ("key-ops-verify", "ES256", {"key_ops": ["verify"]}, None),
    ("key-ops-more", "ES256", {"key_ops": ["sign", "verify"]}, None),
    ("use-and-key-ops", "ES256", {"use": "sig", "key_ops": ["verify"]}, None),
    ("y-of-an-okp", "Ed25519", {"y": 7}, None),
    ("modulus-with-a-zero-before-it", "RS", {"n": longer(RSA["n"])}, None),
    ("exponent-with-zeros-before-it", "RS", {"e": "AAEAAQ"}, None),
    ("certificate", "ES256", {"x5c": [certificate("ES256", 1)], "x5t": "AA", "x5u": "https://x"}, None),
    ("certificate-chain", "ES256", {"x5c": [certificate("ES256", 1), certificate("ES256:2", 9)]}, None),
    # for something else
    ("use-enc", "ES256", {"use": "enc"}, "key-use"),
    ("use-unknown", "ES256", {"use": "SIG"}, "key-use"),
    ("use-empty", "ES256", {"use": ""}, "key-use"),
    ("use-a-list", "ES256", {"use": ["sig"]}, "key-use"),
    ("key-ops-encrypt", "ES256", {"key_ops": ["encrypt"]}, "key-use"),
    ("key-ops-empty", "ES256", {"key_ops": []}, "key-use"),
    ("key-ops-mixed", "ES256", {"key_ops": ["verify", 1]}, "key-use"),
    ("key-ops-against-use", "ES256", {"use": "enc", "key_ops": ["verify"]}, "key-use"),
    ("alg-of-its-type", "RS", {"alg": "RS512"}, "token-alg"),
    ("alg-pss", "RS", {"alg": "PS256"}, "token-alg"),
    ("alg-of-encryption", "RS", {"alg": "RSA-OAEP"}, "token-alg"),
    ("alg-of-another-curve", "ES256", {"alg": "ES384"}, "token-alg"),
    ("alg-symmetric", "RS", {"alg": "HS256"}, "token-alg"),
    ("alg-none", "RS", {"alg": "none"}, "token-alg"),
    ("alg-in-lower-case", "ES256", {"alg": "es256"}, "token-alg"),
    ("alg-a-list", "ES256", {"alg": ["ES256"]}, "key-use"),
    ("alg-empty", "ES256", {"alg": ""}, "key-use"),
    # types and curves
    ("kty-unknown", "ES256", {"kty": "AKP"}, "key-use"),
    ("kty-missing", "ES256", {"kty": None}, "key-use"),
    ("kty-in-lower-case", "ES256", {"kty": "ec"}, "key-use"),
    ("kty-a-number", "ES256", {"kty": 1}, "key-use"),
    ("kty-a-list", "ES256", {"kty": ["EC"]}, "key-use"),
    ("kty-of-another", "ES256", {"kty": "OKP"}, "key-use"),
    ("kty-oct", "ES256", {"kty": "oct", "k": "AAAA"}, "key-use"),
    ("crv-unknown", "ES256", {"crv": "P-256K"}, "key-use"),
    ("crv-missing", "ES256", {"crv": None}, "key-use"),
    ("crv-a-list", "ES256", {"crv": ["P-256"]}, "key-use"),
    ("crv-brainpool", "ES256", {"crv": "BP-256"}, "key-use"),
    ("crv-of-as-many-bytes", "ES256", {"crv": "secp256k1"}, "key-use"),
    ("crv-for-agreement", "Ed25519", {"crv": "X25519"}, "key-use"),
    ("crv-of-okp-for-ec", "ES256", {"crv": "Ed25519"}, "key-use"),
    # numbers as they must not be written
    ("x-missing", "ES256", {"x": None}, "key-use"),
    ("y-missing", "ES256", {"y": None}, "key-use"),
    ("x-a-number", "ES256", {"x": 5}, "key-use"),
    ("x-empty", "ES256", {"x": ""}, "key-use"),
    ("x-padded", "ES256", {"x": EC["x"] + "="}, "key-use"),
    ("x-standard-alphabet", "ES256", {"x": "+/" + EC["x"][2:]}, "key-use"),
    ("x-with-newline", "ES256", {"x": EC["x"] + "\n"}, "key-use"),
    ("x-with-stray-bits", "Ed25519", {"x": OKP["x"][:-1] + chr(ord(OKP["x"][-1]) + 1)}, "key-use"),
    ("x-too-long", "ES256", {"x": longer(EC["x"])}, "key-use"),
    ("y-too-long", "ES256", {"y": longer(EC["y"], 34)}, "key-use"),
    ("x-of-okp-too-long", "Ed25519", {"x": longer(OKP["x"])}, "key-use"),
    ("x-of-okp-too-short", "Ed25519", {"x": shorter(OKP["x"])}, "key-use"),
    ("n-missing", "RS", {"n": None}, "key-use"),
    ("n-a-number", "RS", {"n": 3}, "key-use"),
    ("n-padded", "RS", {"n": RSA["n"] + "=="}, "key-use"),
    ("n-endless", "RS", {"n": "A" * 9_000_000}, "key-use"),
    ("e-missing", "RS", {"e": None}, "key-use"),
    ("e-a-number", "RS", {"e": 65537}, "key-use"),
    # numbers that are none of a key
    ("point-beside-the-curve", "ES256", {"x": EC["y"], "y": EC["x"]}, "key-use"),
    ("point-at-infinity", "ES256", {"x": b64url(bytes(32)), "y": b64url(bytes(32))}, "key-use"),
    ("coordinate-not-reduced", "ES256", {"x": b64url(b"\xff" * 32)}, "key-use"),
    ("point-of-another-curve", "ES256", {"x": jwk("ES256K")["x"], "y": jwk("ES256K")["y"]}, "key-use"),
    ("edwards-y-not-reduced", "Ed25519", {"x": b64url((P + 1).to_bytes(32, "little"))}, "key-use"),
    ("edwards-no-point", "Ed25519", {"x": b64url((2).to_bytes(32, "little"))}, "key-use"),
    ("edwards-small-order", "Ed25519", {"x": b64url((1).to_bytes(32, "little"))}, "key-weak"),
    ("edwards-small-order-negative", "Ed25519", {"x": b64url(b"\1" + bytes(30) + b"\x80")}, "key-weak"),
    ("edwards-order-2", "Ed25519", {"x": b64url((P - 1).to_bytes(32, "little"))}, "key-weak"),
    ("edwards-448-small-order", "Ed448", {"x": b64url(b"\1" + bytes(56))}, "key-weak"),
    ("modulus-even", "RS", {"n": number(N - 1)}, "key-use"),
    ("modulus-divisible-by-3", "RS", {"n": number(N // 6 * 6 + 3)}, "key-use"),
    ("modulus-zero", "RS", {"n": "AA"}, "key-use"),
    ("modulus-short", "RS", {"n": jwk("RS1024")["n"]}, "key-weak"),
    ("modulus-tiny", "RS", {"n": number(3233)}, "key-use"),
    ("modulus-huge", "RS", {"n": number((1 << 16400) + 1)}, "key-use"),
    ("exponent-1", "RS", {"e": "AQ"}, "key-use"),
    ("exponent-0", "RS", {"e": "AA"}, "key-use"),
    ("exponent-2", "RS", {"e": "Ag"}, "key-use"),
    ("exponent-even", "RS", {"e": number(65538)}, "key-use"),
    ("exponent-3", "RS", {"e": "Aw"}, "key-weak"),
    ("exponent-17", "RS", {"e": "EQ"}, "key-weak"),
    ("exponent-257", "RS", {"e": number(257)}, "key-weak"),
    ("exponent-of-66-bits", "RS", {"e": number((1 << 65) + 1)}, "key-weak"),
    ("exponent-as-the-modulus", "RS", {"e": RSA["n"]}, "key-use"),
    # the private half beside it
    ("private-rsa", "RS", secret("RS"), "key-weak"),
    ("private-ec", "ES256", secret("ES256"), "key-weak"),
    ("private-okp", "Ed25519", secret("Ed25519"), "key-weak"),
    ("private-of-another", "ES256", {"d": "AAAA"}, "key-weak"),
    ("private-prime-alone", "RS", {"p": secret("RS")["p"]}, "key-weak"),
    # times and certificates
    ("exp-to-come", "ES256", {"exp": T + 1, "nbf": T - 9999}, None),
    ("exp-passed", "ES256", {"exp": T - 1}, "key-window"),
    ("exp-a-text", "ES256", {"exp": str(T + 1)}, "key-use"),
    ("exp-true", "ES256", {"exp": True}, "key-use"),
    ("exp-null", "ES256", {"exp": None}, None),
    ("exp-negative", "ES256", {"exp": -1}, "key-use"),
    ("exp-beyond-time", "ES256", {"exp": 10**15}, "key-use"),
    ("nbf-to-come", "ES256", {"nbf": T + 1}, "key-window"),
    ("certificate-expired", "ES256", {"x5c": [certificate("ES256", 3)]}, "key-window"),
    ("certificate-expired-exp-not", "ES256", {"x5c": [certificate("ES256", 3)], "exp": T + 9}, "key-window"),
    ("certificate-not-yet", "ES256", {"x5c": [certificate("ES256", -1)]}, "key-window"),
    ("certificate-of-another-key", "ES256", {"x5c": [certificate("ES256:2", 1)]}, "key-use"),
    ("certificate-base64url", "ES256", {"x5c": ["-_" + certificate("ES256", 1)]}, "key-use"),
    ("certificate-with-newlines", "ES256", {"x5c": [certificate("ES256", 1) + "\n"]}, "key-use"),
    ("certificate-a-number", "ES256", {"x5c": [1]}, "key-use"),
    # what it may sign for
    ("issuer-empty", "ES256", {"issuer": ""}, "key-use"),
    ("issuer-a-list", "ES256", {"issuer": ["https://login.example"]}, "key-use"),
    ("issuer-null", "ES256", {"issuer": None}, "key-unscoped"),
    ("cloud-a-number", "ES256", {"cloud_instance_name": 1}, "key-use"),
    ("revoked", "ES256", {"revoked": {"revoked_at": T, "reason": "compromised"}}, "key-state"),
    ("revoked-true", "ES256", {"revoked": True}, "key-state"),
    ("revoked-false", "ES256", {"revoked": False}, "key-state"),
]  # fmt: skip
ALGS = {"ES256": "ES256", "RS": "RS256", "Ed25519": "EdDSA", "Ed448": "EdDSA"}


def changed(name, members):
    made = jwk(name) | members
    return {member: value for member, value in made.items() if value is not None or member not in jwk(name)}


@pytest.mark.parametrize(("name", "members", "code"), [pytest.param(*row[1:], id=row[0]) for row in KEYS])
def test_keys(name, members, code):
    alg, neighbour = ALGS[name], jwk("ES384")
    one = validator(changed(name, members), neighbour)
    assert one.validate(Mint("ES384", "ES384").token())
    token = Mint(name, alg).token()
    if code is None:
        taken = one.validate(token).key.key
        assert taken.thumbprint == key_set(jwk(name)).keys[0].key.thumbprint
        return
    with pytest.raises(TokenError) as caught:
        one.validate(token)
    assert caught.value.code == code
    if code != "key-unscoped":
        with pytest.raises(TokenError) as caught:
            jws.verify(token, key_set(changed(name, members), neighbour), now=NOW)
        assert caught.value.code == code


ONE, NEW = jwk("ES256"), {"kty": "AKP", "kid": "new", "alg": "ML-DSA-44"}
UNNAMED = jwk("RS", kid=None)
#: Keys of the set, id in the token, code of the refusal or None.
SETS = [
    ("one", [ONE], "ES256", None),
    ("beside-a-new-type", [ONE, NEW], "ES256", None),
    ("of-a-new-type", [ONE, NEW], "new", "key-use"),
    ("beside-an-empty-one", [ONE, {}], "ES256", None),
    ("beside-an-id-that-is-a-number", [ONE, {"kid": 7}], "ES256", None),
    ("beside-a-key-whose-id-is-a-list", [ONE, UNNAMED | {"kid": ["ES256"]}], "ES256", None),
    ("beside-two-without-id", [ONE, UNNAMED, UNNAMED], "ES256", None),
    ("beside-one-twice", [ONE, jwk("RS", kid="x"), jwk("RS", kid="y")], "ES256", None),
    ("id-twice", [ONE, jwk("RS", kid="ES256")], "ES256", "key-duplicate"),
    ("key-twice", [ONE, ONE], "ES256", "key-duplicate"),
    ("id-twice-for-another-use", [ONE, jwk("RS", kid="ES256", use="enc")], "ES256", "key-duplicate"),
    ("the-key-has-no-id", [jwk("ES256", kid=None)], "ES256", "key-unknown"),
    ("neither-has-an-id", [jwk("ES256", kid=None)], None, None),
    ("the-token-has-no-id", [ONE], None, None),
    ("which-of-two", [ONE, jwk("RS")], None, "key-unknown"),
    ("which-of-two-one-for-encryption", [ONE, jwk("RS", use="enc")], None, "key-unknown"),
    ("id-in-lower-case", [jwk("ES256", kid="es256")], "ES256", "key-unknown"),
    ("id-empty", [jwk("ES256", kid="")], "ES256", "key-unknown"),
    ("no-key", [], "ES256", "key-unknown"),
]


@pytest.mark.parametrize(("keys", "kid", "code"), [pytest.param(*row[1:], id=row[0]) for row in SETS])
@pytest.mark.parametrize("more", [{}, {"issuer": 7, "next": []}])
def test_sets(keys, kid, code, more):
    token = Mint("ES256", "ES256", header={"kid": kid}).token()
    text = json.dumps({"keys": keys, **more}).encode()
    if code is None:
        assert jws.verify(token, parse_set(text, "keys"))[0].kid == kid
        return
    with pytest.raises(TokenError) as caught:
        jws.verify(token, parse_set(text, "keys"))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("key", "kid", "code"),
    [
        pytest.param(ONE, "ES256", None, id="of-that-id"),
        pytest.param(ONE, None, None, id="the-token-has-no-id"),
        pytest.param(ONE, "other", "key-unknown", id="of-another-id"),
        pytest.param(jwk("ES256", kid=None), "ES256", None, id="the-key-has-no-id"),
        pytest.param(jwk("ES256", kid=None), None, None, id="neither-has-an-id"),
        pytest.param(jwk("ES256", kid=None, use="enc"), "ES256", "key-use", id="for-encryption"),
        pytest.param(jwk("ES256", use="enc"), None, "key-use", id="for-encryption-no-id"),
        pytest.param(jwk("ES256", kid=None) | secret("ES256"), "a", "key-weak", id="private"),
    ],
)
def test_a_key_that_is_in_no_set(key, kid, code):
    """RFC 7517, section 4: there is no other that a token could mean."""
    keys = parse_set(json.dumps(key).encode(), "key")
    token = Mint("ES256", "ES256", header={"kid": kid}).token()
    if code is None:
        assert jws.verify(token, keys)
        assert kid is None or kid in keys
        return
    with pytest.raises(TokenError) as caught:
        jws.verify(token, keys)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"keys": null}', '{"keys": {}}', '{"keys": [null]}', '{"keys": ["x"]}', "{",
     "\ufeff{}", '{"keys": [], "keys": []}', '{"keys": [{"kid": "a", "kid": "a"}]}', '{"keys": [NaN]}',
     '{"keys": []} x', "[" * 100_000, '{"keys": ["\\ud800"]}'],
)  # fmt: skip
def test_no_sets(text):
    with pytest.raises(KeySourceError):
        parse_set(text.encode(), "keys")
