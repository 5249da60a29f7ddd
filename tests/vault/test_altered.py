"""Whatever is changed in a sealed dump, reading it fails; it never gives other bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import VaultError
from immure.vault import Sealed, Vault
from immure.vault.layout import CHUNK_BYTES, FOOTER_BYTES, HEADER_BYTES, TAG_BYTES

STORED = CHUNK_BYTES + TAG_BYTES
DATA = random.Random(1).randbytes(2 * CHUNK_BYTES + 777)


class Two:
    """A vault with two dumps of the same length."""

    def __init__(self, top: Path) -> None:
        self.vault = Vault.create(top / "vault")
        self.one = self.vault.seal([DATA], name="one")
        self.other = self.vault.seal([DATA[::-1]], name="other")

    def file(self, sealed: Sealed) -> Path:
        return Path(self.vault.path, "dumps", f"{sealed.file}.sealed")

    def key(self, sealed: Sealed) -> Path:
        return Path(self.vault.path, "keys", f"{sealed.file}.key")

    def record(self, sealed: Sealed) -> Path:
        return Path(self.vault.path, "records", f"{sealed.digest}.json")

    def change(self, how: Callable[[bytes], bytes]) -> None:
        path = self.file(self.one)
        path.write_bytes(how(path.read_bytes()))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Two:
    return Two(tmp_path_factory.mktemp("template"))


@pytest.fixture
def two(template: Two, tmp_path: Path) -> Two:
    shutil.copytree(template.vault.path, tmp_path / "vault", copy_function=shutil.copy2)
    copy = Two.__new__(Two)
    copy.vault, copy.one, copy.other = Vault.open(tmp_path / "vault"), template.one, template.other
    return copy


def chunk(data: bytes, index: int) -> bytes:
    return data[HEADER_BYTES + index * STORED :][:STORED]


def swap_chunks(data: bytes) -> bytes:
    return data[:HEADER_BYTES] + chunk(data, 1) + chunk(data, 0) + data[HEADER_BYTES + 2 * STORED :]


def without_last_chunk(data: bytes) -> bytes:
    return data[: HEADER_BYTES + 2 * STORED] + data[HEADER_BYTES + 2 * STORED + 777 + TAG_BYTES :]


def one_chunk_twice(data: bytes) -> bytes:
    return data[: HEADER_BYTES + STORED] + chunk(data, 0) + data[HEADER_BYTES + STORED :]


def flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


FILES = {
    "empty": (lambda data: b"", "is not a sealed dump"),
    "header only": (lambda data: data[:HEADER_BYTES], "cut short or longer"),
    "cut by a byte": (lambda data: data[:-1], "cut short or longer|was altered"),
    "cut in a chunk": (lambda data: data[: HEADER_BYTES + 500], "cut short or longer"),
    "longer by a byte": (lambda data: data + b"\0", "cut short or longer|was altered"),
    "longer by another seal": (lambda data: data + data[-300:], "cut short or longer|was altered"),
    "without the last chunk": (without_last_chunk, "cut short or longer|was altered"),
    "a chunk twice": (one_chunk_twice, "cut short or longer"),
    "chunks swapped": (swap_chunks, "was altered"),
    "a bit of the magic": (lambda data: flip(data, 3), "is not a sealed dump"),
    "a bit of the file id": (lambda data: flip(data, 20), "was altered"),
    "a bit of the chunk size": (lambda data: flip(data, 34), "this version does not write"),
    "a bit of the padding": (lambda data: flip(data, 40), "this version does not write"),
    "a bit of a chunk": (lambda data: flip(data, HEADER_BYTES + 5), "was altered"),
    "a bit of the last tag": (lambda data: flip(data, HEADER_BYTES + 2 * STORED + 777 + 3), "was altered"),
    "a bit of the seal": (lambda data: flip(data, len(data) - FOOTER_BYTES - 30), "was altered"),
    "a bit of the footer": (lambda data: flip(data, len(data) - 1), "cut short or longer|was altered"),
    "a footer beyond the file": (lambda data: data[:-FOOTER_BYTES] + b"\xff" * 4, "cut short or longer"),
    "other bytes": (lambda data: os.urandom(len(data)), "is not a sealed dump"),
}


@pytest.mark.parametrize(("how", "words"), FILES.values(), ids=FILES)
def test_an_altered_file_is_not_read(two, how, words):
    two.change(how)
    with pytest.raises(VaultError, match=words) as caught:
        two.vault.verify(two.one.id)
    assert str(two.file(two.one)) in str(caught.value)
    assert two.vault.verify(two.other.id) == two.other


def exchange(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def test_files_of_two_dumps_exchanged(two):
    exchange(two.file(two.one), two.file(two.other))
    with pytest.raises(VaultError, match="was altered, or its key is another one"):
        two.vault.verify(two.one.id)


def test_files_and_keys_of_two_dumps_exchanged(two):
    exchange(two.file(two.one), two.file(two.other))
    exchange(two.key(two.one), two.key(two.other))
    with pytest.raises(VaultError, match="holds another dump than its record says"):
        two.vault.verify(two.one.id)


def test_records_of_two_dumps_exchanged(two):
    exchange(two.record(two.one), two.record(two.other))
    with pytest.raises(VaultError, match="is the record of another dump"):
        two.vault.verify(two.one.id)


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("name", "harmless.core", "holds another dump"),
        ("sealed_at", "2020-01-01T00:00:00Z", "holds another dump"),
        ("size", 3, "holds another dump"),
        ("size", "3", "its size is no number"),
        ("size", True, "its size is no number"),
        ("id", "sha256:" + "0" * 64, "is the record of another dump"),
        ("id", ["sha256"], "its id names no dump"),
        ("file", "../../etc/passwd", "its name or file is missing"),
        ("name", None, "its name or file is missing"),
        ("sealed_at", "yesterday", "it has no time"),
        ("sealed_at", 5, "it has no time"),
        ("schema", "https://immure.example/schemas/sealed-2.json", "is not a record of"),
    ],
)
def test_an_altered_record(two, member, value, words):
    path = two.record(two.one)
    path.write_text(json.dumps(json.loads(path.read_text()) | {member: value}))
    with pytest.raises(VaultError, match=words):
        two.vault.verify(two.one.id)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"[" * 100_000, b"{}" + b" " * 20_000, b"\xff"])
def test_a_record_that_is_none(two, text):
    two.record(two.one).write_bytes(text)
    with pytest.raises(VaultError, match="is not a record"):
        two.vault.find(two.one.id)
    with pytest.raises(VaultError, match="is not a record"):
        Vault.open(two.vault.path).list()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"schema": 1}', b'{"wrapping": 5}', b"[" * 100_000])
def test_a_vault_that_is_none(two, text):
    Path(two.vault.path, "vault.json").write_bytes(text)
    with pytest.raises(VaultError, match="is not a description of a vault"):
        Vault.open(two.vault.path)


@pytest.mark.parametrize(("data", "words"), [(b"", "is not a key"), (b"x" * 53, "is not a key")])
def test_a_key_that_is_none(two, data, words):
    two.key(two.one).write_bytes(data)
    with pytest.raises(VaultError, match=words):
        two.vault.open_dump(two.one.id)
    two.key(two.one).unlink()
    with pytest.raises(VaultError, match="No such file"):
        two.vault.open_dump(two.one.id)


def test_a_link_in_place_of_a_file_is_not_followed(two, tmp_path):
    path = two.file(two.one)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VaultError, match="symbolic links"):
        two.vault.open_dump(two.one.id)


def test_a_file_cut_while_it_is_read(two):
    reader = two.vault.open_dump(two.one.id)
    assert reader.read(0, 9) == DATA[:9]
    os.truncate(two.file(two.one), HEADER_BYTES + STORED + 100)
    with pytest.raises(VaultError, match="was cut short"):
        reader.read(CHUNK_BYTES, 1)
    reader.close()
    with pytest.raises(VaultError, match="read after close"):
        reader.read(2 * CHUNK_BYTES, 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_of_bytes_is_noticed(template, tmp_path_factory, data):
    """Over a small dump, so that every part of the file is hit."""
    vault = Vault.create(tmp_path_factory.mktemp("v") / "vault")
    sealed = vault.seal([b"some bytes" * 5], name="s")
    path = Path(vault.path, "dumps", f"{sealed.file}.sealed")
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    altered = whole[:start] + data.draw(st.binary(max_size=40)) + whole[stop:]
    path.write_bytes(altered)
    if altered == whole:
        assert vault.verify(sealed.id) == sealed
    else:
        with pytest.raises(VaultError):
            vault.verify(sealed.id)


def test_the_one_chunk_of_an_empty_dump_is_authenticated(tmp_path):
    vault = Vault.create(tmp_path / "vault")
    sealed = vault.seal([], name="nothing")
    path = Path(vault.path, "dumps", f"{sealed.file}.sealed")
    path.write_bytes(flip(path.read_bytes(), HEADER_BYTES + 2))
    with pytest.raises(VaultError, match="was altered"):
        vault.verify(sealed.id)
