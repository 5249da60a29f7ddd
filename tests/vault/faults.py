"""Processes that die, and disks that fill, at a step of one's choice.

The work is done in a child process in which the functions of ``os`` that change something on disk count
their calls, and end the process with SIGKILL at the call that was asked for: before it, or in the midst of a
write.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Every function of os by which the project changes a file or directory.
CHANGES = ("write", "pwrite", "fsync", "rename", "replace", "link", "unlink", "mkdir", "ftruncate", "symlink")
KILLED = -signal.SIGKILL


def run(work: Callable[[], object], before: Callable[[], None] = lambda: None) -> int:
    """Do ``work`` in a child process; its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            before()
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - nothing may return into the test runner a second time
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_everywhere(prepare: Callable[[], Callable[[], object]]) -> Iterator[tuple[int, str]]:
    """Kill the same work at its first change, its second, and so on until it comes to its end.

    ``prepare`` makes everything anew and gives the work. Yields the number and name of the change that was
    not made, or half made, each time, for the caller to look at what is left.
    """
    number = 0
    while True:
        reading, writing = os.pipe()
        code = run(prepare(), before=functools.partial(_arm, number, writing))
        os.close(writing)
        with open(reading) as stream:
            name = stream.read()
        if code == 0:
            return
        assert code == KILLED, f"the child failed by itself before change {number}"
        yield number, name
        number += 1


def _arm(number: int, report: int) -> None:
    left = [number]
    for name in CHANGES:
        setattr(os, name, _deadly(name, getattr(os, name), left, report))


def _deadly(name: str, real: Callable[..., Any], left: list[int], report: int) -> Callable[..., Any]:
    real_write = os.write

    @functools.wraps(real)
    def change(*arguments: Any, **named: Any) -> Any:
        if left[0] == 0:
            real_write(report, name.encode())
            if name in ("write", "pwrite"):
                data = bytes(arguments[1])
                real(arguments[0], data[: len(data) // 2], *arguments[2:])
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(*arguments, **named)

    return change


def small_files(most: int) -> Callable[[], None]:
    """For ``before``: no file can become longer, as if the disk were full (EFBIG in place of ENOSPC)."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return limit


def contents(top: Path) -> Iterator[tuple[Path, bytes]]:
    """All files below a directory."""
    for path in sorted(top.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
