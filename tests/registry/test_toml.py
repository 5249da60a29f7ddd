"""The TOML registry: what people write, and what they must not."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from immure.registry.errors import DuplicateKeyError, RegistryError, TransitionError
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.registry.toml_text import parse_registry
from keymaterial.keys import key

from .material import ISSUER, public, record

JWK = "{ " + ", ".join(f'{name} = "{value}"' for name, value in public().to_jwk().items()) + " }"
HISTORY = "[[key.history]]\nstate = 'active'\nat = 2026-01-01T01:00:00+01:00\n"
KEY = f"[[key]]\nkid = 'k1'\njwk = {JWK}\n"
GOOD = f"version = 1\n# written by hand\n{KEY}[key.scope]\nissuer = 'https://login.example'\n{HISTORY}"


def pem(private: bool = False) -> str:
    if private:
        return key("Ed25519", 0).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return (
        key("Ed25519", 0).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )


def test_what_people_write():
    (one,) = parse_registry(GOOD.encode(), "keys.toml")
    assert (one.kid, one.thumbprint, one.state) == ("k1", public().thumbprint, KeyState.ACTIVE)
    assert one.scope == KeyScope(ISSUER)
    assert one.history[0].at == datetime(2026, 1, 1, tzinfo=UTC)


def test_keys_as_pem():
    text = GOOD.replace(f"jwk = {JWK}", f"pem = '''{pem()}'''")
    assert parse_registry(text.encode(), "x")[0].thumbprint == public().thumbprint


def test_a_change_keeps_everything_but_comments(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(GOOD)
    path.chmod(0o640)
    with open_store(path) as store:
        store.change_state(public().thumbprint, KeyState.SUSPENDED, reason="why", by="me")
    assert path.stat().st_mode & 0o777 == 0o640
    assert "written by hand" not in path.read_text()
    assert "without its comments" in path.read_text()
    assert open_store(path).records()[0].scope == KeyScope(ISSUER)
    assert os.listdir(tmp_path) == ["keys.toml"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real.toml").write_text("version = 1\n")
    (tmp_path / "keys.toml").symlink_to("real.toml")
    open_store(tmp_path / "keys.toml").add([record()])
    assert (tmp_path / "keys.toml").is_symlink()
    assert len(open_store(tmp_path / "real.toml").records()) == 1


def test_reading_changes_nothing(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(GOOD)
    before = path.stat()
    open_store(path).records()
    assert path.stat() == before or path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", RegistryError, "has no 'version'"),
        ("version = 2", RegistryError, "'version' is not 1"),
        ("version = true", RegistryError, "'version' is not 1"),
        ("version = 1.0", RegistryError, "'version' is not 1"),
        ("version = 1\nversion = 1", RegistryError, "not TOML"),
        ("version = 1\nkeys = []", RegistryError, "no member 'keys'"),
        ("version = 1\nkey = 7", RegistryError, "'key' is not a list"),
        ("version = 1\nkey = [7]", RegistryError, "key 1 is not a table"),
        (GOOD.replace("kid =", "kit ="), RegistryError, "key 1 has no 'kid'"),
        (GOOD.replace("'k1'", "7"), RegistryError, "'kid' is not a text"),
        (GOOD.replace("'k1'", '"a\\nb"'), RegistryError, "'kid' is not a text"),
        (GOOD.replace("'k1'", "''"), RegistryError, "kid is empty"),
        (
            GOOD.replace("kid = 'k1'", "kid = 'k1'\nuse = 'sig'"),
            RegistryError,
            r"\[key 'k1'\] has no member 'use'",
        ),
        (GOOD.replace("kid = 'k1'", "kid = 'k1'\nthumbprint = 'x'"), RegistryError, "has the thumbprint"),
        (GOOD.replace(f"jwk = {JWK}", ""), RegistryError, "needs 'jwk' or 'pem'"),
        (GOOD.replace(f"jwk = {JWK}", f"jwk = {JWK}\npem = 'x'"), RegistryError, "needs 'jwk' or 'pem'"),
        (GOOD.replace(f"jwk = {JWK}", "jwk = 7"), RegistryError, "'jwk' is not a table"),
        (GOOD.replace(f"jwk = {JWK}", "jwk = {}"), RegistryError, "is no key"),
        (GOOD.replace(f"jwk = {JWK}", "jwk = {kty='OKP',crv='Ed25519',x='AA'}"), RegistryError, "is no key"),
        (GOOD.replace('kty = "OKP"', 'kty = "OKP", d = "geheim"'), RegistryError, "only the public half"),
        (
            GOOD.replace(f"jwk = {JWK}", f"pem = '''{pem(private=True)}'''"),
            RegistryError,
            "'pem' is not the text",
        ),
        (GOOD.replace(f"jwk = {JWK}", f"pem = '''{pem()}{pem()}'''"), RegistryError, "more than one key"),
        (GOOD.replace(f"jwk = {JWK}", "pem = '-----BEGIN X-----'"), RegistryError, "'pem'"),
        (GOOD.replace(f"jwk = {JWK}", "pem = '''-----BEGIN ä'''"), RegistryError, "'pem'"),
        (GOOD.replace("issuer =", "isuer ="), RegistryError, "scope has no 'issuer'"),
        (GOOD.replace("issuer =", "audience_classes = 'consumer'\nissuer ="), RegistryError, "not a list"),
        (GOOD.replace("issuer =", "audience_classes = [7]\nissuer ="), RegistryError, "not a list of texts"),
        (
            GOOD.replace("issuer =", "not_after = 2026-01-01\nissuer ="),
            RegistryError,
            "not a time with an offset",
        ),
        (
            GOOD.replace("issuer =", "not_after = 2026-01-01T00:00:00\nissuer ="),
            RegistryError,
            "with an offset",
        ),
        (
            GOOD.replace("issuer =", "not_after = 0001-01-01T00:00:00+01:00\nissuer ="),
            RegistryError,
            "an offset",
        ),
        (GOOD.replace("issuer =", "not_after = 'never'\nissuer ="), RegistryError, "with an offset"),
        (GOOD.replace(HISTORY, ""), RegistryError, "1 to 1000 states"),
        (GOOD.replace("'active'", "'alive'"), RegistryError, "none of pre-active"),
        (GOOD.replace("'active'", "'destroyed'"), TransitionError, "cannot begin as destroyed"),
        (GOOD + HISTORY, TransitionError, r"\[key 'k1'\].*is active"),
        (GOOD.replace("at =", "by = 7\nat ="), RegistryError, "'by' is not a text"),
        (GOOD.replace("at =", "when ="), RegistryError, "no member 'when'"),
        ("a = " + "[" * 50_000, RegistryError, "x"),
        ("version = " + "1" * 5000, RegistryError, "x"),
        ("version = 1\n#" + "x" * (16 << 20), RegistryError, "longer than 16 MiB"),
    ],
)
def test_what_is_refused(text, error, words):
    with pytest.raises(error, match=words) as refused:
        parse_registry(text.encode(), "x")
    assert refused.value.path == "x"
    assert "geheim" not in str(refused.value)


def test_bytes_that_are_no_text():
    with pytest.raises(RegistryError, match="UTF-8") as refused:
        parse_registry(b"version = 1 # \xff", "x")
    assert refused.value.offset == 14


def test_a_key_twice(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(GOOD + KEY.replace("k1", "k2") + HISTORY)
    with pytest.raises(DuplicateKeyError, match="'k2' is there already, as 'k1'"):
        open_store(path).records()


def test_what_is_no_file(tmp_path):
    (tmp_path / "dir.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("dir.toml", "pipe.toml"):
        with pytest.raises(RegistryError):
            open_store(tmp_path / name).records()
