"""A host with sudo and PAM of its own: in a namespace of mounts, so that nothing of this machine is changed.

Logins, sudoers and the service of PAM are files that are mounted over those of ``/etc`` for one command.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from access.sshd import make_key, sk_provider
from servers.program import Program, directory, found

UIDS = {"prd-ada": 64711, "prd-eve": 64712, "debug": 64713}
_SUDOERS = """\
Defaults timestamp_timeout=0, lecture=never, !use_pty, !fqdn
root ALL=(ALL:ALL) ALL
ALL ALL=(ALL:ALL) {tag}ALL
"""
_PAM = """\
{stage} required pam_exec.so quiet {flags}stdout {python} -I -m immure access pam {options}
{rest}
session required pam_permit.so
"""
_REST = {"auth": "account required pam_permit.so", "account": "auth required pam_deny.so"}
_ENTER = """\
set -e
mount --bind "$1/etc/passwd" /etc/passwd
mount --bind "$1/etc/group" /etc/group
mount --bind "$1/etc/shadow" /etc/shadow
mount --bind "$1/etc/sudoers" /etc/sudoers
mount --bind "$1/etc/pam.d" /etc/pam.d
mkdir -p /run/sudo
mount -t tmpfs none /run/sudo
uid=$2; shift 2
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups env -i PATH=/usr/bin:/bin "$@"
"""


@dataclass
class Machine:
    """A host in room:debug. Its authority is ``ca``, its list of revoked certificates ``krl``."""

    base: Path

    @property
    def ca(self) -> Path:
        return self.base / "ca"

    @property
    def krl(self) -> Path:
        return self.base / "krl"

    def configure(self, *options: str, stage: str = "auth", flags: str = "seteuid ") -> None:
        """What PAM demands, beside the authority and the list."""
        etc = self.base / "etc"
        chosen = ["--resource", "room:debug", "--authority", f"{self.ca}.pub", "--seconds", "10", *options]
        (etc / "pam.d" / "sudo").write_text(
            _PAM.format(
                flags=flags, stage=stage, python=sys.executable, options=" ".join(chosen), rest=_REST[stage]
            )
        )
        (etc / "sudoers").unlink(missing_ok=True)
        (etc / "sudoers").write_text(_SUDOERS.format(tag="NOPASSWD: " if stage == "account" else ""))
        (etc / "sudoers").chmod(0o440)

    def inside(self, uid: int, *command: str) -> list[str]:
        """The arguments that run a command on this host as a user."""
        arguments = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "enter"]
        return [*arguments, str(self.base), str(uid), *command]

    def sudo(self, login: str, agent: Path | str | None, **more: str) -> subprocess.CompletedProcess[str]:
        """Try to become root as a login, with the socket of an agent in the environment."""
        environment = {**({} if agent is None else {"SSH_AUTH_SOCK": str(agent)}), **more}
        command = [f"{name}={value}" for name, value in environment.items()] + ["sudo", "id", "-u"]
        return subprocess.run(
            self.inside(UIDS[login], *command),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def home(self, login: str) -> Path:
        """A directory of a login, with a short name."""
        path = self.base / login
        if not path.exists():
            path.mkdir(mode=0o755)
            os.chown(path, UIDS[login], UIDS[login])
        return path

    def provider(self) -> Path:
        """The security key in software, where every login can read it."""
        path = self.base / "sk.so"
        if not path.exists():
            shutil.copy(sk_provider(), path)
            path.chmod(0o755)
        return path

    def key(self, login: str, kind: str = "ed25519-sk") -> Path:
        """Make a key of a login; the file of its private half."""
        number = len(list(self.home(login).glob("key*.pub")))
        return make_key(self.home(login) / f"key{number}", kind)

    @contextmanager
    def agent(self, login: str, *keys: Path, verified: bool = True, confirm: bool = False) -> Iterator[Path]:
        """A real agent of a login that holds keys, with the certificates beside them. With ``confirm`` it is
        to ask before it signs, and there is nobody whom it could ask."""
        path = self.home(login) / f"agent{time.monotonic_ns()}"
        who = ["setpriv", "--reuid", str(UIDS[login]), "--regid", str(UIDS[login]), "--clear-groups"]
        arguments = [*who, found("ssh-agent", "Debian: openssh-client"), "-D", "-a", str(path)]
        environment = {} if verified else {"SK_WITHOUT_UV": "1"}
        with Program([*arguments, "-P", str(self.provider())], log=self.base / "agent.log",
                     environment=environment):  # fmt: skip
            wait_for(path)
            tool = {**os.environ, "SSH_AUTH_SOCK": str(path), "SSH_SK_PROVIDER": str(self.provider())}
            for key in keys:
                for file in key.parent.glob(f"{key.name}*"):
                    os.chown(file, UIDS[login], UIDS[login])
                subprocess.run(
                    [*who, "ssh-add", "-q", *["-c"] * confirm, str(key)], env=tool, check=True, timeout=30,
                    stdin=subprocess.DEVNULL,
                )  # fmt: skip
            yield path


def wait_for(path: Path) -> None:
    """Until somebody listens at a socket."""
    end = time.monotonic() + 20
    while True:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
            tried.connect(str(path))
            return
        assert time.monotonic() < end, f"nobody listens at {path}"
        time.sleep(0.01)


@contextmanager
def machine() -> Iterator[Machine]:
    """A host; skips where none can be made."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: sudo in a namespace of mounts needs root")
    found("sudo", "Debian: sudo")
    found("setpriv", "Debian: util-linux")
    tried = subprocess.run(["unshare", "--mount", "true"], check=False, timeout=30, capture_output=True)
    if tried.returncode:
        pytest.skip("NOT TESTED: no namespace of mounts can be made here (unshare --mount)")
    with directory(readable=True) as base:
        etc = base / "etc"
        (etc / "pam.d").mkdir(parents=True)
        lines = ["root:x:0:0:root:/root:/bin/sh", "sshd:x:65533:65533::/run/sshd:/bin/false"]
        lines += [f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh" for name, uid in UIDS.items()]
        (etc / "passwd").write_text("".join(f"{line}\n" for line in lines))
        groups = ["root:x:0:", *(f"{name}:x:{uid}:" for name, uid in UIDS.items())]
        (etc / "group").write_text("".join(f"{line}\n" for line in groups))
        (etc / "shadow").write_text("".join(f"{name}:*:20000::::::\n" for name in ("root", *UIDS)))
        (etc / "shadow").chmod(0o600)
        made = Machine(base)
        make_key(made.ca)
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(made.krl)], check=True, timeout=30)
        made.configure("--krl", str(made.krl))
        yield made
