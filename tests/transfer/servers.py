"""Real servers on the loopback interface: an S3 API, and an sshd with keys of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if os.path.exists("/usr/sbin/sshd") else None)


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint's URL. The server ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        yield f"http://127.0.0.1:{port}"
        server.stdin.close()


@dataclass
class Sshd:
    """An sshd for one account, and a client's files for it."""

    top: Path
    port: int
    user: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def known_hosts(self) -> Path:
        return self.top / "known_hosts"

    def write_client_files(self) -> None:
        public = (self.top / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        (self.top / "config").write_text(
            f"Host 127.0.0.1\n  User {self.user}\n  IdentityFile {self.top}/client\n"
        )


@contextmanager
def ssh_server(top: Path, user: str) -> Iterator[Sshd]:
    """An sshd on a free port, which lets in who has the client's key."""
    for name in ("host", "client", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(top / name)]
        subprocess.run(command, check=True)
    sshd = Sshd(top, _free_port(), user)
    shutil.copy(top / "client.pub", top / "authorized_keys")
    lines = {
        "Port": sshd.port,
        "ListenAddress": "127.0.0.1",
        "HostKey": top / "host",
        "AuthorizedKeysFile": top / "authorized_keys",
        "PidFile": top / "pid",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (top / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    assert SSHD is not None
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(top / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        _wait_for(sshd.port, server)
        sshd.write_client_files()
        yield sshd
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        assert server.poll() is None, "sshd did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not answer")
