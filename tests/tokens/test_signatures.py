"""Signatures at the edges of what the algorithms allow: what must hold does, and nothing beside it.

Each row changes a genuine signature, or makes one with the private key that no signer makes. Payloads are no
claims, and may be empty: what is asked here is the signature alone.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from immure.errors import KeySourceError
from immure.keymaterial.key import b64url
from immure.tokens import jws
from immure.tokens.errors import (
    AlgorithmError,
    Base64Error,
    CriticalError,
    DetachedTokenError,
    KeyWindowError,
    SignatureError,
    TokenError,
    TokenSizeError,
)
from immure.tokens.parse import split_token
from immure.tokens.sources.static import StaticSource
from tokens.minting import NOW, Mint, jwk, key_set, private, sealed, sign

#: Orders of the groups (SEC 2; RFC 8032, section 5).
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int("ff" * 24 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    "ES512": int(
        "01ff" + "ff" * 31 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16
    ),
    "ES256K": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}  # fmt: skip
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
ED448_ORDER = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
PAYLOADS = [b"", b"foo", b"\0\xff", "Ö".encode(), b"{}", b"[]", b"null", b"x" * 8000, b"a.b.c"]


def header(alg, kid=None):
    return json.dumps({"alg": alg} | ({} if kid is None else {"kid": kid})).encode()


def judged(name, alg, signature, signed=None):
    """Whether a signature of a text is taken."""
    signed = signed or b64url(header(alg)) + ".Zm9v"
    try:
        found, payload = jws.verify(f"{signed}.{b64url(signature)}", key_set(jwk(name)), now=NOW)
    except SignatureError:
        return False
    assert (found.alg, payload) == (alg, b"foo")
    return True


def signed(alg):
    return (b64url(header(alg)) + ".Zm9v").encode()


# --- any payload, by key ---


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload[:12]))
@pytest.mark.parametrize(
    ("name", "alg"), [("RS", "RS256"), ("RS", "PS384"), ("ES512", "ES512"), ("Ed25519", "EdDSA")]
)
def test_any_payload(name, alg, payload):
    text = sealed(header(alg, name), payload, name, alg)
    found, content = jws.verify(text, key_set(jwk(name), jwk("Ed448")), now=NOW)
    assert (found.alg, found.kid, content) == (alg, name, payload)
    assert jws.verify(text.encode(), StaticSource(key_set(jwk(name))), algorithms=[alg])[1] == payload
    with pytest.raises(TokenError):
        jws.verify(text, key_set(jwk(f"{name}:other", kid=name)))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"algorithms": ["RS256"]}, AlgorithmError),
        ({"algorithms": ["none"]}, AlgorithmError),
        ({"now": datetime.fromtimestamp(99, NOW.tzinfo)}, KeyWindowError),
        ({"now": datetime.fromtimestamp(201, NOW.tzinfo)}, KeyWindowError),
        ({"most_bytes": 90}, TokenSizeError),
    ],
)
def test_what_the_caller_asks_for(change, error):
    keys, text = key_set(jwk("Ed25519", nbf=100, exp=200)), sealed(header("EdDSA"), b"foo")
    moment = datetime.fromtimestamp(150, NOW.tzinfo)
    assert jws.verify(text, keys, now=moment)[1] == b"foo"
    with pytest.raises(error):
        jws.verify(text, keys, **{"now": moment, **change})
    with pytest.raises(KeyWindowError):
        jws.verify(text, keys)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(Mint(header={"b64": False, "crit": ["b64"]}).token(), CriticalError, id="b64-false"),
        pytest.param(Mint(header={"crit": ["x"], "x": 1}).token(), CriticalError, id="crit"),
        pytest.param(Mint(header={"alg": "none"}).token(), AlgorithmError, id="none"),
        pytest.param(sealed(header("EdDSA"), b"foo") + "=", Base64Error, id="padded"),
        pytest.param(sealed(header("EdDSA"), b"foo").replace(".Zm9v.", ".Zm9v=."), Base64Error, id="payload"),
        pytest.param(sealed(header("EdDSA"), b"foo").replace(".Zm9v.", ".."), SignatureError, id="detached"),
        pytest.param(json.dumps({"payload": "Zm9v", "signatures": []}), TokenError, id="json"),
    ],
)
def test_forms_that_are_refused(text, error):
    with pytest.raises(error) as caught:
        jws.verify(text, key_set(jwk("Ed25519")))
    assert not isinstance(caught.value, KeySourceError)


def test_an_empty_payload_is_none_of_a_token():
    empty = sealed(header("EdDSA"), b"")
    assert jws.verify(empty, key_set(jwk("Ed25519")))[1] == b""
    with pytest.raises(DetachedTokenError):
        split_token(empty)


# --- ECDSA ---


def ecdsa(alg, change):
    """A genuine signature with (r, s) changed; ``change`` gets them and the order."""
    size, order = len(sign(alg, alg, b"")) // 2, ORDERS[alg]
    raw = sign(alg, alg, signed(alg))
    r, s = change(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"), order)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


NUMBERS = {"0": lambda n: 0, "1": lambda n: 1, "n-1": lambda n: n - 1, "n": lambda n: n}


@pytest.mark.parametrize("alg", ORDERS)
def test_ecdsa_has_two_forms_of_each_signature(alg):
    """Both s and n - s hold (SEC 1, section 4.1.4): so no cache may be keyed by a signature."""
    assert judged(alg, alg, ecdsa(alg, lambda r, s, n: (r, s)))
    assert judged(alg, alg, ecdsa(alg, lambda r, s, n: (r, n - s)))


@pytest.mark.parametrize("alg", ORDERS)
@pytest.mark.parametrize("r", NUMBERS)
@pytest.mark.parametrize("s", NUMBERS)
def test_ecdsa_numbers_out_of_range_and_of_no_signature(alg, r, s):
    assert not judged(alg, alg, ecdsa(alg, lambda _r, _s, n: (NUMBERS[r](n), NUMBERS[s](n))))


@pytest.mark.parametrize("alg", ORDERS)
def test_ecdsa_numbers_that_are_right_but_for_the_order(alg):
    for change in (lambda r, s, n: (r, 0), lambda r, s, n: (0, s), lambda r, s, n: (s, r)):
        assert not judged(alg, alg, ecdsa(alg, change))
    size = len(sign(alg, alg, b"")) // 2
    raw = sign(alg, alg, signed(alg))
    more = (int.from_bytes(raw[size:], "big") + ORDERS[alg]).to_bytes(size + 1, "big")
    assert not judged(alg, alg, raw[:size] + more[-size:])
    assert not judged(alg, alg, b"\0" + raw[:size] + more)


@pytest.mark.parametrize("alg", ORDERS)
def test_ecdsa_signatures_of_other_lengths(alg):
    raw = sign(alg, alg, signed(alg))
    half = len(raw) // 2
    r, s = raw[:half], raw[half:]
    for wrong in (
        utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")),
        b"\0" + r + s,
        r + s + b"\0",
        r + b"\0" + s,
        b"\0" + r + b"\0" + s,
        bytes(200) + r + bytes(200) + s,
        r,
        r + s[1:],
        raw + raw,
        bytes(len(raw)),
        b"\xff" * len(raw),
        b"\0",
    ):
        assert not judged(alg, alg, wrong)


def test_ecdsa_numbers_with_leading_zeros_hold():
    """A number is padded, never cut: looked for until r begins with a zero byte."""
    key, text = private("ES256"), signed("ES256")
    while True:
        r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
        if r >> 248 == 0:
            break
    assert judged("ES256", "ES256", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert not judged("ES256", "ES256", r.to_bytes(31, "big") + s.to_bytes(32, "big"))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_ecdsa_with_another_digest(alg):
    key, text = private(alg), signed(alg)
    for sha in (hashes.SHA1(), hashes.SHA224(), hashes.SHA3_256(), hashes.SHA256(), hashes.SHA512()):
        r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(sha)))
        size = (key.key_size + 7) // 8
        right = f"ES{sha.digest_size * 8}" == alg and not isinstance(sha, hashes.SHA3_256)
        assert judged(alg, alg, r.to_bytes(size, "big") + s.to_bytes(size, "big")) is right


# --- RSA ---

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def powered(block, name="RS"):
    """What the private key makes of any block, with no padding of its own."""
    numbers = private(name).private_numbers()
    n = numbers.public_numbers.n
    return pow(int.from_bytes(block, "big"), numbers.d, n).to_bytes((n.bit_length() + 7) // 8, "big")


def block(digest_info, fill=b"\xff", kind=b"\0\1", size=256):
    """Padding of PKCS #1 version 1.5 (RFC 8017, section 9.2)."""
    return kind + fill * (size - 3 - len(digest_info)) + b"\0" + digest_info


