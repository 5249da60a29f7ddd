"""``immure`` for the pages, without Python's start each time: a process that has loaded the package, and has
a copy of itself take the place of every ``immure`` that a page calls.

A copy gets all that a program would have got: arguments, environment, directory, umask, the open files under
their numbers, signals. What it does is :func:`immure.cli.main.main`, in a process of its own. What stands in
for it where the page called it (:data:`CALLER`) passes signals on, and ends as it ends; if that is killed,
the copy goes with it. That programs really start is seen by ``make drill``, which runs the pages without
this.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import gc
import importlib
import io
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: What most commands load, and nothing that starts a thread.
LOADED = (
    "asyncio",
    "cryptography.hazmat.primitives.serialization.ssh",
    "cryptography.x509",
    "email.message",
    "flint",
    "http.client",
    "importlib.metadata",
    "immure.access",
    "immure.attest",
    "immure.auditlog",
    "immure.cli.access",
    "immure.cli.attest",
    "immure.cli.ledger",
    "immure.cli.main",
    "immure.cli.redact",
    "immure.cli.respond",
    "immure.cli.scan",
    "immure.cli.serve",
    "immure.cli.signing",
    "immure.ledger.verify",
    "immure.redact.redactor",
    "immure.registry.sqlite_store",
    "immure.response.bundle",
    "immure.scanning.scanner",
    "immure.scanning.report.formats",
    "immure.scanning.report.terminal",
    "immure.signing.service",
    "immure.vault",
    "logging",
    "multiprocessing",
    "rich.console",
    "sqlite3",
    "ssl",
)
#: Numbers of files that no program is called with.
_OUT_OF_THE_WAY = 500
CALLER = """\
#!{python} -IS
import _signal, _socket, array, marshal, os, sys

link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
link.connect({address!r})
files = []
for name in os.listdir("/proc/self/fd"):
    try:
        os.fstat(int(name))
    except OSError:  # it was that of the list
        continue
    if int(name) != link.fileno():
        files.append(int(name))
mask = os.umask(0)
os.umask(mask)
data = marshal.dumps((sys.argv[1:], dict(os.environb), os.getcwd(), mask, files))
rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", files))
link.sendmsg([len(data).to_bytes(8, "little")], [rights])
link.sendall(data)
copy = int.from_bytes(link.recv(8), "little")
if copy:
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda number, _: os.kill(copy, number))
status = link.recv(8)
if not status:
    os.write(2, b"what stands in for immure has ended\\n")
    os._exit(70)
code = os.waitstatus_to_exitcode(int.from_bytes(status, "little"))
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def prepared(directory: Path) -> Iterator[Path]:
    """A directory for the front of ``PATH``, with an ``immure``; ``directory`` is empty, its name short."""
    address = str(directory / "socket")
    programs = directory / "bin"
    programs.mkdir()
    (programs / "immure").write_text(CALLER.format(python=sys.executable, address=address))
    (programs / "immure").chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, address], start_new_session=True) as server:
        try:
            while not os.path.exists(address):
                assert server.poll() is None, "what stands in for immure does not start"
                time.sleep(0.02)
            yield programs
        finally:
            server.terminate()


def serve(address: str) -> None:
    """Answer callers until it is killed; returns in each copy, which is to be the program."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # nothing of it goes, and memory that is not written to is shared
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)
    running: list[_Copy] = []

    def leave(*_: object) -> None:
        for one in running:
            one.bury()
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    while True:
        waiting: list[Any] = [listener, *running, *(one.caller for one in running)]
        ready, _, _ = select.select(waiting, [], [])
        for copy in [one for one in running if one in ready or one.caller in ready]:
            copy.bury()
            running.remove(copy)
        if listener not in ready:
            continue
        caller, _ = listener.accept()
        request, files = _receive(caller)
        number = os.fork()
        if number == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for link in (listener, caller, *(one.caller for one in running)):
                link.detach()  # its number is closed, and may become that of another file
            return _become(request, files)
        for file in files:
            os.close(file)
        running.append(_Copy(number, caller))


class _Copy:
    """A copy of this process, and who has called for it."""

    def __init__(self, number: int, caller: socket.socket) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(number, number)
        self.number, self.caller, self._end = number, caller, os.pidfd_open(number)
        with suppress(OSError):
            caller.sendall(number.to_bytes(8, "little"))

    def fileno(self) -> int:
        """What can be read when it has ended."""
        return self._end

    def bury(self) -> None:
        """It has ended, and the caller is told how; or the caller was killed, and it ends now."""
        with suppress(ProcessLookupError):  # and what it has started, and left
            os.killpg(self.number, signal.SIGKILL)
        _, status = os.waitpid(self.number, 0)
        os.close(self._end)
        with suppress(OSError):
            self.caller.sendall(status.to_bytes(8, "little"))
        self.caller.close()


def _receive(caller: socket.socket) -> tuple[Any, list[int]]:
    size, ancillary, _, _ = caller.recvmsg(8, socket.CMSG_SPACE(250 * 4))
    files = array.array("i")
    for _, _, data in ancillary:
        files.frombytes(data[: len(data) // 4 * 4])
    data = b""
    while len(data) < int.from_bytes(size, "little"):
        data += caller.recv(1 << 20)
    return marshal.loads(data), list(files)


def _become(request: Any, files: list[int]) -> None:
    arguments, environment, directory, mask, numbers = request
    os.setpgid(0, 0)
    away = [fcntl.fcntl(file, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for file in files]
    os.closerange(0, _OUT_OF_THE_WAY)
    for file, number in zip(away, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.environb.clear()
    os.environb.update(environment)
    time.tzset()
    os.chdir(directory)
    os.umask(mask)
    sys.argv = [str(Path(sys.executable).with_name("immure")), *arguments]
    sys.path[0] = str(Path(sys.executable).parent)
    sys.stdin, sys.stdout, sys.stderr = (_stream(number, numbers) for number in range(3))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _stream(number: int, numbers: list[int]) -> Any:
    """What Python makes of a file for a program that has it as this number."""
    if number not in numbers:
        return None
    raw = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115 - for as long as it runs
    errors = "backslashreplace" if number == 2 else "strict"
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=number == 2)


def _act() -> None:
    """Be the program, up to its end; but what was loaded is not taken down: that takes as long as a start."""
    from immure.cli.main import main

    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as Python says it
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
    _act()
