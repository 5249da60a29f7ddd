"""The vault: the bytes come back, nothing else does, and nothing plain or half is ever on disk."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import Image, open_reader
from immure.errors import VaultError
from immure.files import write_whole
from immure.vault import Sealed, Vault
from immure.vault.layout import CHUNK_BYTES

from .faults import contents, run, small_files

MOMENT = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
MARKER = b"immure-marker-that-must-not-be-on-disk!!"


def at_moment() -> datetime:
    return MOMENT


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    position = 0
    for size in sizes:
        yield data[position : position + size]
        position += size
    yield data[position:]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault")


def left_over(vault: Vault) -> list[Path]:
    """Everything in a vault that no record or tombstone accounts for."""
    top = Path(vault.path)
    known = {sealed.file for sealed in vault.list()} | {stone.sealed.file for stone in vault.tombstones()}
    known |= {sealed.digest for sealed in vault.list()} | {"vault", "lock"}
    return [path for path in top.rglob("*") if path.is_file() and path.stem not in known]


@settings(max_examples=30, deadline=None)
@given(
    size=st.sampled_from([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
    | st.integers(0, 3 * CHUNK_BYTES),
    cuts=st.lists(st.integers(0, CHUNK_BYTES + 9), max_size=6),
    reads=st.lists(st.tuples(st.integers(0, 3 * CHUNK_BYTES), st.integers(0, 2 * CHUNK_BYTES)), max_size=6),
)
def test_the_bytes_come_back(tmp_path_factory, size, cuts, reads):
    data = hashlib.shake_128(size.to_bytes(4, "big")).digest(size)
    vault = Vault.create(tmp_path_factory.mktemp("v") / "vault")
    sealed = vault.seal(cut(data, cuts), name="app.core", clock=at_moment)
    assert sealed == Sealed(digest(data), size, MOMENT, "app.core", sealed.file)
    assert vault.verify(sealed.id) == sealed
    reader = vault.open_dump(sealed.id)
    assert reader.size == size
    for offset, length in reads:
        assert reader.read(offset, length) == data[offset : offset + length]
    reader.close()
    assert left_over(vault) == []


def test_a_file_is_sealed_to_its_end(vault):
    assert vault.seal(io.BytesIO(b"x" * 3_000_000), name="f").id == digest(b"x" * 3_000_000)


def test_sealing_again_gives_what_is_there(vault):
    first = vault.seal([b"same"], name="first.core")
    assert vault.seal([b"sa", b"me"], name="second.core") == first
    assert vault.list() == (first,)
    assert len(list(Path(vault.path, "keys").iterdir())) == 1


def test_a_damaged_dump_is_replaced_by_a_sound_one(vault):
    first = vault.seal([b"same" * 99], name="first.core")
    path = Path(vault.path, "dumps", f"{first.file}.sealed")
    path.write_bytes(path.read_bytes()[:-20])
    second = vault.seal([b"same" * 99], name="second.core")
    assert second.id == first.id
    assert second.file != first.file
    assert vault.verify(first.id) == second
    assert [stone.sealed for stone in vault.tombstones()] == [first]
    assert not path.exists()
    assert left_over(vault) == []


def test_an_image_is_read_through_the_vault(vault):
    sealed = vault.seal([b"\x7fELF rather not", bytes(2 * CHUNK_BYTES)], name="odd")
    [image] = open_reader("odd", vault.open_dump(sealed.id))
    assert isinstance(image, Image)
    with image:
        assert image.format == "raw"
        assert image.reader.read(0, 4) == b"\x7fELF"


def test_nothing_plain_and_no_key_is_on_disk_while_sealing(vault):
    top = Path(vault.path)
    looked = []

    def pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield MARKER * (CHUNK_BYTES // len(MARKER))
            looked.append(sum(len(data) for _, data in contents(top / "incoming")))
            assert not any(MARKER[:8] in data for _, data in contents(top))
            assert list((top / "keys").iterdir()) == []

    sealed = vault.seal(pieces(), name="secret.core")
    assert max(looked) > CHUNK_BYTES
    assert not any(MARKER[:8] in data for _, data in contents(top))
    assert [path.stat().st_mode & 0o777 for path in (top / "keys").iterdir()] == [0o600]
    assert {(top / name).stat().st_mode & 0o777 for name in (".", "keys", "records")} == {0o700}
    assert vault.open_dump(sealed.id).read(0, len(MARKER)) == MARKER


class Broken(Exception):
    """What somebody's iterator may raise."""


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (Broken("surprise"), Broken, "surprise"),
        (OSError(5, "Input/output error"), VaultError, "odd.core: cannot be read to its end: Input/output"),
        (KeyboardInterrupt("by hand"), KeyboardInterrupt, "by hand"),
    ],
)
def test_a_stream_that_breaks_off_leaves_nothing(vault, error, expected, words):
    def pieces() -> Iterator[bytes]:
        yield b"x" * 3 * CHUNK_BYTES
        raise error

    with pytest.raises(expected, match=words):
        vault.seal(pieces(), name="odd.core")
    assert vault.list() == ()
    assert left_over(vault) == []


