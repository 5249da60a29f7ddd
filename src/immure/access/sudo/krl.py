"""Lists of revoked certificates (OpenSSH's PROTOCOL.krl), asked by ``ssh-keygen``."""

from __future__ import annotations

import base64
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from immure.access.errors import AccessError
from immure.access.room import deny
from immure.access.sudo.certificate import UserCertificate
from immure.access.sudo.trusted import read_trusted
from immure.access.texts import spelled
from immure.errors import UsageError

_HEAD: Final = struct.Struct(">8sIQQ")
_MAGIC: Final = b"SSHKRL\n\0"
_MOST_BYTES: Final = 16 << 20
_SECONDS: Final = 10
_REVOKED: Final = 1
#: Clocks of the host and of who makes the list may differ by so much.
_SLACK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Krl:
    """A list in a file; ``minutes``: how old it may be (0: any age)."""

    path: Path
    minutes: int = 0

    def check(self, certificate: UserCertificate, at: datetime) -> None:
        """See that a certificate is not on it.

        Raises:
            DeniedError: it is (``revoked``), or the list is too old to say (``krl-old``).
            UsageError, AccessError: the list cannot be read, or others than root could have written it.
        """
        data = read_trusted(self.path, _MOST_BYTES)
        made = _made(data, self.path)
        if made > at + _SLACK or (self.minutes and at - made > timedelta(minutes=self.minutes)):
            deny("krl-old", f"the list of revoked certificates is of {spelled(made)}: too old to say")
        if _listed(data, certificate):
            deny("revoked", f"the certificate {certificate.serial} was revoked")


def _made(data: bytes, path: Path) -> datetime:
    try:
        magic, version, _, seconds = _HEAD.unpack_from(data)
        made = datetime.fromtimestamp(seconds, UTC)
    except (struct.error, ValueError, OverflowError, OSError):
        raise _no_list(path) from None
    if magic != _MAGIC or version != 1:
        raise _no_list(path)
    return made


def _no_list(path: Path) -> UsageError:
    return UsageError("is no list of revoked certificates (KRL)", path=str(path))


def _listed(data: bytes, certificate: UserCertificate) -> bool:
    """Asked of a copy: what is looked through is what was read, whatever is renamed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="immure-krl-") as directory:
        krl, asked = Path(directory) / "krl", Path(directory) / "asked.pub"
        krl.write_bytes(data)
        asked.write_bytes(f"{certificate.type} ".encode() + base64.b64encode(certificate.blob) + b"\n")
        try:
            done = subprocess.run(  # noqa: S603 - a program of the system, and files of our own
                ["ssh-keygen", "-Q", "-f", str(krl), str(asked)],  # noqa: S607
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise UsageError("ssh-keygen is not installed (Debian: openssh-client)") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AccessError("ssh-keygen does not answer") from error
    if done.returncode not in (0, _REVOKED) or (done.returncode and b"REVOKED" not in done.stdout):
        raise AccessError("ssh-keygen cannot read the list of revoked certificates")
    return done.returncode == _REVOKED