DIGEST = hashlib.sha256(signed("RS256")).digest()
FORGED = {
    "no-digest-info": block(DIGEST),
    "null-left-out": block(bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST),
    "null-with-content": block(bytes.fromhex("3032300e06096086480165030402010501000420") + DIGEST),
    "long-form-of-length": block(bytes.fromhex("308131300d060960864801650304020105000420") + DIGEST),
    "indefinite-length": block(bytes.fromhex("3080300d060960864801650304020105000420") + DIGEST + b"\0\0"),
    "octets-in-long-form": block(bytes.fromhex("3032300d06096086480165030402010500048120") + DIGEST),
    "oid-of-sha-1": block(bytes.fromhex("3029300906052b0e03021a05000420") + DIGEST),
    "oid-of-sha-512": block(bytes.fromhex("3031300d060960864801650304020305000420") + DIGEST),
    "tag-of-set": block(b"\x31" + _SHA256[1:] + DIGEST),
    "digest-cut": block(bytes.fromhex("3030300d06096086480165030402010500041f") + DIGEST[:-1]),
    "garbage-behind": (b"\0\1" + b"\xff" * 8 + b"\0" + _SHA256 + DIGEST).ljust(256, b"\0"),
    "garbage-in-the-middle": block(_SHA256 + b"\0" * 8 + DIGEST),
    "fill-of-zeros": block(_SHA256 + DIGEST, fill=b"\0"),
    "fill-not-all-ones": block(_SHA256 + DIGEST)[:40] + b"\xfe" + block(_SHA256 + DIGEST)[41:],
    "fill-ends-early": block(_SHA256 + DIGEST)[:40] + b"\0" + block(_SHA256 + DIGEST)[41:],
    "of-type-0": block(_SHA256 + DIGEST, kind=b"\0\0"),
    "of-type-2": block(_SHA256 + DIGEST, kind=b"\0\2"),
    "first-byte-1": block(_SHA256 + DIGEST, kind=b"\1\1"),
    "no-zero-before": (b"\0\1" + b"\xff" * 203 + _SHA256 + DIGEST),
    "all-zeros": bytes(256),
    "one": bytes(255) + b"\1",
}  # fmt: skip


