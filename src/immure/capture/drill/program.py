"""Starts the program of a drill with a canary, waits until it is ready, and crashes it.

The program learns from the variable ``IMMURE_CANARY``, or from ``{canary}`` in its arguments, where the key
is. It is ready when it has printed a line that matches, or after some seconds.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from immure.capture.drill.canary import PLACEHOLDER, VARIABLE
from immure.capture.memory import CAP_SYS_RESOURCE, has_capability
from immure.errors import CaptureError, UsageError

_MOST_OUTPUT: Final = 1 << 20
_TAIL: Final = 400
#: How long a program may take to be ready, and to end when it is crashed.
READY_SECONDS: Final = 60.0
END_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a program is started, and when it is ready: when ``ready`` matches what it printed, or, if that is
    None, after so many ``seconds``."""

    argv: Sequence[str]
    ready: re.Pattern[bytes] | None = None
    seconds: float = 2.0


def parse_ready(text: str) -> tuple[re.Pattern[bytes] | None, float]:
    """What ``--ready`` says: a number of seconds, or a regular expression.

    >>> parse_ready("1.5"), parse_ready("listening on")[0].pattern
    ((None, 1.5), b'listening on')

    Raises:
        UsageError: neither.
    """
    if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", text):
        return None, float(text)
    try:
        return re.compile(text.encode()), 0.0
    except re.error as error:
        raise UsageError(f"--ready is neither seconds nor a regular expression: {error}") from error


class Running:
    """A program that was started; a context manager that ends it, and nothing else."""

    def __init__(self, recipe: Recipe, canary: Path, directory: Path) -> None:
        argv = [word.replace(PLACEHOLDER, str(canary)) for word in recipe.argv]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the program that the user names is what a drill is about
                argv,
                cwd=directory,
                env={**os.environ, VARIABLE: str(canary)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_allow_cores,
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot be started: {error}", path=argv[0]) from error
        self.pid = self._process.pid
        self._recipe = recipe
        self._output = b""

    def await_ready(self) -> None:
        """Come back when the program is ready.

        Raises:
            CaptureError: it ended, or was not ready in time.
        """
        recipe = self._recipe
        limit = time.monotonic() + (READY_SECONDS if recipe.ready is not None else recipe.seconds)
        while recipe.ready is None or not recipe.ready.search(self._output):
            left = limit - time.monotonic()
            if left <= 0:
                if recipe.ready is None:
                    return
                raise CaptureError(
                    f"was not ready within {READY_SECONDS:.0f} s{self._said()}", path=recipe.argv[0]
                )
            if not self._read(left) or self._has_ended():
                raise CaptureError(f"ended before it was ready{self._said()}", path=recipe.argv[0])

    def crash(self) -> None:
        """End it by SIGABRT, and come back when it has ended.

        Raises:
            CaptureError: it does not end.
        """
        self._process.send_signal(signal.SIGABRT)
        limit = time.monotonic() + END_SECONDS
        while not self._has_ended():
            self._read(0.02)  # a full pipe must not keep it
            if time.monotonic() > limit:
                raise CaptureError(
                    f"did not end within {END_SECONDS:.0f} s of SIGABRT", path=self._recipe.argv[0]
                )

    def _has_ended(self) -> bool:
        """Whether it has; it is not reaped yet, so that its number is nobody else's."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _read(self, seconds: float) -> bool:
        """Take what it has printed; False if it has closed its output."""
        stream = self._process.stdout
        if stream is None or not select.select([stream], [], [], min(seconds, 0.25))[0]:
            return True
        data = os.read(stream.fileno(), 1 << 16)
        self._output = (self._output + data)[-_MOST_OUTPUT:]
        if not data:
            time.sleep(min(seconds, 0.02))
        return bool(data)

    def _said(self) -> str:
        text = self._output[-_TAIL:].decode("utf-8", "replace").strip()
        return f"; it said: {text}" if text else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):  # its own session: what it has started goes with it
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def may_leave_cores() -> bool:
    """Whether a program that we start may leave a core file."""
    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 or has_capability(CAP_SYS_RESOURCE)


def _allow_cores() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    most = resource.RLIM_INFINITY if has_capability(CAP_SYS_RESOURCE) else hard
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
