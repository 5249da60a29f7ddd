"""Keys in files: every form that is taken, and every reason why a file is not."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from immure.custody import open_signer
from immure.custody.secret_file import MAX_BYTES
from immure.errors import SignerError

from . import keys

OLD = PrivateFormat.TraditionalOpenSSL
FORMS = [
    *(
        (kind, PrivateFormat.PKCS8, encoding)
        for kind in keys.SIGNING
        for encoding in (Encoding.PEM, Encoding.DER)
    ),
    *(
        (kind, OLD, encoding)
        for kind in ("P-256", "P-384", "RSA-2048")
        for encoding in (Encoding.PEM, Encoding.DER)
    ),
]


@pytest.mark.parametrize(("kind", "form", "encoding"), FORMS)
def test_forms(directory, kind, form, encoding):
    path = keys.write_key(directory / "key", keys.private_bytes(kind, form, encoding))
    with open_signer(f"file:{path}") as signer:
        signature = signer.sign(b"message")
        assert signer.algorithm == keys.SIGNING[kind]
        assert signer.public.label == kind
        assert signer.uri == f"file:{path}"
        assert "for trials" in signer.warning
        jwk = signer.public.to_jwk()
    assert keys.holds(jwk, keys.SIGNING[kind], b"message", signature)
    assert not keys.holds(jwk, keys.SIGNING[kind], b"massage", signature)
    with pytest.raises(SignerError, match="is closed"):
        signer.sign(b"message")


def test_rs256_by_option(directory):
    path = keys.write_key(directory / "key", keys.private_bytes("RSA-2048"))
    with open_signer(f"file:{path}?alg=RS256") as signer:
        assert keys.holds(signer.public.to_jwk(), "RS256", b"m", signer.sign(b"m"))
    with pytest.raises(SignerError, match="RSA-2048 keys sign by PS256 or RS256, not by 'ES256'"):
        open_signer(f"file:{path}?alg=ES256")


@pytest.mark.parametrize("form", ["{0}", "//{0}", "//localhost{0}", "{0}?", "./key%20of%20mine"])
def test_ways_to_name_a_file(directory, monkeypatch, form):
    monkeypatch.chdir(directory)
    path = keys.write_key(directory / "key of mine", keys.private_bytes("Ed25519"))
    open_signer("file:" + form.format(path)).close()


def test_a_password(directory, monkeypatch):
    word = "größer als 8"
    data = keys.private_bytes("Ed25519", password=word.encode())
    uri = f"file:{keys.write_key(directory / 'key', data)}"
    open_signer(uri, pin=word).close()
    asked = []
    open_signer(uri, ask=lambda question: asked.append(question) or word).close()
    assert asked == [f"password of {directory / 'key'}"]
    source = keys.write_key(directory / "pin", f"{word}\nanother line\n".encode())
    open_signer(f"{uri}?pin-source=file:{source}").close()
    open_signer(f"{uri}?pin-source={source}").close()
    for without in ({}, {"ask": lambda question: None}):
        with pytest.raises(SignerError, match="is encrypted, and there is no password"):
            open_signer(uri, **without)
    for wrong in ("größer", ""):
        with pytest.raises(SignerError, match=r"key: (wrong password, or damaged|cannot be decrypted)$"):
            open_signer(uri, pin=wrong)
    monkeypatch.setenv("IMMURE_PIN", word)
    open_signer(uri).close()


def test_a_password_that_is_not_needed_does_no_harm(directory, monkeypatch):
    monkeypatch.setenv("IMMURE_PIN", "for the token")
    open_signer(f"file:{keys.write_key(directory / 'key', keys.private_bytes('P-256'))}").close()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RSA-1024", "RSA-1024 keys do not sign here"),
        ("P-521", "P-521 keys do not sign here"),
        ("secp256k1", "secp256k1 keys do not sign here"),
        ("Ed448", "Ed448 keys do not sign here"),
        ("X25519", "X25519 keys do not sign here"),
        ("DSA", "public half is refused: unknown public key algorithm"),
        ("P-224", "public half is refused: unknown elliptic curve"),
    ],
)
def test_kinds_that_do_not_sign(directory, kind, words):
    path = keys.write_key(directory / "key", keys.private_bytes(kind))
    with pytest.raises(SignerError, match=words):
        open_signer(f"file:{path}")


PEM = b"-----BEGIN PRIVATE KEY-----\n%b-----END PRIVATE KEY-----\n"


BROKEN = {
    "empty": b"",
    "one byte": b"0",
    "indefinite lengths": b"\x30\x80" * 5000,
    "noise": os.urandom(500),
    "PEM of nothing": PEM % b"",
    "PEM of an empty sequence": PEM % b"MAAA\n",
    "PEM of no base64": PEM % b"!!!!\n",
    "a beginning": b"-----BEGIN ",
    "PEM cut off": keys.private_bytes("Ed25519")[:60],
    "DER cut off": keys.private_bytes("Ed25519", encoding=Encoding.DER)[:-1],
    "a public key": keys.public_pem("P-256"),
    "OpenSSH": keys.private_bytes("Ed25519", PrivateFormat.OpenSSH),
    "altered": keys.private_bytes("P-256", OLD).replace(b"A", b"B"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_key(directory, name):
    path = keys.write_key(directory / "key", BROKEN[name])
    with pytest.raises(SignerError) as caught:
        open_signer(f"file:{path}")
    assert caught.value.path == str(path)
    assert caught.value.reason == "is no private key in PKCS#8, SEC 1 or PKCS#1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660, 0o644, 0o777, 0o610, 0o440])
@pytest.mark.parametrize("by_link", [False, True])
def test_files_that_others_have_permissions_on(directory, mode, by_link):
    path = keys.write_key(directory / "key", keys.private_bytes("P-256"), mode)
    named = directory / "link"
    named.symlink_to(path)
    with pytest.raises(SignerError, match=rf"others have permissions on it \({mode:04o}\)"):
        open_signer(f"file:{named if by_link else path}")
    path.chmod(0o400)
    open_signer(f"file:{named if by_link else path}").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give files away")
def test_a_file_of_another_user(directory):
    path = keys.write_key(directory / "key", keys.private_bytes("P-256"))
    os.chown(path, 12345, 0)
    with pytest.raises(SignerError, match="belongs to another user"):
        open_signer(f"file:{path}")


def test_what_is_no_file(directory):
    os.mkfifo(directory / "pipe", 0o600)
    cases = {
        "pipe": "not a regular file",
        ".": "not a regular file",
        "none": "No such file",
        "pipe/x": "Not a directory",
    }
    for name, words in cases.items():
        with pytest.raises(SignerError, match=words):
            open_signer(f"file:{directory / name}")


@pytest.mark.parametrize(
    ("size", "words"), [(MAX_BYTES, "is no private key"), (MAX_BYTES + 1, "is larger than 65536")]
)
def test_large_files(directory, size, words):
    path = keys.write_key(directory / "key", bytes(size))
    with pytest.raises(SignerError, match=words):
        open_signer(f"file:{path}")
    assert path.stat().st_size == size  # what is wiped is the copy in memory


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("|cat /etc/pin", "a pin-source that is a command is not run"),
        ("https://example.com/pin", "is a path or a file: URI, not https:"),
        ("file://example.com/pin", "names no other host"),
        ("none", "none: No such file"),
        ("empty", "empty: there is no PIN in its first line"),
        ("blank", "blank: there is no PIN in its first line"),
        ("open", "open: others have permissions on it"),
        ("large", "large: is larger than 1024 bytes"),
    ],
)
def test_pin_sources_that_are_refused(directory, monkeypatch, source, words):
    monkeypatch.chdir(directory)
    keys.write_key(directory / "key", keys.private_bytes("Ed25519", password=b"word"))
    keys.write_key(directory / "empty", b"")
    keys.write_key(directory / "blank", b"\nword\n")
    keys.write_key(directory / "open", b"word\n", 0o644)
    keys.write_key(directory / "large", b"word\n" * 1000)
    with pytest.raises(SignerError, match=words):
        open_signer(f"file:key?pin-source={source}")
