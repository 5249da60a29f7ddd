"""Runs a foreign program: bounded in time and output, alone, and never with a core of its own."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from immure.errors import RedactionError

T = TypeVar("T")

#: What a program may print; gdb prints some 100 bytes for each frame of each thread.
MOST_OUTPUT: Final = 64 << 20
_MOST_ERRORS: Final = 1 << 16
#: How long a program may live on when it has closed its output.
_LAST_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left: its exit code, what it printed, and what it complained of."""

    code: int
    output: str
    errors: str


def run(argv: Sequence[str], descriptors: Sequence[int], seconds: float, *, directory: str = "/") -> Finished:
    """Run a program that reads the files of some descriptors, as ``/proc/self/fd/N``.

    Raises:
        RedactionError: it is not installed, takes too long, or prints too much.
    """
    environment = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent"}
    name = os.path.basename(argv[0])
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; programs that the options name
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(descriptors),
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        words = "is not installed" if missing else f"cannot be started: {error.strerror}"
        raise RedactionError(f"{name} {words}") from error
    try:
        _restrict(process.pid, seconds)
        output, errors = _collect(process, name, time.monotonic() + seconds)
        code = process.wait(timeout=_LAST_SECONDS)
        return Finished(code, output.decode(errors="replace"), errors.decode(errors="replace"))
    except subprocess.TimeoutExpired as error:
        raise RedactionError(f"{name} takes too long") from error
    finally:
        _end(process)


def both(work: Callable[[int], T], descriptors: tuple[int, int]) -> list[T]:
    """The results for two images; at the same time, for much of it is waiting."""
    with ThreadPoolExecutor(2, thread_name_prefix="immure-reader") as pool:
        return list(pool.map(work, descriptors))


def _restrict(pid: int, seconds: float) -> None:
    """One byte of core: the kernel then writes none, nor gives any to a handler (0 would not stop that)."""
    with suppress(ProcessLookupError, PermissionError, ValueError):  # it has ended, or has less already
        resource.prlimit(pid, resource.RLIMIT_CORE, (1, 1))
        resource.prlimit(pid, resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))


def _collect(process: subprocess.Popen[bytes], name: str, deadline: float) -> tuple[bytearray, bytearray]:
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, target in ((process.stdout, output), (process.stderr, errors)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, target)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready:
                raise RedactionError(f"{name} takes too long")
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                elif len(key.data) < (MOST_OUTPUT if key.data is output else _MOST_ERRORS):
                    key.data.extend(data)
                elif key.data is output:
                    raise RedactionError(f"{name} prints more than {MOST_OUTPUT} bytes")
    return output, errors


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what was started, and all that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
