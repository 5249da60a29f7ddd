"""A Dovecot of one's own on this machine: for trials, drills and tests, beside any that is installed.

    with LocalMail(domains, asking, certificate=…, key=…) as mail:
        imaplib.IMAP4_SSL("127.0.0.1", mail.ports["imaps"])

Its files are in a directory of their own, it listens on loopback only, and it ends with the block.
"""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from immure.mail import doveconf
from immure.mail.errors import DovecotError
from immure.mail.files import write_configuration
from immure.mail.settings import LISTENERS, Accounts, Asking, Domain, MailSettings, Relay

LOOPBACK: Final = "127.0.0.1"
#: Owner of the mailboxes when root starts it: a number that is no account's.
_NOBODYS: Final = "2000"
#: A Unix socket's path has 107 bytes at most, and Dovecot's longest name in its directory has some 30.
_LONGEST: Final = 70


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody has just now, each another, below those that the system
    gives to connections."""
    found: set[int] = set()
    while len(found) < count:
        port = secrets.choice(range(12_000, 32_000))
        with suppress(OSError), socket.create_server((LOOPBACK, port)):
            found.add(port)
    return list(found)


def local_accounts() -> Accounts:
    """Accounts with which this very process may start Dovecot: root by Dovecot's own, others by theirs."""
    if os.geteuid() == 0:
        return Accounts(_NOBODYS, _NOBODYS)
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return Accounts(str(os.geteuid()), str(os.getegid()), user, group)


def local_settings(
    base: Path,
    domains: Mapping[str, Domain],
    asking: Asking,
    *,
    certificate: Path,
    key: Path,
    relay: Relay | None = None,
    **more: Any,
) -> MailSettings:
    """Settings of a server whose every file is under ``base``, on free ports of this machine.

    Args:
        base: a directory whose name is short.
        domains, asking, certificate, key, relay: as in the settings.
        more: other members of the settings.
    """
    given: dict[str, Any] = {
        "storage": base / "mail",
        "listen": LOOPBACK,
        "ports": dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True)),
        "relay": relay or Relay(),
        "accounts": local_accounts(),
        "run": base / "run",
        "state": base / "state",
        "events": base / "events" / "events.jsonl",
        "log": "/dev/stderr",
        "failure_seconds": 0,
    }
    return MailSettings(domains, asking, certificate, key, **(given | more))


class LocalMail:
    """A server that runs; see :func:`local_settings` for the arguments.

    Attributes:
        base: its directory.
        settings: what it was started with.
    """

    def __init__(
        self,
        domains: Mapping[str, Domain],
        asking: Asking,
        *,
        certificate: Path,
        key: Path,
        relay: Relay | None = None,
        extra: str = "",
        **more: Any,
    ) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="immure-mail-", dir=_short_temporary()))
        try:
            self.settings = local_settings(
                self.base, domains, asking, certificate=certificate, key=key, relay=relay, **more
            )
            self._prepare(extra)
        except BaseException:
            shutil.rmtree(self.base, ignore_errors=True)
            raise
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ports(self) -> Mapping[str, int]:
        """By listener."""
        return self.settings.ports

    @property
    def events(self) -> Path:
        """The file of the events."""
        return self.base / "events" / "events.jsonl"

    @property
    def configuration(self) -> Path:
        """Its ``dovecot.conf``."""
        return self.base / "conf" / "dovecot.conf"

    def printed(self) -> str:
        """Dovecot's log so far."""
        return (self.base / "log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> LocalMail:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, seconds: float = 30.0) -> None:
        """Start it, and wait until it listens.

        Raises:
            DovecotError: it does not come up in time; with the last line of its log.
        """
        doveconf.version()
        with (self.base / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - Dovecot, with words of ours
                [doveconf.program("dovecot"), "-F", "-c", str(self.configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        for port in self.settings.ports.values():
            while port and not _listens(port):
                if self._process.poll() is not None or time.monotonic() > end:
                    raise DovecotError(f"Dovecot does not come up: {self._last_line()}")
                time.sleep(0.02)

    def stop(self, *, seconds: float = 1.0) -> None:
        """End it and all of its processes, and delete its directory."""
        self.halt(seconds=seconds)
        shutil.rmtree(self.base, ignore_errors=True)

    def halt(self, *, seconds: float = 1.0) -> None:
        """End it and all of its processes; its files stay."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        with suppress(ProcessLookupError):  # its children, and itself if it would not go
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def reopen_events(self) -> None:
        """Let it open its file of events anew, as after it was renamed (``doveadm stats reopen``).

        Raises:
            DovecotError: it does not do so.
        """
        doveconf.doveadm(self.configuration, "stats", "reopen")

    def _prepare(self, extra: str) -> None:
        self.base.chmod(0o755)
        for name in ("mail", "run", "state", "events", "conf"):
            (self.base / name).mkdir()
        if os.geteuid() == 0:
            # mailboxes are made by their owner, and events are written by an account of Dovecot's
            os.chown(self.base / "mail", int(_NOBODYS), int(_NOBODYS))
            (self.base / "events").chmod(0o777)
        path = write_configuration(self.settings, self.base / "conf")
        if extra:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(extra)

    def _last_line(self) -> str:
        lines = self.printed().strip().splitlines()
        return lines[-1][:300] if lines else "it says nothing"


def _short_temporary() -> str | None:
    """The directory for temporary files, or one with a shorter name."""
    is_short = len(tempfile.gettempdir()) <= _LONGEST - 20
    return None if is_short else "/tmp"  # noqa: S108 (mkdtemp makes a directory in it)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
