"""A program that a test starts, waits for and stops.

Whatever it prints goes into a file, which is shown when it does not come up. It gets a process group of its
own, so that its children go with it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"
_PATIENCE = 30.0


def found(name: str, package: str, *places: str) -> str:
    """The path of a program; skips the test if it is not on this machine."""
    path = shutil.which(name, path=os.pathsep.join([*places, os.environ["PATH"], "/usr/sbin", "/sbin"]))
    if path is None:
        pytest.skip(f"NOT TESTED: {name} is not installed ({package})")
    return path


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses just now, each another.

    They are below those that the system gives to connections (from 32768): one of these might be taken until
    the program listens.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = secrets.choice(range(12_000, 32_000))
        with suppress(OSError), socket.create_server((LOOPBACK, port)):
            ports.add(port)
    return list(ports)


def free_port() -> int:
    return free_ports(1)[0]


@contextmanager
def directory(*, readable: bool = False) -> Iterator[Path]:
    """A directory with a short name (a Unix socket has 107 bytes of path); ``readable`` for all users."""
    with tempfile.TemporaryDirectory(prefix="immure-", ignore_cleanup_errors=True) as name:
        if readable:
            Path(name).chmod(0o755)
        yield Path(name)


class Program:
    """A running program: ``with Program(arguments, log=…) as program: program.wait_for(port)``."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        grace: float = 10.0,
    ) -> None:
        self.log = log
        self._grace = grace
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, port: int) -> None:
        """Until something listens there; else AssertionError with what the program printed."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.printed()}"
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return
            time.sleep(0.02)
        raise AssertionError(f"nothing listens on port {port}:\n{self.printed()}")

    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it, politely for as many seconds as ``grace`` says."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self._grace)
        with suppress(ProcessLookupError):  # children that outlive it, and itself if it would not go
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
