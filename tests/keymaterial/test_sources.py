"""Files and directories as sources of keys."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import ImmureError, KeyFormatError, KeySourceError, LimitError
from immure.keymaterial import sources_files
from immure.keymaterial.sources import load_keys
from immure.keymaterial.sources_files import parse_keys

from . import formats, keys

FROM, UNTIL = datetime(2021, 4, 5, 6, 7, 8, tzinfo=UTC), datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)


def certificate(kind: str) -> x509.Certificate:
    key = keys.key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer.example")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), FROM, UNTIL)
    return builder.sign(key, None if kind in ("Ed25519", "Ed448") else hashes.SHA256())


def pem_certificate(kind: str) -> bytes:
    return certificate(kind).public_bytes(Encoding.PEM)


def authorized_keys() -> bytes:
    rsa, ed = (formats.ssh_line(keys.key(kind)) for kind in ("RSA-1024", "Ed25519"))
    lines = [
        b"# a comment " + rsa,
        b"",
        rsa,
        b'command="echo \\"ssh-rsa AAAA\\"",no-pty ' + ed + b" me@example.org",
    ]
    return b"\r\n".join(lines)


FILES: dict[str, tuple[bytes, list[str]]] = {
    **{f"{kind}.spki.der": (formats.spki(keys.key(kind)), [kind]) for kind in keys.KINDS},
    **{f"{kind}.spki.pem": (formats.spki_pem(keys.key(kind)), [kind]) for kind in keys.KINDS},
    **{
        f"{kind}.jwk": (json.dumps(formats.jwk(keys.key(kind), private=False)).encode(), [kind])
        for kind in keys.KINDS
    },
    "pkcs1.der": (
        formats.public_bytes(Encoding.DER, formats.PublicFormat.PKCS1)(keys.key("RSA-1024")),
        ["RSA-1024"],
    ),
    "certificate.der": (certificate("P-384").public_bytes(Encoding.DER), ["P-384"]),
    "bundle.pem": (
        b"a comment\n" + b"".join(pem_certificate(kind) for kind in ("RSA-2048", "P-256", "Ed25519")),
        ["RSA-2048", "P-256", "Ed25519"],
    ),
    "mixed.pem": (formats.spki_pem(keys.key("P-256")) + pem_certificate("Ed448"), ["P-256", "Ed448"]),
    "id.pub": (formats.ssh_line(keys.key("P-521")) + b" me@example.org\n", ["P-521"]),
    "authorized_keys": (authorized_keys(), ["RSA-1024", "Ed25519"]),
    "known_hosts": (b"host.example,192.0.2.1 " + formats.ssh_line(keys.key("Ed25519")), ["Ed25519"]),
    "jwks.json": (
        json.dumps({"keys": [formats.jwk(keys.key(k), private=False) for k in keys.KINDS]}).encode(),
        list(keys.KINDS),
    ),
    "list.json": (
        json.dumps([formats.jwk(keys.key(k), private=False) for k in keys.KINDS[:2]]).encode(),
        list(keys.KINDS[:2]),
    ),
    "bom.json": (
        b"\xef\xbb\xbf" + json.dumps(formats.jwk(keys.key("P-256"), private=False)).encode(),
        ["P-256"],
    ),
    "utf16.pem": (formats.spki_pem(keys.key("P-256")).decode().encode("utf-16"), ["P-256"]),
}

PRIVATE_FILES: dict[str, tuple[bytes, list[str]]] = {
    **{f"{kind}.pem": (formats.pkcs8_pem(keys.key(kind)), [kind]) for kind in keys.KINDS},
    **{f"{kind}.der": (formats.pkcs8(keys.key(kind)), [kind]) for kind in keys.KINDS},
    **{
        f"{kind}.traditional": (formats.traditional(keys.key(kind)), [kind]) for kind in (*keys.RSA, *keys.EC)
    },
    "id_ed25519": (formats.openssh_pem(keys.key("Ed25519")), ["Ed25519"]),
    "id_ed25519, encrypted": (formats.openssh_encrypted(keys.key("Ed25519")), ["Ed25519"]),
    "private.jwk": (json.dumps(formats.jwk(keys.key("RSA-1024"))).encode(), ["RSA-1024"]),
}


def write(tmp_path: Path, data: bytes, name: str = "file") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("name", FILES)
def test_files_of_public_keys(tmp_path: Path, name: str) -> None:
    data, kinds = FILES[name]
    path = write(tmp_path, data, name)
    loaded = load_keys(path)
    assert [key.numbers for key in loaded] == [keys.numbers(keys.key(kind)) for kind in kinds]
    assert {key.origin.source for key in loaded} == {path}
    assert loaded.notes == ()
    assert len(loaded) == len(kinds)


@pytest.mark.parametrize("name", PRIVATE_FILES)
def test_files_of_private_keys_are_taken_for_their_public_half(tmp_path: Path, name: str) -> None:
    data, kinds = PRIVATE_FILES[name]
    loaded = load_keys(write(tmp_path, data))
    assert [key.numbers for key in loaded] == [keys.numbers(keys.key(kind)) for kind in kinds]
    (note,) = loaded.notes
    assert "PRIVATE key; only its public half is used" in note


def test_a_certificate_says_when_it_is_valid(tmp_path: Path) -> None:
    (key,) = load_keys(write(tmp_path, pem_certificate("P-256")))
    assert (key.origin.not_before, key.origin.not_after) == (FROM, UNTIL)


def x5c(kind: str) -> list[str]:
    return [base64.b64encode(certificate(kind).public_bytes(Encoding.DER)).decode()]


def jwks(*members: Any) -> bytes:
    return json.dumps({"keys": members}).encode()


def jwk(kind: str, **members: Any) -> dict[str, Any]:
    return formats.jwk(keys.key(kind), private=False, **members)


def test_a_jwk_keeps_what_it_says_of_itself(tmp_path: Path) -> None:
    members = {
        "kid": "k",
        "issuer": "https://i.example",
        "cloud_instance_name": "c",
        "use": "sig",
        "alg": "RS256",
    }
    (key,) = load_keys(write(tmp_path, jwks(jwk("RSA-2048", **members, x5c=x5c("RSA-2048")))))
    origin = key.origin
    assert {name: getattr(origin, name) for name in members} == members
    assert (origin.not_before, origin.not_after) == (FROM, UNTIL)


NOTES = {
    "a symmetric key": (
        jwks({"kty": "oct", "k": "AAAA", "kid": "s"}, jwk("P-256")),
        "key 1 (kid 's'): a symmetric key",
    ),
    "an unknown type": (jwks({"kty": "AKP"}, jwk("P-256")), "key 1: a key of an unknown type"),
    "an unknown curve": (
        jwks(jwk("P-256") | {"crv": "P-224"}, jwk("P-256")),
        "key 1: JWK of an unknown curve",
    ),
    "not an object": (jwks("x", jwk("P-256")), "key 1: not a JSON object"),
    "a malformed member": (
        jwks(jwk("P-256") | {"x": 5}, jwk("P-256")),
        "JWK member 'x' is missing, too long or not",
    ),
    "a kid twice": (
        jwks(jwk("P-256", kid="a"), jwk("P-384", kid="a")),
        "kid 'a' is used twice, the second time for another",
    ),
    "a key twice": (jwks(jwk("P-256", kid="a"), jwk("P-256", kid="a")), "the second time for the same key"),
    "a foreign certificate": (
        jwks(jwk("P-256", x5c=x5c("P-384"))),
        "its certificate (x5c) is for another key",
    ),
    "a bad certificate": (jwks(jwk("P-256", x5c=["AAAA"])), "its certificate (x5c) cannot be read"),
    "a certificate that is no list": (jwks(jwk("P-256", x5c="AAAA")), "its certificate (x5c) cannot be read"),
    "a parameter block": (
        b"-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n" + pem_certificate("P-256"),
        "PEM block 1: 'DH PARAMETERS' is no key",
    ),
    "a block that is cut off": (pem_certificate("P-256") + pem_certificate("P-256")[:200], "PEM block 2: "),
    "a line of another type": (
        b"ssh-ed25519 " + formats.ssh_line(keys.key("RSA-1024")).split()[1] + b"\n" + authorized_keys(),
        "line 1: SSH key is not of the type",
    ),
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_odd_is_noted(tmp_path: Path, name: str) -> None:
    data, note = NOTES[name]
    loaded = load_keys(write(tmp_path, data))
    assert loaded.keys
    assert any(note in found for found in loaded.notes), loaded.notes


def rsa_jwk(**changes: int) -> bytes:
    values = formats.rsa_values(keys.key("RSA-1024")) | changes
    return json.dumps(
        {
            "kty": "RSA",
            "n": formats.b64url(formats.uint(values["n"])),
            "e": formats.b64url(formats.uint(values["e"])),
        }
    ).encode()


N = formats.rsa_values(keys.key("RSA-1024"))["n"]
ERRORS: dict[str, tuple[bytes, type[ImmureError], str]] = {
    "even modulus": (rsa_jwk(n=N - 1), KeyFormatError, "RSA modulus is even"),
    "even exponent": (rsa_jwk(e=65536), KeyFormatError, "RSA public exponent is even"),
    "exponent one": (rsa_jwk(e=1), KeyFormatError, "RSA public exponent is out of range"),
    "small modulus": (rsa_jwk(n=N >> 600 | 1), KeyFormatError, "RSA modulus of 424 bits"),
    "huge modulus": (
        rsa_jwk(n=1 << 20_000 | 1),
        KeyFormatError,
        "member 'n' is missing, too long or not base64url",
    ),
    "divisible modulus": (rsa_jwk(n=N * 3), KeyFormatError, "RSA modulus is divisible by 3"),
    "less divisible modulus": (rsa_jwk(n=N * 4093), KeyFormatError, "RSA modulus has a factor below 4096"),
    "point off the curve": (
        json.dumps(jwk("P-256") | {"x": jwk("P-256")["y"]}).encode(),
        KeyFormatError,
        "not on P-256",
    ),
    "encrypted": (
        keys.key("P-256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        KeyFormatError,
        "without the passphrase",
    ),
    "encrypted DER": (
        keys.key("P-256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        KeyFormatError,
        "without the passphrase",
    ),
    "DER with something behind": (formats.spki(keys.key("P-256")) + b"x", KeyFormatError, "unexpected data"),
    "half a certificate": (pem_certificate("P-256")[:300], KeyFormatError, "cut off"),
    "nothing": (b"", KeySourceError, "holds no public key"),
    "prose": (b"ssh-rsa is a key type", KeySourceError, "holds no public key"),
    "an empty set": (jwks(), KeySourceError, "holds no public key"),
    "symmetric only": (jwks({"kty": "oct"}), KeySourceError, "holds no public key (a symmetric key"),
    "JSON that is none": (b"{", KeySourceError, "not valid JSON"),
    "deep JSON": (b"[" * 100_000, KeySourceError, "not valid JSON"),
    "other JSON": (b'{"a":1}', KeySourceError, "not a JWK or a JWK Set"),
    "a discovery document": (b'{"issuer":"i","jwks_uri":"u"}', KeySourceError, "give its issuer's URL"),
    "a private key whose halves differ": (
        json.dumps(jwk("P-256") | {"y": jwk("P-256", kid="a")["x"]}).encode(),
        KeyFormatError,
        "not on P-256",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_holds_no_key_is_an_error_that_names_file_and_reason(tmp_path: Path, name: str) -> None:
    data, error, reason = ERRORS[name]
    path = write(tmp_path, data)
    with pytest.raises(error) as caught:
        load_keys(path)
    assert type(caught.value) is error
    assert caught.value.path == path
    assert reason in caught.value.reason


@pytest.mark.parametrize(("bits", "noted"), [(512, True), (1024, False)])
def test_sizes_that_are_not_searched_are_noted(tmp_path: Path, bits: int, noted: bool) -> None:
    p = formats.rsa_values(keys.key("RSA-1024"))["p"]
    n = N if bits == 1024 else p * formats.rsa_values(keys.key("RSA-1024", 1))["p"] >> 512 | 1
    while n % 3 == 0 or n.bit_length() != bits or any(n % prime == 0 for prime in range(3, 4096, 2)):
        n += 2
    loaded = load_keys(write(tmp_path, rsa_jwk(n=n)))
    assert any("searched for from 1024 to 8192 bits" in note for note in loaded.notes) == noted


def test_a_directory_is_read_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "deep").mkdir(parents=True)
    write(tmp_path, formats.spki(keys.key("P-256")), "b/1")
    write(tmp_path, formats.spki(keys.key("P-384")), "a/deep/2")
    write(tmp_path, formats.spki(keys.key("P-521")), "c")
    write(tmp_path, b"hello", "readme")
    write(tmp_path, rsa_jwk(e=4), "broken")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "c")
    os.mkfifo(tmp_path / "pipe")
    loaded = load_keys(str(tmp_path))
    assert [key.numbers.curve for key in loaded] == ["P-521", "P-384", "P-256"]
    assert [key.origin.source for key in loaded] == [
        str(tmp_path / name) for name in ("c", "a/deep/2", "b/1")
    ]
    assert loaded.notes == (
        f"{tmp_path / 'broken'}: RSA public exponent is even",
        f"{tmp_path / 'readme'}: holds no public key",
        f"{tmp_path}: 2 symbolic links not followed",
    )


def test_a_directory_without_keys_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, b"hello", "readme")
    with pytest.raises(KeySourceError, match="holds no public key"):
        load_keys(str(tmp_path))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, formats.spki(keys.key("P-256")))
    write(tmp_path, b"", "another")
    monkeypatch.setattr(sources_files, "MAX_FILES", 1)
    with pytest.raises(LimitError, match="more than 1 files"):
        load_keys(str(tmp_path))
    monkeypatch.setattr(sources_files, "MAX_FILE_BYTES", 10)
    with pytest.raises(LimitError, match="MiB"):
        load_keys(path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no/such/file", "No such file"),
        ("zero\0byte", "cannot be read"),
        ("ftp://example.org/keys", "not supported"),
        ("file:///etc/passwd", "not supported"),
    ],
)
def test_sources_that_cannot_be_read(source: str, reason: str) -> None:
    with pytest.raises(KeySourceError, match=reason):
        load_keys(source)


_SAMPLES = [data for data, _ in (*FILES.values(), *PRIVATE_FILES.values())]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_raise_our_errors_only(data: st.DataObject) -> None:
    sample = bytearray(data.draw(st.sampled_from(_SAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sample) - 1))
        sample[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(ImmureError):
        assert parse_keys(bytes(sample), "x").keys
