"""The real systemd-coredump, of which only a socket that systemd would listen on is imitated."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .helpers import cores_to, crash_all, needs_core_socket, sleepers, wait_until
from .test_server import all_seen, serving, settings_in

PROGRAM = os.environ.get("SYSTEMD_COREDUMP", "/usr/lib/systemd/systemd-coredump")
SOCKET = Path("/run/systemd/coredump")
STORE = Path("/var/lib/systemd/coredump")
ACTIVATE = shutil.which("systemd-socket-activate")

pytestmark = [
    *needs_core_socket,
    pytest.mark.skipif(
        not os.path.exists(PROGRAM) or ACTIVATE is None,
        reason="NOT TESTED: systemd-coredump is not installed",
    ),
    pytest.mark.skipif(SOCKET.exists(), reason="NOT TESTED: systemd-coredump is at work here"),
]


@pytest.fixture
def systemd_coredump() -> Iterator[None]:
    """Its second half, which systemd starts when its first half connects."""
    missing = [path for path in (SOCKET.parent, STORE) if not path.exists()]
    for path in missing:
        path.mkdir(parents=True)
    argv = [str(ACTIVATE), "--seqpacket", "-a", "-l", str(SOCKET), PROGRAM]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stderr=said)
        try:
            wait_until(SOCKET.exists)
            yield
        finally:
            process.terminate()
            process.wait()
            SOCKET.unlink(missing_ok=True)
            for path in missing:
                shutil.rmtree(path)


def test_it_stores_a_redacted_core(tmp_path: Path, systemd_coredump: None) -> None:
    forward = f"|{PROGRAM} %P %u %g %s %t %c %h"
    settings = settings_in(tmp_path, keep="redacted", forward_to=forward)
    with serving(settings) as server, sleepers(1) as [process], cores_to(settings.core_socket):
        crash_all([process])
        all_seen(server, 1)
        [crash] = server.desk.last
        assert (crash["outcome"], crash["note"]) == ("captured", None), crash
        wait_until(lambda: bool(list(STORE.glob(f"core.sleep.*.{process.pid}.*"))))
        for stored in STORE.glob(f"core.sleep.*.{process.pid}.*"):
            stored.unlink()
