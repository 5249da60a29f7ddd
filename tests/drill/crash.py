"""Start a real program, wait until it has signed, and take its memory: by a real crash, and with a debugger.

A crash goes through the kernel's ``core_pattern``, which belongs to the whole machine. So it is changed for
as short a time as possible, under a lock, the old value is put back whatever happens, and it is also kept in
the lock
file: the next drill puts it back if this one is killed outright.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
LOCK = Path("/run/immure-core-pattern.lock")  # not under /tmp: what stands in it is written to core_pattern


class DrillError(Exception):
    """The drill itself failed: nothing can be said about the scanner."""


@dataclass
class Target:
    """A program that we started, and the process of it whose memory we want."""

    process: subprocess.Popen[bytes]
    pid: int
    log: Path
    closers: list[Callable[[], None]] = field(default_factory=list)

    def stop(self) -> None:
        """End what was started, and nothing else."""
        for close in reversed(self.closers):
            close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def has_kernel_cores() -> bool:
    """Whether we may say where the kernel puts cores."""
    return CORE_PATTERN.exists() and os.access(CORE_PATTERN, os.W_OK)


def has_debugger() -> bool:
    """Whether gdb is there."""
    return shutil.which("gdb") is not None


@contextlib.contextmanager
def _children_may_dump() -> Iterator[None]:
    """What is started in the block may leave a core as large as our own hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def start(
    argv: Sequence[str],
    directory: Path,
    *,
    env: dict[str, str] | None = None,
    wait_for_ready: bool = True,
    timeout: float = 120,
) -> Target:
    """Start ``argv`` in ``directory``; come back when it has printed a line ``ready``."""
    target = _popen(argv, directory, env)
    if wait_for_ready:
        _await_ready(target, timeout)
    return target


def start_saying(argv: Sequence[str], directory: Path, *, timeout: float = 120) -> tuple[Target, str]:
    """Like :func:`start`, with what the program has printed until it was ready."""
    target = _popen(argv, directory, None)
    return target, _await_ready(target, timeout)


def _popen(argv: Sequence[str], directory: Path, env: dict[str, str] | None) -> Target:
    log = directory / "stderr.log"
    with log.open("wb") as stderr, _children_may_dump():
        process = subprocess.Popen(
            list(argv),
            cwd=directory,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    return Target(process, process.pid, log)


def _await_ready(target: Target, timeout: float) -> str:
    try:
        return _read_until_ready(target, timeout)
    except BaseException:
        target.stop()
        raise


def _read_until_ready(target: Target, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    assert target.process.stdout is not None
    descriptor, seen = target.process.stdout.fileno(), b""
    while b"ready\n" not in seen:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise DrillError(f"{target.process.args!r}: not ready within {timeout:.0f} s")
        data = os.read(descriptor, 4096)
        if not data:
            words = target.log.read_text(errors="replace")[-2000:]
            raise DrillError(f"{target.process.args!r}: ended before it was ready: {words}")
        seen += data
    return seen.decode(errors="replace")


def children(pid: int) -> list[int]:
    """Processes that ``pid`` started and that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def gcore(pid: int, path: Path, *, timeout: float = 300) -> Path:
    """Take the memory of a running process with gdb; the process goes on afterwards."""
    quiet = ["set debuginfod enabled off", "set auto-load off", "set auto-solib-add off"]
    argv = ["gdb", "-nx", "-batch", *(part for line in quiet for part in ("-iex", line))]
    argv += ["-p", str(pid), "-ex", f"generate-core-file {path}", "-ex", "detach"]
    done = subprocess.run(argv, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    if not path.exists() or path.stat().st_size == 0:
        raise DrillError(f"gcore of {pid}: {done.stderr.decode(errors='replace')[-800:]}")
    return path


@contextlib.contextmanager
def core_pattern(pattern: str) -> Iterator[None]:
    """Let the kernel do with cores what ``pattern`` says for as long as the block runs."""
    with LOCK.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        left_behind = lock.read()
        if left_behind:  # a drill was killed between the two writes below
            CORE_PATTERN.write_text(left_behind)
        before = CORE_PATTERN.read_text()
        lock.truncate(0)
        lock.write(before)
        lock.flush()
        try:
            CORE_PATTERN.write_text(f"{pattern}\n")
            yield
        finally:
            CORE_PATTERN.write_text(before)
            lock.truncate(0)


def kernel_cores_into(directory: Path) -> contextlib.AbstractContextManager[None]:
    """Let the kernel write cores to ``directory/core.PID`` for as long as the block runs."""
    return core_pattern(f"{directory}/core.%p")


def crash(pid: int, path: Path, *, reap: subprocess.Popen[bytes] | None = None, timeout: float = 180) -> Path:
    """End a process by SIGABRT and have the kernel write its core to ``path``.

    ``reap`` is the process itself if it is our child, so that it can be waited for.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        written = Path(temporary) / f"core.{pid}"
        with kernel_cores_into(Path(temporary)):
            os.kill(pid, signal.SIGABRT)
            _await_end(pid, reap, timeout)
        if not written.exists():
            raise DrillError(f"the kernel wrote no core for {pid}: it may have asked not to be dumped")
        written.rename(path)
    return path


def _await_end(pid: int, reap: subprocess.Popen[bytes] | None, timeout: float) -> None:
    if reap is not None and reap.pid == pid:
        reap.wait(timeout=timeout)
        return
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    raise DrillError(f"{pid} did not end within {timeout:.0f} s of SIGABRT")
