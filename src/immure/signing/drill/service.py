"""A signing service that runs in order to be crashed: its processes, and a load of requests for tokens."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from immure.signing.drill.backends import Backend, children
from immure.signing.drill.cage import Cage
from immure.signing.drill.errors import DrillError, EndedError, GoneError
from immure.signing.drill.house import CLIENT, STEADY, TURNING, House

_PATIENCE: Final = 60.0
_THREADS: Final = 2
#: Holders that one front end starts again; it gives up at the sixth death within a minute.
MOST_HOLDERS: Final = 4


class Running:
    """A service and its load, until the block ends.

    Args:
        bare: without what keeps its memory out of dumps (:mod:`.subject`).
        cage: memory cgroup that it runs in.
    """

    def __init__(self, house: House, backend: Backend, *, bare: bool, cage: Cage | None) -> None:
        self.house, self.backend, self.bare, self.cage = house, backend, bare, cage
        self.holders_killed = 0
        self.tokens = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Running:
        words = ["-m", "immure", "serve", "signing", "--config"]
        if self.bare:
            words = ["-m", "immure.signing.drill.subject"]
        with (self.house.directory / "journal").open("ab") as journal:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *words, str(self.house.config)],
                cwd=self.house.directory,
                env=os.environ | self.backend.environment,
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
            )
        if self.cage is not None:
            self.cage.admit(self._process.pid)
        for name in (STEADY, TURNING)[:_THREADS]:
            thread = threading.Thread(target=self._ask_always, args=(name,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self.cage is not None:
            self.cage.open()
        if self._process is not None:
            _kill_all(self._process)
        for thread in self._threads:
            thread.join()

    # --- processes ---

    def front(self, not_pid: int = 0) -> int:
        """The front end's process, waited for; raises DrillError if none comes."""
        return self._await(lambda: self._front(not_pid), "the front end")

    def holder(self) -> int:
        """The key holder's process; raises GoneError if none comes, for the front end may have crashed."""
        try:
            return self._await(self._holder, "the key holder", 10.0)
        except EndedError:
            raise
        except DrillError as error:
            raise GoneError(error.reason) from None

    def _front(self, not_pid: int = 0) -> int:
        pids = children(self._living().pid)
        return next((pid for pid in pids if pid != not_pid and _runs(pid, b"spawn_main")), 0)

    def _holder(self) -> int:
        front = self._front()
        return next((pid for pid in children(front) if _runs(pid, b"boot.py")), 0) if front else 0

    def _living(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise EndedError("the service has ended", path=str(self.house.directory / "journal"))
        return self._process

    def _await(self, look: object, what: str, seconds: float = _PATIENCE) -> int:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found = look()  # type: ignore[operator]
            if found:
                return int(found)
            self._living()
            time.sleep(0.01)
        raise DrillError(f"{what} does not begin", path=str(self.house.directory / "journal"))

    # --- load ---

    def await_tokens(self) -> None:
        """Wait until tokens are given out; raises DrillError if none is."""
        before = self.tokens
        self._await(lambda: self.tokens > before + 1, "giving out of tokens")

    def _ask_always(self, issuer: str) -> None:
        word = base64.b64encode(f"{CLIENT}-{issuer}:{self.house.secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {word}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection = _UnixConnection(self.house.socket)
        while not self._stop.is_set():
            try:
                connection.request("POST", f"/{issuer}/token", "grant_type=client_credentials", headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.tokens += 1
                else:
                    time.sleep(0.02)
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.02)
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in the file system."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _runs(pid: int, word: bytes) -> bool:
    """Whether a living process has a word in its command line."""
    try:
        return word in Path(f"/proc/{pid}/cmdline").read_bytes()  # empty once it is dead
    except OSError:
        return False


def is_alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor and all below it."""
    pids = [process.pid]
    for pid in pids:
        pids += children(pid)
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    limit = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids) and time.monotonic() < limit:
        time.sleep(0.01)
