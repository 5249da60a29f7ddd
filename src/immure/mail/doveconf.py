"""Dovecot's own programs: where they are, which version they are of, and what they say of a configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from immure.mail.errors import DovecotError

_PLACES: Final = os.pathsep.join(
    ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
)
_SECONDS: Final = 30.0
_NEEDED: Final = (2, 4)


def program(name: str) -> str:
    """The path of ``dovecot``, ``doveconf`` or ``doveadm``.

    Raises:
        DovecotError: it is not installed.
    """
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), _PLACES)))
    if path is None:
        raise DovecotError(f"{name} is not installed (Debian: dovecot-imapd dovecot-submissiond)")
    return path


def version() -> str:
    """Dovecot's version, such as ``2.4.1``.

    Raises:
        DovecotError: it is not installed, or older than 2.4, whose configuration has other words.
    """
    said = _run([program("dovecot"), "--version"])
    found = re.match(r"(\d{1,6})\.(\d{1,6})(?:\.\d{1,6})?", said.stdout)
    if found is None:
        raise DovecotError("dovecot --version does not say its version")
    if (int(found[1]), int(found[2])) < _NEEDED:
        raise DovecotError(f"Dovecot is {found[0]}, and the configuration is of 2.4")
    return found[0]


def check_configuration(path: Path) -> None:
    """Let Dovecot read a configuration (``doveconf -n``).

    Raises:
        DovecotError: it does not understand it, with what it says; or it is not installed.
    """
    result = _run([program("doveconf"), "-n", "-c", str(path)])
    if result.returncode != 0:
        words = (result.stderr.strip() or result.stdout.strip() or "no words").splitlines()[0]
        raise DovecotError(f"doveconf does not take the configuration: {words[:300]}")


def doveadm(configuration: Path, *words: str) -> str:
    """What ``doveadm`` prints when it is told these words of a running server.

    Raises:
        DovecotError: it fails, with what it says.
    """
    result = _run([program("doveadm"), "-c", str(configuration), *words])
    if result.returncode != 0:
        said = (result.stderr.strip() or "no words").splitlines()[0]
        raise DovecotError(f"doveadm {' '.join(words)}: {said[:300]}")
    return result.stdout


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - Dovecot's own programs
            arguments,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DovecotError(f"{Path(arguments[0]).name} cannot be run: {error}") from error
