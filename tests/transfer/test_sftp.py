"""A directory behind a real sshd as destination: whole or not at all, never over a file, known hosts only."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("paramiko", reason="the extra sftp is not installed")

from immure.errors import TransferError
from immure.transfer.destinations.sftp import SftpDestination, SshSettings
from immure.transfer.places import parse_place

from .material import DUMP, World, sha256
from .servers import SSHD, Sshd, ssh_server

pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh-keygen") is None,
    reason="NOT TESTED: the tests of SFTP need openssh-server",
)
LARGE = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with ssh_server(tmp_path_factory.mktemp("sshd"), getpass.getuser()) as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "debug dumps").mkdir()
    return tmp_path / "debug dumps"


def destination(server: Sshd, out: Path, *, known_hosts: Path | None = None) -> SftpDestination:
    settings = SshSettings(str(server.top / "config"), (str(known_hosts or server.known_hosts),), agent=False)
    return SftpDestination(parse_place(f"sftp://{server.host}{out}".replace(" ", "%20")), settings=settings)


def stage(there: SftpDestination, data: bytes):
    begun = there.stage("app.core", len(data))
    for start in range(0, len(data), 1 << 20):
        begun.write(data[start : start + (1 << 20)])
    begun.prepare()
    return begun


@pytest.mark.parametrize("data", [b"small", LARGE, b""], ids=["small", "large", "empty"])
def test_it_appears_whole_and_only_when_committed(server, out, data):
    with destination(server, out) as there:
        with stage(there, data) as begun:
            [part] = out.iterdir()
            assert part.name.startswith(".immure-")
            assert begun.commit(sha256(data)) == "new"
        assert os.listdir(out) == ["app.core"]
        assert (out / "app.core").read_bytes() == data
        assert (out / "app.core").stat().st_mode & 0o777 == 0o640
        with stage(there, data) as begun:
            assert begun.commit(sha256(data)) == "present"
    assert os.listdir(out) == ["app.core"]


def test_what_is_staged_can_only_be_read_by_its_owner(server, out):
    with destination(server, out) as there, there.stage("app.core", 5) as begun:
        begun.write(b"bytes")
        assert [path.stat().st_mode & 0o777 for path in out.iterdir()] == [0o600]
    assert os.listdir(out) == []


@pytest.mark.parametrize("other", [b"other", b"a longer one", b""])
@pytest.mark.parametrize("quicker", [False, True])
def test_another_file_of_that_name_stays(server, out, other, quicker, monkeypatch):
    with destination(server, out) as there, stage(there, b"bytes") as begun:
        if quicker:  # it comes between the look and the rename
            looks = iter([False, True])
            monkeypatch.setattr(begun, "_exists", lambda: next(looks))
        (out / "app.core").write_bytes(other)
        with pytest.raises(TransferError, match="another file of that name is there"):
            begun.commit(sha256(b"bytes"))
    assert os.listdir(out) == ["app.core"]
    assert (out / "app.core").read_bytes() == other


def test_a_host_that_is_not_known(server, out, tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(TransferError, match="not found in known_hosts"):
        destination(server, out, known_hosts=tmp_path / "empty").stage("app.core", 5)
    other = (server.top / "stranger.pub").read_text().split()
    (tmp_path / "wrong").write_text(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    with pytest.raises(TransferError, match="another host key than the known one"):
        destination(server, out, known_hosts=tmp_path / "wrong").stage("app.core", 5)
    assert os.listdir(out) == []


def test_a_key_that_is_not_let_in(server, out, tmp_path):
    settings = SshSettings(str(tmp_path / "config"), (str(server.known_hosts),), agent=False)
    (tmp_path / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {server.top}/stranger\n")
    there = SftpDestination(parse_place(f"sftp://{server.host}/x"), settings=settings)
    with pytest.raises(TransferError, match="the server cannot take it: Authentication failed"):
        there.stage("app.core", 5)


def test_a_proxy_is_not_passed_over(server, tmp_path):
    (tmp_path / "config").write_text("Host 127.0.0.1\n  ProxyJump elsewhere\n")
    there = SftpDestination(parse_place("sftp://127.0.0.1/x"), settings=SshSettings(str(tmp_path / "config")))
    with pytest.raises(TransferError, match="a proxy of the SSH configuration cannot be used"):
        there.stage("app.core", 5)


def test_a_directory_that_is_not_there(server, out):
    with pytest.raises(TransferError, match=r"the server cannot take it: .*No such file"):
        destination(server, out / "no").stage("app.core", 5)


def test_a_server_that_is_not_there(server, out):
    there = SftpDestination(
        parse_place("sftp://127.0.0.1:9/x"), settings=SshSettings(str(server.top / "config"))
    )
    with pytest.raises(TransferError, match="cannot be connected to"):
        there.stage("app.core", 5)


def test_a_release_over_sftp(server, out, world: World):
    there = destination(server, out)
    world.write_policy(f"file://{world.out}", there.url)
    world.release(there)
    assert (out / "app.core").read_bytes() == DUMP
    assert world.kinds() == ["release.allowed", "release.done"]
    there.close()


def test_a_connection_that_breaks_half_way(server, out, world: World):
    there = destination(server, out)
    world.write_policy(f"file://{world.out}", there.url)

    def go() -> None:
        for step in world.gate().steps(world.request(there)):
            if step.name == "STAGED":
                there._client.close()

    with pytest.raises(TransferError, match="the server cannot take it"):
        go()
    assert not (out / "app.core").exists()
    assert world.kinds() == ["release.allowed", "release.failed"]
    assert world.vault.verify("sha256:" + sha256(DUMP))
