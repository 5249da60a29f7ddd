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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from immure.signing.drill.backend import Backend, children
from immure.signing.drill.cage import Cage
from immure.signing.drill.errors import DrillError, EndedError, GoneError
from immure.signing.drill.house import CLIENT, STEADY, TURNING, House

_PATIENCE: Final = 40.0
#: Seconds between an answer and the next request of a thread: time for others, and still a signature is under
#: way much of the time.
_PAUSE: Final = 0.01
#: Holders that one front end starts again; it gives up at the sixth death within a minute.
MOST_HOLDERS: Final = 4


class Running:
    """A service and its load, until the block ends.

    Args:
        bare: without what keeps its memory out of dumps (:mod:`.subject`).
        cage: memory cgroup that it runs in.
        stopped: nobody waits any longer once it is set.
        bytecode: directory where Python keeps what it compiled, so that the next start is quicker.
    """

    def __init__(
        self,
        house: House,
        backend: Backend,
        *,
        bare: bool,
        cage: Cage | None,
        stopped: threading.Event | None = None,
        bytecode: Path | None = None,
    ) -> None:
        self.house, self.backend, self.bare, self.cage = house, backend, bare, cage
        self._stopped = stopped or threading.Event()
        self._bytecode = bytecode
        self._asking = threading.Event()
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
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
            )
        if self.cage is not None:
            self.cage.admit(self._process.pid)
        for name in (STEADY, TURNING):
            thread = threading.Thread(target=self._ask_always, args=(name,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def _environment(self) -> dict[str, str]:
        made = os.environ | self.backend.environment | {"TMPDIR": str(self.house.directory)}
        if self._bytecode is not None:
            made.pop("PYTHONDONTWRITEBYTECODE", None)
            made["PYTHONPYCACHEPREFIX"] = str(self._bytecode)
        return made

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._asking.set()
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

    def hold_supervisor(self) -> None:
        """Let the supervisor do nothing until the end: it would kill processes that do not answer."""
        os.kill(self._living().pid, signal.SIGSTOP)

    @contextmanager
    def supervisor_held(self) -> Iterator[None]:
        """The supervisor does nothing during the block: a process in a debugger does not answer."""
        self.hold_supervisor()
        try:
            yield
        finally:
            with suppress(OSError):
                os.kill(self._living().pid, signal.SIGCONT)

    def _living(self) -> subprocess.Popen[bytes]:
        if self._stopped.is_set():
            raise EndedError("the drill is stopped")
        if self._process is None or self._process.poll() is not None:
            raise EndedError("the service has ended", path=str(self.house.directory / "journal"))
        return self._process

    def _await(self, look: Callable[[], int], what: str, seconds: float = _PATIENCE) -> int:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found = look()
            if found:
                return found
            self._living()
            time.sleep(0.01)
        raise DrillError(f"{what} does not begin", path=str(self.house.directory / "journal"))

    # --- load ---

    def ask(self, on: bool) -> None:
        """Have tokens asked for from now on, or not: while nothing is crashed, others have the processor."""
        if on:
            self._asking.set()
        else:
            self._asking.clear()

    def await_tokens(self) -> None:
        """Wait until tokens are given out, and ask for more; raises DrillError if none is."""
        self.ask(True)
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
            self._asking.wait()
            try:
                connection.request("POST", f"/{issuer}/token", "grant_type=client_credentials", headers)
                answer = connection.getresponse()
                answer.read()
                self.tokens += answer.status == 200
                time.sleep(_PAUSE if answer.status == 200 else 0.02)
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
    """End the supervisor and all below it; it is stopped first, so that it starts nobody meanwhile."""
    with suppress(OSError):
        os.kill(process.pid, signal.SIGSTOP)
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