def test_a_full_disk_leaves_nothing(vault, capfd):
    earlier = vault.seal([b"earlier"], name="earlier")

    def work() -> None:
        with pytest.raises(VaultError, match="cannot be written: File too large"):
            vault.seal([bytes(CHUNK_BYTES)] * 5, name="large")

    assert run(work, before=small_files(3 * CHUNK_BYTES + 1000)) == 0, capfd.readouterr().err
    assert vault.list() == (earlier,)
    assert left_over(vault) == []
    assert vault.verify(earlier.id) == earlier


@pytest.mark.parametrize("fails", ["key", "record", "tombstone"])
def test_what_fails_in_the_last_steps_is_taken_back(vault, monkeypatch, fails):
    """At once, not only when the vault is opened again; and a dump that was to be replaced is still there."""
    from immure.vault import keys, store

    old = vault.seal([b"same" * 99], name="old")
    path = Path(vault.path, "dumps", f"{old.file}.sealed")
    path.write_bytes(path.read_bytes()[:-20])
    before = dict(contents(Path(vault.path)))
    directory = {"key": "keys", "record": "records", "tombstone": "tombstones"}[fails]

    def full(target: Path, data: bytes, **more: object) -> None:
        if target.parent.name == directory and old.file.encode() not in data:
            raise OSError(28, "No space left on device", str(target))
        if fails == "tombstone" and target.parent.name == directory:
            raise OSError(28, "No space left on device", str(target))
        write_whole(target, data, **more)

    monkeypatch.setattr(store, "write_whole", full)
    monkeypatch.setattr(keys, "write_whole", full)
    with pytest.raises(VaultError, match=rf"{directory}/.*cannot be written: No space left"):
        vault.seal([b"same" * 99], name="new")
    if fails != "tombstone":
        with pytest.raises(VaultError, match="No space left"):
            vault.seal([b"other"], name="other")
    assert dict(contents(Path(vault.path))) == before


def test_threads_seal_while_others_open_the_vault(vault):
    def work(number: int) -> None:
        for turn in range(6):
            data = [bytes([number % 3, turn]) * 700_000] * 2  # two threads each seal the same bytes
            sealed = vault.seal(data, name=f"{number}.core")
            again = Vault.open(vault.path)
            assert again.verify(sealed.id).size == 2_800_000

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(vault.list()) == 18
    assert left_over(vault) == []


def test_destroyed_is_gone_and_remembered(vault):
    sealed = vault.seal([MARKER * 9], name="app.core", clock=at_moment)
    key = Path(vault.path, "keys", f"{sealed.file}.key").read_bytes()[-32:]
    stone = vault.destroy(sealed.id, clock=at_moment)
    assert (stone.sealed, stone.destroyed_at) == (sealed, MOMENT)
    for verb in (vault.open_dump, vault.verify, vault.destroy):
        with pytest.raises(VaultError, match=f"{sealed.id} was destroyed"):
            verb(sealed.id)
    assert vault.list() == ()
    assert Vault.open(vault.path).tombstones() == (stone,)
    assert not any(key in data for _, data in contents(Path(vault.path)))
    assert list(Path(vault.path, "dumps").iterdir()) == []


def test_the_key_is_overwritten_before_its_name_goes(vault, tmp_path):
    sealed = vault.seal([b"secret"], name="app.core")
    key = Path(vault.path, "keys", f"{sealed.file}.key")
    before = key.read_bytes()
    os.link(key, tmp_path / "same-file")
    vault.destroy(sealed.id)
    after = (tmp_path / "same-file").read_bytes()
    assert len(after) == len(before)
    assert before[-32:] not in after


def test_what_was_destroyed_may_come_again(vault):
    first = vault.seal([b"again"], name="one")
    vault.destroy(first.id)
    second = vault.seal([b"again"], name="two")
    assert Vault.open(vault.path).verify(first.id) == second
    assert [stone.sealed.name for stone in vault.tombstones()] == ["one"]


@pytest.mark.parametrize(
    "identity", ["", "app.core", "sha256:", "sha256:" + "A" * 64, "sha256:../" + "a" * 61]
)
def test_what_is_no_id(vault, identity):
    with pytest.raises(VaultError, match="names no dump"):
        vault.open_dump(identity)


def test_what_is_not_there(vault):
    with pytest.raises(VaultError, match="is not in this vault"):
        vault.open_dump(digest(b"nothing"))


def test_names_are_made_printable(vault):
    sealed = vault.seal([b""], name="a\nb\udcff" + "c" * 999)
    assert sealed.name == "a\N{REPLACEMENT CHARACTER}b\\udcff" + "c" * 246
    assert vault.list() == (sealed,)


def test_a_vault_needs_a_directory_of_its_own(tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(VaultError, match="is not empty"):
        Vault.create(tmp_path)
    with pytest.raises(VaultError, match="is not a vault"):
        Vault.open(tmp_path)
    with pytest.raises(VaultError, match="No such file"):
        Vault.create(tmp_path / "no" / "where")


@pytest.mark.parametrize("place", ["", "keys"])
def test_others_must_not_enter(vault, place):
    Path(vault.path, place).chmod(0o750)
    with pytest.raises(VaultError, match="can be entered by others"):
        Vault.open(vault.path)


def test_others_must_not_read_a_key(vault):
    sealed = vault.seal([b"x"], name="x")
    Path(vault.path, "keys", f"{sealed.file}.key").chmod(0o640)
    with pytest.raises(VaultError, match="can be read by others"):
        vault.open_dump(sealed.id)
