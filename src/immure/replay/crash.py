"""A crash that is real: the kernel writes the core of a process; where it cannot be had, we copy its memory.

kernel      the core is written where ``core_pattern`` says, or, as root, where we want it for a moment
copy        we write it ourselves, from ``/proc/PID/mem``, before the process is ended
debugger    gdb writes it (gcore), which takes longer, as it leaves nothing out
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.capture.pattern import CORE_PATTERN, LOCK, Pattern, changing, read_pattern, write_pattern
from immure.errors import CaptureError
from immure.replay.copying import copy_memory
from immure.replay.errors import ReplayError
from immure.replay.program import is_alive

_END_SECONDS: Final = 60.0
_GDB_SECONDS: Final = 120
#: Seconds that we wait for somebody else who changes ``core_pattern``.
_LOCK_SECONDS: Final = 10.0
#: How the dump was taken, in words.
Way = str
BY_KERNEL: Final = "SIGABRT, and the kernel wrote its core"
Taking = Callable[[int, Path, Path], Way | None]


def crash(pid: int, runs_in: Path, dump: Path, *, kernel_only: bool = False) -> Way:
    """End a process by SIGABRT, and have its memory in a file.

    Args:
        pid: of the process; it is not our child.
        runs_in: the directory that it runs in.
        dump: the file.
        kernel_only: take no other dump than the kernel's.

    Returns:
        How it was taken.

    Raises:
        ReplayError: there is no dump by any way that is possible here.
    """
    for take in (_by_kernel,) if kernel_only else (_by_kernel, _by_copy, _by_debugger):
        if not is_alive(pid):
            break
        way = take(pid, runs_in, dump)
        if way is not None:
            return way
    raise ReplayError(f"process {pid} left no dump in any way that is possible here")


def _by_kernel(pid: int, runs_in: Path, dump: Path) -> Way | None:
    """The core that the kernel writes; only if it will: who is dead leaves no other."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return None
    with _kernel_cores(runs_in) as can:
        if not can:
            return None
        os.kill(pid, signal.SIGABRT)
        _await_end(pid)
    for name in (f"core.{pid}", "core"):
        if (runs_in / name).is_file():
            (runs_in / name).rename(dump)
            return BY_KERNEL
    raise ReplayError(f"the kernel wrote no core of process {pid}", path=str(runs_in))


@contextmanager
def _kernel_cores(runs_in: Path) -> Iterator[bool]:
    """Whether the kernel writes the core of a process that runs there into that directory.

    As root we change ``core_pattern`` for the block if we have to, and see to it that nobody else who asks as
    we do changes it meanwhile. Others can only hope that it stays as it is.
    """
    if not os.access(CORE_PATTERN, os.W_OK):
        yield _is_plain()
    elif not _await_lock():
        yield False  # somebody else has it for longer than we wait
    else:
        with changing():
            if not _is_plain():
                write_pattern(Pattern(f"{runs_in}/core.%p").check())
            yield True


def _is_plain() -> bool:
    """Whether cores go to where their process runs."""
    try:
        pattern = read_pattern()
    except CaptureError:
        return False
    return pattern.kind == "file" and "/" not in pattern.text and pattern.text.startswith("core")


def _await_lock() -> bool:
    """Wait until nobody has the lock on ``core_pattern``, for a while; whether it is free."""
    limit = time.monotonic() + _LOCK_SECONDS
    while time.monotonic() < limit:
        try:
            with LOCK.open("a+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:
            return False
    return False


def _by_debugger(pid: int, _runs_in: Path, dump: Path) -> Way | None:
    if shutil.which("gdb") is None:
        return None
    quiet = ("set debuginfod enabled off", "set auto-load off", "set auto-solib-add off")
    words = ["gdb", "-nx", "-batch", *(word for line in quiet for word in ("-iex", line))]
    words += ["-p", str(pid), "-ex", f"generate-core-file {dump}", "-ex", "detach"]
    try:
        subprocess.run(  # noqa: S603 - gdb, with words of ours
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GDB_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if not dump.is_file() or not dump.stat().st_size:
        return None
    _end(pid)
    return "gdb wrote its core (gcore), as there is no other way here; then SIGABRT"


def _by_copy(pid: int, _runs_in: Path, dump: Path) -> Way | None:
    try:
        copy_memory(pid, dump)
    except OSError:
        dump.unlink(missing_ok=True)
        return None
    _end(pid)
    return "its memory was copied from /proc, as the kernel's cores are not ours to have here; then SIGABRT"


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGABRT)
    _await_end(pid)


def _await_end(pid: int) -> None:
    limit = time.monotonic() + _END_SECONDS
    while is_alive(pid):
        if time.monotonic() > limit:
            raise ReplayError(f"process {pid} did not end within {_END_SECONDS:.0f} s")
        time.sleep(0.01)