def test_the_right_padding_holds():
    assert judged("RS", "RS256", powered(block(_SHA256 + DIGEST)))


@pytest.mark.parametrize("forged", FORGED.values(), ids=list(FORGED))
def test_padding_that_is_nearly_right(forged):
    assert len(forged) == 256
    assert not judged("RS", "RS256", powered(forged))


def test_rsa_signatures_of_other_lengths():
    right = sign("RS", "RS256", signed("RS256"))
    n = private("RS").public_key().public_numbers().n
    more = int.from_bytes(right, "big") + n
    wrong = [right[1:], b"\0" + right, right + b"\0", right[:-1], b"\0", n.to_bytes(256, "big"),
             more.to_bytes(257, "big"), (n - int.from_bytes(right, "big")).to_bytes(256, "big"),
             (n - 1).to_bytes(256, "big"), b"\xff" * 256]  # fmt: skip
    if more < 1 << 2048:
        wrong.append(more.to_bytes(256, "big"))
    assert judged("RS", "RS256", right)
    assert not any(judged("RS", "RS256", one) for one in wrong)


def test_rsa_moduli_of_odd_lengths():
    """2,049 bits: a signature has as many bytes as the modulus, the first of which is small."""
    text = sealed(header("RS256"), b"foo", "RS2049", "RS256")
    assert jws.verify(text, key_set(jwk("RS2049")))[1] == b"foo"
    assert jws.verify(sealed(header("PS256"), b"foo", "RS2049", "PS256"), key_set(jwk("RS2049")))


@pytest.mark.parametrize("size", [256, 384, 512])
def test_pss_wants_a_salt_as_long_as_the_digest(size):
    """RFC 7518, section 3.5."""
    sha = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[size]
    key, text = private("RS"), signed(f"PS{size}")
    for length in (0, 20, size // 8 - 1, size // 8, size // 8 + 1, padding.PSS.MAX_LENGTH):
        made = key.sign(text, padding.PSS(padding.MGF1(sha), length), sha)
        assert judged("RS", f"PS{size}", made) is (length == size // 8)


def test_pss_wants_one_digest_for_all():
    key, text = private("RS"), signed("PS256")
    for inner, outer in ((hashes.SHA1(), hashes.SHA256()), (hashes.SHA512(), hashes.SHA256())):
        assert not judged("RS", "PS256", key.sign(text, padding.PSS(padding.MGF1(inner), 32), outer))
    assert not judged("RS", "PS256", key.sign(text, padding.PKCS1v15(), hashes.SHA256()))
    pss = key.sign(signed("RS256"), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert not judged("RS", "RS256", pss)


# --- EdDSA ---


@pytest.mark.parametrize(("name", "order"), [("Ed25519", ED25519_ORDER), ("Ed448", ED448_ORDER)])
def test_eddsa_has_one_form_of_each_signature(name, order):
    """S is less than the order (RFC 8032, sections 5.1.7 and 5.2.7)."""
    raw = sign(name, "EdDSA", signed("EdDSA"))
    half = len(raw) // 2
    s = int.from_bytes(raw[half:], "little")
    assert judged(name, "EdDSA", raw)
    for wrong in (s + order, s + 2 * order, order - s, 0, order, 2**8 * s % 2 ** (8 * half)):
        assert not judged(name, "EdDSA", raw[:half] + (wrong % 2 ** (8 * half)).to_bytes(half, "little"))


@pytest.mark.parametrize("name", ["Ed25519", "Ed448"])
def test_eddsa_signatures_that_are_none(name):
    raw = sign(name, "EdDSA", signed("EdDSA"))
    half = len(raw) // 2
    identity = b"\1" + bytes(half - 1)
    for wrong in (
        raw[:-1], raw + b"\0", b"\0" + raw, raw[half:] + raw[:half], raw[:half], raw[half:], bytes(2 * half),
        identity + bytes(half), bytes(half) + raw[half:], identity + raw[half:], raw[:half] + bytes(half),
        b"\xff" * half + raw[half:], bytes([raw[0] ^ 1]) + raw[1:],
        raw[: half - 1] + bytes([raw[half - 1] ^ 0x80]) + raw[half:],
    ):  # fmt: skip
        assert not judged(name, "EdDSA", wrong)
