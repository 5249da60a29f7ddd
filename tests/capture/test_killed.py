"""A server that is killed outright in the midst of a core leaves nothing that can be read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from immure.capture.handing import ask_state
from immure.vault import Vault

from .helpers import cores_to, holder, needs_core_socket, wait_until
from .test_server import settings_in

pytestmark = needs_core_socket
SERVE = [sys.executable, "-c", "from immure.cli.capture import capture; capture()", "serve", "-q", "-c"]
MEGABYTES = 96
#: What is kept, and how many bytes of spool and vault are written when the server is killed.
MOMENTS = [
    ("sealed", 0),
    ("sealed", 1 << 20),
    ("sealed", 24 << 20),
    ("sealed", 80 << 20),
    ("nothing", 24 << 20),
]


def written(directory: Path, pid: int) -> int:
    """Bytes that the server has put on the disk, its unlinked files among them."""
    total = 0
    for path in [*directory.rglob("*"), *Path(f"/proc/{pid}/fd").iterdir()]:
        try:
            if str(directory) in os.readlink(path) if path.is_symlink() else path.is_file():
                total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total


def readable_pieces(directory: Path, marker: bytes) -> list[Path]:
    """Files that hold a part of the marker."""
    return [path for path in directory.rglob("*") if path.is_file() and marker[:8] in path.read_bytes()]


def readable_through(pid: int, directory: Path, marker: bytes) -> list[str]:
    """Open files of the server below a directory, named or not, that hold a part of the marker."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(path)
            if target.startswith(str(directory)) and path.is_file() and marker[:8] in path.read_bytes():
                found.append(target)
    return found


@pytest.mark.parametrize(("keep", "moment"), MOMENTS)
def test_killed_in_the_midst_of_a_core(tmp_path: Path, keep: str, moment: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    settings = settings_in(disk, memory=1 << 20, keep=keep, scan=False)
    (tmp_path / "c.toml").write_text(settings.to_toml())
    server = subprocess.Popen([*SERVE, str(tmp_path / "c.toml")])
    try:
        wait_until(lambda: ask_state(settings.handle_socket) is not None)
        with holder(tmp_path, MEGABYTES) as (process, marker), cores_to(settings.core_socket):
            process.send_signal(signal.SIGABRT)
            if moment:
                wait_until(lambda: written(disk, server.pid) >= moment or process.poll() is not None)
            assert not readable_through(server.pid, disk, marker)
            server.kill()
            server.wait()
            process.wait(30)  # the kernel lets it go when nobody reads any more
            assert readable_pieces(disk, marker) == []
    finally:
        server.kill()
        server.wait()
    # what is left is no dump, and the next server clears it away
    vault = Vault.open(settings.vault)
    for sealed in vault.list():  # it may have been quicker than we
        assert vault.verify(sealed.id) == sealed
    if moment < MEGABYTES << 18:
        assert vault.list() == ()  # it was in the midst of it
    assert list((disk / "vault" / "incoming").iterdir()) == []
    assert list((disk / "spool").iterdir()) == []


def test_the_search_would_find_a_plain_core(tmp_path: Path) -> None:
    marker = random.Random(1).randbytes(16)
    (tmp_path / "core").write_bytes(os.urandom(1000) + marker * 10)
    assert readable_pieces(tmp_path, marker) == [tmp_path / "core"]
