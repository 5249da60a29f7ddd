"""Programs that the replay starts, waits for and ends; each in a process group of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from immure.replay.errors import ReplayError

LOOPBACK: Final = "127.0.0.1"
#: Seconds that a program may take to begin on a machine that has other things to do.
PATIENCE: Final = 120.0
_GRACE: Final = 5.0
_SHOWN: Final = 400


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses just now. They are below those that the system gives
    to connections (from 32768), one of which might be taken before the program listens."""
    ports: set[int] = set()
    while len(ports) < count:
        port = 12_000 + secrets.randbelow(20_000)
        with suppress(OSError), socket.create_server((LOOPBACK, port)):
            ports.add(port)
    return list(ports)


class Program:
    """A program that runs until the block ends.

    Args:
        arguments: its own path first.
        log: a file for what it prints.
        directory: where it runs.
        grace: seconds that it has to end politely.
        descriptors: that it inherits.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        grace: float = _GRACE,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.log = log
        self.name = " ".join(
            Path(arguments[0]).name if n == 0 else one for n, one in enumerate(arguments[:5])
        )
        self._grace = grace
        try:
            with log.open("ab") as output:
                self.process = subprocess.Popen(  # noqa: S603 - our own programs, and Dovecot
                    [*_ended_with_us(), *arguments],
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                    pass_fds=tuple(descriptors),
                )
        except OSError as error:
            raise ReplayError(f"{self.name} cannot be started: {error.strerror}") from error

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for_page(self, url: str, seconds: float = PATIENCE) -> None:
        """Until a URL of it is answered with 200; raises ReplayError with what it printed if it never is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_alive()
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own
                if answer.status == 200:
                    return
            time.sleep(0.05)
        raise ReplayError(f"{self.name} does not answer: {self._tail()}", path=str(self.log))

    def wait_for_port(self, port: int, seconds: float = PATIENCE) -> None:
        """Until something listens there; raises ReplayError as :meth:`wait_for_page`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_alive()
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return
            time.sleep(0.02)
        raise ReplayError(f"{self.name} does not listen: {self._tail()}", path=str(self.log))

    def wait_for_file(self, path: Path, seconds: float = PATIENCE) -> None:
        """Until something is there, such as its socket; raises ReplayError as :meth:`wait_for_page`."""
        end = time.monotonic() + seconds
        while not path.exists():
            self._check_alive()
            if time.monotonic() > end:
                raise ReplayError(f"{self.name} does not begin: {self._tail()}", path=str(self.log))
            time.sleep(0.02)

    def stop(self) -> None:
        """End it and what it started."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self._grace)
        with suppress(ProcessLookupError):  # children that outlive it, and itself if it would not go
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _check_alive(self) -> None:
        if self.process.poll() is not None:
            words = f"{self.name} ended with {self.process.returncode}: {self._tail()}"
            raise ReplayError(words, path=str(self.log))

    def _tail(self) -> str:
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return "it printed nothing"
        return " ".join(text[-_SHOWN:].split()) or "it printed nothing"


def _ended_with_us() -> list[str]:
    """What has the kernel end a program when we are killed without a chance to end it ourselves."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--"]


def immure(*words: str) -> list[str]:
    """The arguments that start a command of our own."""
    return [sys.executable, "-m", "immure", *words]


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still run."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def runs(pid: int, word: bytes) -> bool:
    """Whether a living process has a word in its command line."""
    try:
        return word in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
