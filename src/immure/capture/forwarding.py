"""Hands a redacted core on to the program that got cores before us, such as systemd-coredump.

The program is started as the kernel starts it: with the words of the old ``core_pattern``, in which what is
known of the crash is filled in (core(5)), and with the core on its standard input. It gets the redacted one.
Such programs look the process up in ``/proc``, so the kernel is asked to hold it until they are done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Final

from immure.capture.crash import Crash
from immure.errors import CaptureError

_SECONDS: Final = 300.0


def expand(pattern: str, crash: Crash) -> list[str]:
    """The command line of a pattern that begins with ``|``.

    The kernel cuts the pattern at blanks before it fills in, so a name with blanks stays one word. What we do
    not know is 0 or empty, as with the kernel of an older system.

    >>> expand("|/lib/systemd/systemd-coredump %P %u %g %s %t %%", Crash(7, "a b", uid=1, gid=2, signal=6))
    ['/lib/systemd/systemd-coredump', '7', '1', '2', '6', '0', '%']
    """
    words = pattern.removeprefix("|").split()
    known = _specifiers(crash)
    return [_filled(word, known) for word in words]


def _specifiers(crash: Crash) -> dict[str, str]:
    seconds = int(crash.time.timestamp()) if crash.time is not None else 0
    pid = str(crash.pid)
    return {
        **dict.fromkeys("pPiI", pid),
        "u": str(crash.uid or 0),
        "g": str(crash.gid or 0),
        "d": "2" if crash.privileged else "1",
        "s": str(crash.signal or 0),
        "t": str(seconds),
        "h": os.uname().nodename,
        "e": crash.comm,
        "f": os.path.basename(crash.executable),
        "E": crash.executable.replace("/", "!"),
        "c": str((1 << 64) - 1),
        "C": "0",
        "%": "%",
    }


def _filled(word: str, known: dict[str, str]) -> str:
    result, at = "", 0
    while at < len(word):
        if word[at] == "%" and at + 1 < len(word):
            result += known.get(word[at + 1], "")
            at += 2
        else:
            result += word[at]
            at += 1
    return result


class ProgramForwarder:
    """Starts the program of an old ``core_pattern`` for each core.

    Args:
        pattern: the old pattern, which begins with ``|``.
        seconds: how long the program may take.
    """

    def __init__(self, pattern: str, *, seconds: float = _SECONDS) -> None:
        self.pattern = pattern
        self._seconds = seconds

    def forward(self, crash: Crash, pieces: Iterable[bytes]) -> None:
        """Start it, and give it the core.

        Raises:
            CaptureError: it cannot be started, or says that it failed.
        """
        argv = expand(self.pattern, crash)
        if not argv:
            raise CaptureError("cannot be started: core_pattern names no program")
        try:
            process = _start(argv)
        except (OSError, ValueError) as error:
            raise CaptureError(f"cannot be started: {error}", path=argv[0]) from error
        late = threading.Timer(self._seconds, _end, [process])
        late.start()
        try:
            _feed(process.stdin, pieces)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            in_time = late.is_alive()
            late.cancel()
            _end(process)  # before it is reaped: till then its number is nobody else's
            code = process.wait()
        if not in_time:
            raise CaptureError(f"did not end within {self._seconds:.0f} s", path=argv[0])
        if code != 0:
            raise CaptureError(f"ended with exit code {code}", path=argv[0])


def _start(argv: list[str]) -> subprocess.Popen[bytes]:
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603 - the administrator's own words of core_pattern, run as the kernel ran them
        argv, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, cwd="/", env={}, start_new_session=True
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it has started: any of them may have the other end of our pipe."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _feed(stdin: IO[bytes] | None, pieces: Iterable[bytes]) -> None:
    """Write everything; a program that reads no further may know enough, or fail: its exit code tells."""
    if stdin is not None:
        with suppress(BrokenPipeError), stdin:
            for piece in pieces:
                stdin.write(piece)
