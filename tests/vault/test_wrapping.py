"""Keys that are wrapped: with a file, or with a passphrase."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from immure.errors import VaultError
from immure.vault import FileWrapping, PassphraseWrapping, Vault, Wrapping, wrapping

from .faults import contents


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with less work; that it is slow is not what is tested."""
    monkeypatch.setattr(wrapping, "_SCRYPT_N", 1 << 10)


@pytest.fixture(params=["file", "passphrase"])
def key(request: pytest.FixtureRequest, tmp_path: Path) -> Wrapping:
    return (
        FileWrapping.create(tmp_path / "kek")
        if request.param == "file"
        else PassphraseWrapping(b"a long enough one")
    )


def test_sealed_with_it_and_read_with_it(key, tmp_path):
    vault = Vault.create(tmp_path / "vault", wrapping=key)
    sealed = vault.seal([b"bytes"], name="x")
    again = Vault.open(vault.path, wrapping=key)
    assert again.open_dump(sealed.id).read(0, 5) == b"bytes"
    assert again.verify(sealed.id) == sealed


def test_without_it_one_can_list_and_destroy(key, tmp_path):
    sealed = Vault.create(tmp_path / "vault", wrapping=key).seal([b"bytes"], name="x")
    vault = Vault.open(tmp_path / "vault")
    assert vault.list() == (sealed,)
    with pytest.raises(VaultError, match="is wrapped: the vault's key file or passphrase is needed"):
        vault.open_dump(sealed.id)
    with pytest.raises(VaultError, match="its keys are wrapped"):
        vault.seal([b"bytes"], name="x")
    vault.destroy(sealed.id)
    assert vault.list() == ()


def test_another_one_is_told_at_once(tmp_path):
    first, second = FileWrapping.create(tmp_path / "1"), FileWrapping.create(tmp_path / "2")
    Vault.create(tmp_path / "vault", wrapping=first)
    with pytest.raises(VaultError, match="cannot be unwrapped: another key file or passphrase"):
        Vault.open(tmp_path / "vault", wrapping=second)
    with pytest.raises(VaultError, match="wrapped with a file, and a passphrase was given"):
        Vault.open(tmp_path / "vault", wrapping=PassphraseWrapping(b"a long enough one"))
    Vault.create(tmp_path / "plain")
    with pytest.raises(VaultError, match="not wrapped, and a file was given"):
        Vault.open(tmp_path / "plain", wrapping=first)


def test_a_wrapped_key_belongs_to_one_file_of_one_vault(key, tmp_path):
    vaults = [Vault.create(tmp_path / name, wrapping=key) for name in ("one", "two")]
    files = [vault.seal([b"bytes"], name="x").file for vault in vaults]
    paths = [Path(vault.path, "keys", f"{file}.key") for vault, file in zip(vaults, files, strict=True)]
    paths[0].write_bytes(paths[1].read_bytes())
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        vaults[0].open_dump(vaults[0].list()[0].id)


def test_the_salt_makes_keys_of_two_vaults_differ(key):
    wrapped = key.wrap(b"k" * 32, b"salt of one" + bytes(5), b"")
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        key.unwrap(wrapped, b"salt of other" + bytes(3), b"", "here")


def test_no_key_and_no_passphrase_is_stored(tmp_path):
    passphrase = b"the quick brown fox"
    kek = FileWrapping.create(tmp_path / "kek")
    for name, how in (("one", kek), ("two", PassphraseWrapping(passphrase))):
        Vault.create(tmp_path / name, wrapping=how).seal([b"bytes"], name="x")
        stored = [data for _, data in contents(tmp_path / name)]
        assert not any(passphrase in data or (tmp_path / "kek").read_bytes() in data for data in stored)
        assert json.loads((tmp_path / name / "vault.json").read_text())["wrapping"]["kind"] == how.kind


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("kind", "data", "mode", "words"),
    [
        (FileWrapping, b"k" * 31, 0o600, "is not a key file"),
        (FileWrapping, b"k" * 33, 0o600, "is not a key file"),
        (FileWrapping, b"k" * 32, 0o640, "can be read by others"),
        (PassphraseWrapping.from_file, b"short\nbut more lines", 0o600, "passphrase of fewer than 12 bytes"),
        (PassphraseWrapping.from_file, b"long enough passphrase", 0o644, "can be read by others"),
    ],
)
def test_files_that_will_not_do(tmp_path, kind, data, mode, words):
    with pytest.raises(VaultError, match=words):
        kind(write(tmp_path / "file", data, mode))


def test_files_that_are_none(tmp_path):
    with pytest.raises(VaultError, match="No such file"):
        FileWrapping(tmp_path / "none")
    with pytest.raises(VaultError, match="is not a regular file"):
        FileWrapping("/dev/zero")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(VaultError, match="is not a regular file"):
        PassphraseWrapping.from_file(tmp_path / "fifo")
    FileWrapping.create(tmp_path / "there")
    with pytest.raises(VaultError, match="cannot be made: File exists"):
        FileWrapping.create(tmp_path / "there")


def test_a_passphrase_ends_with_the_line(tmp_path):
    one = PassphraseWrapping.from_file(write(tmp_path / "file", b"a long enough one\r\nmore"))
    wrapped = one.wrap(b"k" * 32, b"salt", b"")
    assert PassphraseWrapping(b"a long enough one").unwrap(wrapped, b"salt", b"", "here") == b"k" * 32
