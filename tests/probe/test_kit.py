"""Kits of test keys: made, read, and refused."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.errors import ImmureError, SignerError
from immure.probe.catalogue import CATALOGUE
from immure.probe.errors import KitError
from immure.probe.kit import Kit
from immure.probe.kit_file import read_kit
from immure.probe.kit_init import make_kit
from immure.probe.tokens_dir import write_tokens
from immure.tokens.keyset import KeySet
from immure.tokens.policy_file import read_policy


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_private_keys_are_for_their_owner(kit_directory: Path) -> None:
    assert mode(kit_directory / "keys") == 0o700
    assert {mode(path) for path in (kit_directory / "keys").iterdir()} == {0o600}


def test_only_private_files_hold_private_keys(kit_directory: Path) -> None:
    for path in kit_directory.rglob("*"):
        if path.is_file() and path.parent.name != "keys":
            assert b"PRIVATE" not in path.read_bytes()
            assert b'"d"' not in path.read_bytes()


def test_no_private_key_is_in_a_repr(kit: Kit) -> None:
    assert "PrivateKey" not in repr(kit)


def test_the_shared_set_says_what_keys_may_sign_for(kit: Kit, kit_directory: Path) -> None:
    keys = {jwk["kid"]: jwk for jwk in json.loads((kit_directory / "jwks.json").read_text())["keys"]}
    assert "issuer" not in keys["unscoped-rs256"]
    assert keys["consumer-rs256"]["issuer"] == kit.scopes["consumer"].issuer
    assert keys["other-cloud-es256"]["cloud_instance_name"] == "elsewhere.immure-probe.test"
    assert keys["encryption-rs256"]["use"] == "enc"
    assert len(keys["expired-eddsa"]["x5c"]) == 1
    assert not [kid for kid in keys if kid.startswith("attacker")]
    found = KeySet.from_jwks({"keys": list(keys.values())}, "jwks")
    assert len(found.keys) == len(keys) - 3  # those for encryption


def test_each_scope_has_a_set_of_its_own(kit: Kit, kit_directory: Path) -> None:
    for name, scope in kit.scopes.items():
        keys = json.loads((kit_directory / "jwks" / f"{name}.json").read_text())["keys"]
        assert keys
        assert {jwk["issuer"] for jwk in keys} == {scope.issuer}
    attackers = json.loads((kit_directory / "attacker.json").read_text())["keys"]
    assert {jwk["kid"] for jwk in attackers} == {"attacker-rs256", "attacker-es256", "attacker-eddsa"}


def test_the_policy_is_one(kit: Kit, kit_directory: Path) -> None:
    policy = read_policy(kit_directory / "policy.toml")
    assert set(policy.audiences) == {kit.target.audience}


def test_a_kit_of_one_algorithm(tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "new" / "kit", audience='api://"quoted"\\', algorithms=["EdDSA"])
    assert kit.target.audience == 'api://"quoted"\\'
    assert {key.alg for key in kit.keys.values()} == {"EdDSA"}
    assert write_tokens(tmp_path / "tokens", kit, CATALOGUE) > 250


def test_a_kit_is_made_in_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(KitError, match="not empty"):
        make_kit(tmp_path)
    with pytest.raises(KitError, match="cannot be made"):
        make_kit(tmp_path / "mine" / "kit")
    with pytest.raises(KitError, match="algorithms"):
        make_kit(tmp_path / "kit", algorithms=["HS256"])


def test_tokens_in_files(kit: Kit, tmp_path: Path) -> None:
    directory = tmp_path / "tokens"
    count = write_tokens(directory, kit, CATALOGUE)
    rows = json.loads((directory / "cases.json").read_text())["cases"]
    assert [row["id"] for row in rows] == [case.id for case in CATALOGUE]
    assert count == sum("files" in row for row in rows) == len(CATALOGUE) - 8
    assert {mode(path) for path in directory.iterdir()} == {0o600}
    assert (directory / "control.enterprise-rs256.jwt").read_text().count(".") == 2
    with pytest.raises(KitError, match="not empty"):
        write_tokens(directory, kit, CATALOGUE)


def change(old: str, new: str) -> Callable[[str], str]:
    def changed(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return changed


BROKEN = {
    "version": (change("version = 1", "version = 2"), "version is not 1"),
    "no version": (change("version = 1", ""), "version is not 1"),
    "no TOML": (lambda text: "= 1", "is no TOML"),
    "no text": (lambda text: "\0\ud800", "is no TOML"),
    "misspelt": (change("single_use", "singleuse"), "unknown member: 'singleuse'"),
    "target": (change('target = "enterprise"', 'target = "other"'), "target is none of the scopes"),
    "flag": (change("bound = false", "bound = 0"), "bound is neither true nor false"),
    "claims": (change("[claims]", "[claims]\nday = 2026-11-25\n"), "JSON has not"),
    "claims nan": (change("[claims]", "[claims]\nx = nan\n"), "JSON has not"),
    "scope": (change('scope = "consumer"', 'scope = "nobody"'), "a scope that is not there"),
    "scope member": (change("cloud =", "clouds ="), "unknown member"),
    "alg": (change('alg = "RS256"', 'alg = "HS256"'), "has an algorithm that is none of"),
    "alg of another kind": (change('alg = "RS256"', 'alg = "ES256"'), "cannot sign by ES256"),
    "moment": (change("not_before = 2", "not_before = 1979-05-27 #"), "not_before is not a time"),
    "twice": (change('alg = "RS256"', 'alg = "RS256"\nkid = "consumer-rs256"'), "the same kid"),
    "no keys": (lambda text: text[: text.index("[keys.")], "the kit has no keys"),
    "no scopes": (lambda text: text[: text.index("[scopes.")], "the kit has no scopes"),
    "long": (lambda text: text + "#" * (1 << 20), "is longer than"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_kits(kit_directory: Path, tmp_path: Path, name: str) -> None:
    how, words = BROKEN[name]
    (tmp_path / "keys").symlink_to(kit_directory / "keys")
    path = tmp_path / "kit.toml"
    path.write_bytes(how((kit_directory / "kit.toml").read_text()).encode("utf-8", "surrogatepass"))
    with pytest.raises(KitError, match=words) as caught:
        read_kit(path)
    assert str(tmp_path) in str(caught.value)


def test_keys_that_cannot_be_read(kit_directory: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for path in (kit_directory / "keys").iterdir():
        (keys / path.name).write_bytes(path.read_bytes())
        os.chmod(keys / path.name, 0o600)
    (tmp_path / "kit.toml").write_bytes((kit_directory / "kit.toml").read_bytes())
    assert read_kit(tmp_path / "kit.toml").keys
    os.chmod(keys / "consumer-rs256.pem", 0o644)
    with pytest.raises(SignerError, match="others have permissions"):
        read_kit(tmp_path / "kit.toml")
    (keys / "consumer-rs256.pem").unlink()
    with pytest.raises(SignerError):
        read_kit(tmp_path / "kit.toml")
    (keys / "consumer-rs256.pem").write_bytes(
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    os.chmod(keys / "consumer-rs256.pem", 0o600)
    with pytest.raises(KitError, match="is no private key"):
        read_kit(tmp_path / "kit.toml")
    with pytest.raises(ImmureError):
        read_kit(tmp_path / "nothing.toml")
