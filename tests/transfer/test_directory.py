"""A directory as destination: whole or not at all, never over another file, and only in that directory."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from immure.errors import TransferError
from immure.transfer import open_destination
from immure.transfer.destinations.directory import DirectoryDestination
from vault.faults import run, small_files

from .material import World, sha256


@pytest.fixture(params=[True, False], ids=["nameless", "part"])
def nameless(request: pytest.FixtureRequest) -> bool:
    return request.param


def put(directory: Path, data: bytes, *, nameless: bool = True, name: str = "app.core") -> str:
    with (
        DirectoryDestination(str(directory), nameless=nameless) as there,
        there.stage(name, len(data)) as stage,
    ):
        for start in range(0, len(data), 1000):
            stage.write(data[start : start + 1000])
        stage.prepare()
        return stage.commit(sha256(data))


def test_it_appears_whole(tmp_path, nameless):
    assert put(tmp_path, b"x" * 10_500, nameless=nameless) == "new"
    assert (tmp_path / "app.core").read_bytes() == b"x" * 10_500
    mask = os.umask(0o022)
    os.umask(mask)
    assert (tmp_path / "app.core").stat().st_mode & 0o777 == 0o640 & ~mask
    assert os.listdir(tmp_path) == ["app.core"]
    assert put(tmp_path, b"x" * 10_500, nameless=nameless) == "present"
    assert os.listdir(tmp_path) == ["app.core"]


def test_before_the_commit_nobody_sees_it(tmp_path, nameless):
    with DirectoryDestination(str(tmp_path), nameless=nameless) as there, there.stage("app.core", 5) as stage:
        stage.write(b"bytes")
        stage.prepare()
        modes = [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()]
        assert modes == ([] if nameless else [0o600])
        assert not (tmp_path / "app.core").exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "there",
    [
        lambda path: path.write_bytes(b"other"),
        lambda path: path.write_bytes(b"longer than that"),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to("/etc/passwd"),
    ],
)
def test_what_has_that_name_stays(tmp_path, nameless, there):
    there(tmp_path / "app.core")
    before = (tmp_path / "app.core").lstat()
    with pytest.raises(TransferError, match=r"of that name is there"):
        put(tmp_path, b"bytes", nameless=nameless)
    after = (tmp_path / "app.core").lstat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    assert os.listdir(tmp_path) == ["app.core"]


def test_a_killed_process_leaves_nothing_that_stays(tmp_path):
    def work() -> None:
        stage = DirectoryDestination(str(tmp_path), nameless=False).stage("app.core", 5)
        stage.write(b"bytes")
        os.kill(os.getpid(), signal.SIGKILL)

    run(work)
    [left] = os.listdir(tmp_path)
    assert left.endswith(".part")
    held = DirectoryDestination(str(tmp_path), nameless=False).stage("other.core", 5)  # it lives, so it stays
    (tmp_path / ".immure-not-ours").touch()
    (tmp_path / ".immure-link.part").symlink_to("/etc/passwd")
    assert put(tmp_path, b"bytes", nameless=False) == "new"
    assert left not in os.listdir(tmp_path)
    assert len(os.listdir(tmp_path)) == 4
    held.abandon()


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert put(tmp_path, b"bytes", nameless=False) == "new"
    assert put(tmp_path, b"bytes", nameless=False) == "present"
    with pytest.raises(TransferError, match="another file of that name is there"):
        put(tmp_path, b"other", nameless=False)
    assert os.listdir(tmp_path) == ["app.core"]


def test_it_is_known_by_what_it_is_not_by_how_it_was_found(tmp_path):
    (tmp_path / "real one").mkdir()
    (tmp_path / "link").symlink_to("real one")
    for name in ("link", "link/../real one/", "real one/."):
        with open_destination(str(tmp_path / name)) as there:
            assert there.url == f"file://{tmp_path}/real%20one"
    with open_destination(f"file://{tmp_path}/real%20one") as there:
        assert there.url == f"file://{tmp_path}/real%20one"


@pytest.mark.parametrize(("path", "words"), [("no", "No such file"), ("file", "Not a directory")])
def test_what_is_no_directory(tmp_path, path, words):
    (tmp_path / "file").touch()
    with pytest.raises(TransferError, match=f"cannot be opened as a directory: {words}"):
        open_destination(str(tmp_path / path))
    with pytest.raises(TransferError, match="cannot be opened as a directory"):
        DirectoryDestination("a\0b")


@pytest.mark.parametrize("name", [b"new\nline", b"\xff", b"\x7f"])
def test_what_no_policy_can_name(tmp_path, name):
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
    os.mkdir(path)
    with pytest.raises(TransferError, match="cannot be named in a policy: its path"):
        DirectoryDestination(path)


def test_a_full_disk(world: World, capfd):
    """The vault is on another disk, as it were: only what is written last does not fit."""
    world.vault.seal([world.dump.read_bytes()], name="app.core", clock=world.clock)

    def work() -> None:
        from immure.transfer import Request, VaultSource

        request = world.request()
        source = VaultSource("sha256:" + sha256(world.dump.read_bytes()))
        with pytest.raises(TransferError, match="cannot be written: File too large"):
            world.gate().release(Request(source, request.clearance, request.destination, "app.core"))

    assert run(work, before=small_files(1 << 20)) == 0, capfd.readouterr().err
    assert world.visible() == []
    assert world.kinds() == ["release.allowed", "release.failed"]
    assert world.vault.verify("sha256:" + sha256(world.dump.read_bytes()))


def test_a_vault_that_is_full(world: World, capfd):
    def work() -> None:
        from immure.errors import VaultError

        with pytest.raises(VaultError, match="cannot be written: File too large"):
            world.release()

    assert run(work, before=small_files(1 << 20)) == 0, capfd.readouterr().err
    assert world.visible() == []
    assert world.vault.list() == ()


def test_a_directory_that_may_not_be_written(world: World, capfd):
    world.out.chmod(0o555)
    world.top.chmod(0o755)

    def become_nobody() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

    def work() -> None:
        with (
            DirectoryDestination(str(world.out)) as there,
            pytest.raises(TransferError, match="cannot be written: Permission denied"),
        ):
            there.stage("app.core", 5)

    assert run(work, before=become_nobody) == 0, capfd.readouterr().err
