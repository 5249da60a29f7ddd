"""The scanner holds keys: nothing may dump its memory. Seen from outside, on real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: prctl and /proc are Linux's"),
]
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
IMMURE = [sys.executable, "-c", "from immure.cli.main import main; main()"]


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A program whose standard input never ends, since nobody closes it; cores are allowed if they may be."""

    def allow_cores() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    return subprocess.Popen(
        arguments,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=allow_cores,
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    stop = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < stop
        time.sleep(0.02)


def core_limit(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


def crash(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGABRT)
    process.wait(30)
    assert process.stdin is not None
    process.stdin.close()


def begin_scan(directory: Path) -> subprocess.Popen[bytes]:
    process = start(directory, *IMMURE, "scan", "-")
    assert process.stdin is not None
    process.stdin.write(os.urandom(1 << 20))
    process.stdin.flush()
    # the spool's thread: by then the scan is under way
    wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1)
    return process


def test_limit_is_zero_and_nobody_else_may_look(tmp_path: Path) -> None:
    process = begin_scan(tmp_path)
    try:
        assert core_limit(process.pid)[0] == "0"
        # what belongs to a process that may not be dumped belongs to root (proc(5))
        assert Path(f"/proc/{process.pid}/environ").stat().st_uid == 0
    finally:
        crash(process)


def test_crash_of_a_scan_leaves_no_core(tmp_path: Path) -> None:
    pattern = CORE_PATTERN.read_text().strip()
    if "/" in pattern or "|" in pattern:
        pytest.skip(f"NOT TESTED: core_pattern is {pattern!r}: cores do not come into the working directory")
    other = start(tmp_path, sys.executable, "-c", "input()")
    wait_until(lambda: b"input" in Path(f"/proc/{other.pid}/cmdline").read_bytes())
    crash(other)
    if not os.listdir(tmp_path):
        pytest.skip("NOT TESTED: no program leaves a core here, so nothing can be said about ours")
    for left in tmp_path.iterdir():
        left.unlink()
    crash(begin_scan(tmp_path))
    assert os.listdir(tmp_path) == []


def test_own_children_can_still_be_scanned(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-c", "print(input())")
    try:
        done = subprocess.run([*IMMURE, "scan", "-q", f"pid:{process.pid}"], capture_output=True, text=True)
    finally:
        crash(process)
    assert done.stdout.startswith(("CLEAN", "INCOMPLETE", "FOUND")), done.stderr
