"""Keys to trust: from which files, for which algorithm, and which are left out."""

from __future__ import annotations

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from custody.keys import key, private_bytes, public_pem
from immure.attest.trust import load_trusted
from immure.custody.public_half import to_jwk
from immure.errors import InputError

from .samples import clock, signer


def jwk(kind, **members):
    return {**signer(kind).public.to_jwk(), **members}


@pytest.mark.parametrize("kind", ["Ed25519", "P-256", "P-384", "RSA-2048"])
def test_pem_is_trusted_for_the_default(tmp_path, kind):
    (tmp_path / "key.pem").write_bytes(public_pem(kind))
    [trusted] = load_trusted([str(tmp_path / "key.pem")]).keys
    assert (trusted.thumbprint, trusted.algorithm) == (signer(kind).thumbprint, signer(kind).algorithm)
    assert trusted.is_valid_at(clock())


@pytest.mark.parametrize(
    ("members", "algorithm"),
    [
        (jwk("RSA-2048"), "PS256"),
        (jwk("RSA-2048", alg="PS256"), "PS256"),
        (jwk("RSA-2048", alg="RS256", use="sig"), "RS256"),
        (jwk("RSA-2048", alg="RS512"), None),
        (jwk("RSA-2048", alg="RSA-OAEP", use="enc"), None),
        (jwk("P-256", use="enc"), None),
        (jwk("P-256", alg="ES384"), None),
        (jwk("P-256", alg="ES256"), "ES256"),
        (jwk("Ed25519", alg="EdDSA"), "EdDSA"),
        (jwk("Ed25519", alg="Ed25519"), "EdDSA"),
        (json.loads(to_jwk(signer("P-384").public, "ES384")), "ES384"),
    ],
)
def test_a_jwk_says_by_what_it_signs(tmp_path, members, algorithm):
    (tmp_path / "key.jwk").write_text(json.dumps(members))
    if algorithm is None:
        with pytest.raises(InputError, match=r"key\.jwk: holds no key that signs statements"):
            load_trusted([str(tmp_path / "key.jwk")])
    else:
        assert load_trusted([str(tmp_path / "key.jwk")]).keys[0].algorithm == algorithm


def test_sets_and_directories(tmp_path):
    (tmp_path / "keys").mkdir()
    good = [jwk("P-256", kid="a"), jwk("RSA-2048", kid="b", alg="RS256"), jwk("RSA-2048", kid="c")]
    other = [{"kty": "OKP", "crv": "X25519", "x": "a" * 43}, jwk("P-384", use="enc")]
    (tmp_path / "keys" / "set.json").write_text(json.dumps({"keys": good + other}))
    (tmp_path / "keys" / "again.pem").write_bytes(public_pem("P-256"))
    loaded = load_trusted([str(tmp_path / "keys")])
    assert {(one.public.label, one.algorithm) for one in loaded.keys} == {
        ("P-256", "ES256"),
        ("RSA-2048", "RS256"),
        ("RSA-2048", "PS256"),
    }
    assert len(loaded.keys) == 3
    assert any("do not sign statements: left out" in note for note in loaded.notes)


def test_a_certificate_is_trusted_in_its_time(tmp_path):
    name = x509.Name([])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key("P-256").public_key(), 1, begin)
    made = builder.not_valid_after(datetime.datetime(2026, 6, 1)).sign(key("P-384"), hashes.SHA256())
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    [trusted] = load_trusted([str(tmp_path / "cert.pem")]).keys
    assert trusted.is_valid_at(datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC))
    assert not trusted.is_valid_at(clock())


def test_a_private_key_is_noted(tmp_path):
    (tmp_path / "key.pem").write_bytes(private_bytes("P-256"))
    loaded = load_trusted([str(tmp_path / "key.pem")])
    assert len(loaded.keys) == 1
    assert "holds a PRIVATE key" in loaded.notes[0]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none", "No such file"),
        ("https://login.example/jwks.json", "No such file"),  # nobody is asked over the network
        ("text", "holds no public key"),
        ("small", "holds no key that signs statements"),
    ],
)
def test_sources_that_are_refused(tmp_path, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("nothing")
    (tmp_path / "small").write_bytes(public_pem("RSA-1024"))
    with pytest.raises(InputError, match=words):
        load_trusted([source])
