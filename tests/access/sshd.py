"""A real sshd on a port of this machine, which opens one login to holders of certificates of a room."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from servers.program import Program, directory, found, free_port

_PROVIDER = Path(__file__).parent / "sk" / "provider.c"
_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {base}/host
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile none
TrustedUserCAKeys {base}/ca.pub
AuthorizedPrincipalsFile {base}/principals
RevokedKeys {base}/krl
LogLevel VERBOSE
PerSourcePenalties no
"""


@cache
def sk_provider() -> Path:
    """A security key in software, compiled for the run."""
    gcc = found("gcc", "Debian: gcc")
    if not Path("/usr/include/openssl/evp.h").exists():
        pytest.skip("NOT TESTED: headers of OpenSSL are not installed (Debian: libssl-dev)")
    import atexit
    import tempfile

    base = Path(tempfile.mkdtemp(prefix="immure-sk-"))
    atexit.register(shutil.rmtree, base)
    arguments = [gcc, "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(base / "sk.so"), str(_PROVIDER)]
    subprocess.run([*arguments, "-lcrypto"], check=True, timeout=60)
    return base / "sk.so"


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """Make a key of SSH; the file of its private half."""
    arguments = [found("ssh-keygen", "Debian: openssh-client"), "-q", "-t", kind, "-N", "", "-f", str(path)]
    if kind.endswith("-sk"):
        arguments += ["-w", str(sk_provider())]
    subprocess.run(arguments, check=True, timeout=30, stdin=subprocess.DEVNULL)
    return path


@dataclass
class Host:
    """Where somebody wants in. Its list of revoked certificates is ``krl``, its authority ``ca``."""

    base: Path
    port: int
    sshd: Program

    @property
    def ca(self) -> Path:
        return self.base / "ca"

    @property
    def krl(self) -> Path:
        return self.base / "krl"

    def enter(self, key: Path, *, verified: bool = True) -> subprocess.CompletedProcess[str]:
        """Try to run a command there with a key, and the certificate that lies beside it."""
        options = {
            "UserKnownHostsFile": f"{self.base}/known",
            "StrictHostKeyChecking": "accept-new",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "SecurityKeyProvider": str(sk_provider()),
        }
        arguments = [
            found("ssh", "Debian: openssh-client"),
            "-F",
            "none",
            "-p",
            str(self.port),
            "-i",
            str(key),
        ]
        for name, value in options.items():
            arguments += ["-o", f"{name}={value}"]
        environment = {**os.environ, **({} if verified else {"SK_WITHOUT_UV": "1"})}
        return subprocess.run(
            [*arguments, f"{getpass.getuser()}@127.0.0.1", "echo in"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@contextmanager
def running(principal: str) -> Iterator[Host]:
    """sshd that lets in whoever has a certificate of its authority for this principal."""
    program = found("sshd", "Debian: openssh-server")
    with directory(readable=True) as base:
        if os.geteuid() == 0:  # where sshd puts its part without privileges; made by Debian's service
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        port = free_port()
        make_key(base / "host")
        make_key(base / "ca")
        (base / "principals").write_text(f"{principal}\n")
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(base / "krl")], check=True, timeout=30)
        configuration = base / "sshd_config"
        configuration.write_text(_CONFIGURATION.format(port=port, base=base))
        with Program([program, "-D", "-e", "-f", str(configuration)], log=base / "log") as sshd:
            sshd.wait_for(port)
            yield Host(base, port, sshd)
