"""Key URIs: which are understood, what is shown of them; and signatures that do not hold."""

from __future__ import annotations

import pytest

from immure.custody import SCHEMES, Signer, open_signer
from immure.custody.algorithms import algorithms_of, is_signature
from immure.custody.public_half import from_spki
from immure.custody.signer import shown
from immure.errors import SignerError
from immure.keymaterial.key import EcNumbers, OkpNumbers, RsaNumbers

from . import keys


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "key URIs begin with file:, pkcs11:"),
        ("/etc/key.pem", "/etc/key.pem: key URIs begin with"),
        ("ssh:1234", "ssh:…: key URIs begin with"),
        ("PKCS11", "key URIs begin with"),
        (":", "key URIs begin with"),
        ("file:", "names no file"),
        ("file:?alg=PS256", "names no file"),
        ("file://host/key.pem", "names no other host"),
        ("file:key?alg", "options of a file: URI are"),
        ("file:key?algo=PS256", "options of a file: URI are"),
        ("file:key?alg=PS256&alg=RS256", "alg is given twice"),
        ("file:key?pin-value=1234", "a PIN in a URI is seen by others"),
        ("file:key?alg=RS256;pin-value=1234", "a PIN in a URI is seen by others"),
        ("file:key;pin-value=1234", "file:…: a PIN in a URI is seen by others"),
        ("file:key%00", "embedded null byte|cannot be opened"),
        ("file:\ud800", "characters that no name of a file has"),
    ],
)
def test_uris_that_are_refused(uri, words):
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(uri)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("file:/a/b", "file:/a/b"),
        ("file:/a?pin-source=/x", "file:/a?…"),
        ("pkcs11:token=a;object=b", "pkcs11:token=a;object=b"),
        ("pkcs11:token=a;pin-value=1;object=b", "pkcs11:token=a;…;object=b"),
        ("PKCS11:pin%2Dvalue=1", "PKCS11:…"),
        ("pkcs11:token=a?pin-value=1", "pkcs11:token=a?…"),
        ("pkcs11:token=a&pin-value=1", "pkcs11:…"),
        ("pkcs11:token=a:pin-value=1;object=b", "pkcs11:…;object=b"),
        ("https://user:word@host/", "https:…"),
    ],
)
def test_what_is_shown_of_a_uri_holds_no_pin(uri, text):
    assert shown(uri) == text


class Faulty(Signer):
    """A key whose arithmetic went wrong once."""

    def __init__(self) -> None:
        super().__init__("file:faulty", from_spki(_spki("Ed25519"), "faulty"), "EdDSA")

    def _sign(self, message: bytes) -> bytes:
        signature = bytearray(keys.key("Ed25519").sign(message))
        signature[5] ^= 1
        return bytes(signature)

    def close(self) -> None:
        pass


def _spki(kind: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return keys.key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_signature_that_does_not_hold_is_not_given_out():
    with Faulty() as signer, pytest.raises(SignerError, match="file:faulty: what it signed does not hold"):
        signer.sign(b"message")


def test_a_signer_shows_its_name_and_nothing_else():
    assert repr(Faulty()) == f"<Faulty file:faulty EdDSA {Faulty().thumbprint}>"


def test_further_schemes_can_be_added(monkeypatch):
    monkeypatch.setitem(SCHEMES, "faulty", lambda uri, pin, ask: Faulty())
    assert isinstance(open_signer("faulty:"), Faulty)


@pytest.mark.parametrize(
    ("numbers", "algorithms"),
    [
        (RsaNumbers((1 << 2047) + 1, 65537), ("PS256", "RS256")),
        (RsaNumbers((1 << 2047) - 1, 65537), ()),
        (EcNumbers("P-256", 1, 1), ("ES256",)),
        (EcNumbers("P-384", 1, 1), ("ES384",)),
        (EcNumbers("P-521", 1, 1), ()),
        (EcNumbers("secp256k1", 1, 1), ()),
        (OkpNumbers("Ed25519", b""), ("EdDSA",)),
        (OkpNumbers("Ed448", b""), ()),
        (OkpNumbers("X25519", b""), ()),
    ],
)
def test_algorithms_of_keys(numbers, algorithms):
    assert algorithms_of(numbers) == algorithms


@pytest.mark.parametrize(
    ("numbers", "algorithm"),
    [
        (EcNumbers("P-256", 1, 1), "ES256"),  # not on the curve
        (EcNumbers("P-256", 1, 1), "EdDSA"),
        (RsaNumbers(1 << 2047, 2), "PS256"),
        (OkpNumbers("Ed25519", bytes(5)), "EdDSA"),
        (OkpNumbers("Ed25519", bytes([255] * 32)), "EdDSA"),
    ],
)
def test_numbers_that_are_no_key_sign_nothing(numbers, algorithm):
    assert is_signature(numbers, algorithm, b"message", bytes(64)) is False
