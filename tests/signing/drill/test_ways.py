"""Ways to take a process's memory, on processes of our own that hold a known number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from immure.capture.pattern import read_pattern
from immure.cli.drill_signer import _kernel_cores
from immure.signing.drill.cage import caged
from immure.signing.drill.canaries import Canary
from immure.signing.drill.errors import DrillError, GoneError
from immure.signing.drill.looking import look
from immure.signing.drill.scene import free_of_cores
from immure.signing.drill.service import is_alive
from immure.signing.drill.ways import WayName, take

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: memory is read as root")

HOLD = """
import ctypes, resource, sys, time
if sys.argv[1] == "shut":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
scalar = bytes.fromhex(sys.stdin.readline())
print("up", flush=True)
while True:
    taken = bytearray(4096)
    time.sleep(0.001)
"""


class Service:
    """What :func:`take` wants to know of a service."""

    bare, cage, house = True, None, None
    supervisor_held = staticmethod(nullcontext)


@pytest.fixture
def cores() -> Iterator[Path]:
    with _kernel_cores(None, wanted=True) as place:
        assert place is not None
        yield place


def holding(canary: Canary, how: str = "open") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(canary.private.d.reveal().to_bytes(32, "little").hex() + "\n")  # type: ignore[union-attr]
    process.stdin.flush()
    assert process.stdout.readline() == "up\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("way", ["segv", "abrt", "gcore", "live"])
def test_what_is_in_memory_is_found(way: WayName, cores: Path, tmp_path: Path) -> None:
    """RLIMIT_CORE is 0, and the kernel's core comes all the same: it is piped."""
    if way == "gcore" and shutil.which("gdb") is None:
        pytest.skip("NOT TESTED: gdb is not installed")
    canary = Canary.make("ES256")
    process = holding(canary)
    try:
        taken = take(way, process.pid, Service(), tmp_path, cores)  # type: ignore[arg-type]
        assert taken.target is not None
        assert taken.is_live == (way == "live")
        assert look(taken.target, [], [canary]).numbers >= 1
        assert is_alive(process.pid) != taken.is_fatal
    finally:
        ended(process)


@pytest.mark.parametrize("way", ["segv", "abrt"])
def test_a_process_that_is_not_dumpable_leaves_no_core(way: WayName, cores: Path, tmp_path: Path) -> None:
    process = holding(Canary.make("ES256"), "shut")
    try:
        taken = take(way, process.pid, Service(), tmp_path, cores)  # type: ignore[arg-type]
        assert (taken.target, taken.note) == (None, "the kernel made no core")
        assert taken.is_fatal
    finally:
        ended(process)


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    process = holding(Canary.make("ES256"))
    ended(process)
    with pytest.raises(GoneError):
        take("live", process.pid, Service(), tmp_path, None)  # type: ignore[arg-type]


def test_without_a_cgroup_memory_does_not_run_out(tmp_path: Path) -> None:
    process = holding(Canary.make("ES256"))
    try:
        with pytest.raises(DrillError, match="cgroup"):
            take("oom", process.pid, Service(), tmp_path, None)  # type: ignore[arg-type]
    finally:
        ended(process)


def test_cores_that_nobody_asked_for_are_counted_and_removed(cores: Path) -> None:
    before = read_pattern()
    process = holding(Canary.make("ES256"))
    os.kill(process.pid, 11)
    process.wait(60)  # killed in the middle of its dump, it would leave none
    ended(process)
    assert free_of_cores(cores) == 1
    assert not list(cores.glob("core.*"))
    assert free_of_cores(None) == 0
    assert read_pattern() == before


def test_the_pattern_is_put_back(tmp_path: Path) -> None:
    before = read_pattern()
    cores = _kernel_cores(str(tmp_path), wanted=True)
    with suppress(ZeroDivisionError), cores as place:
        assert str(place) in read_pattern().text
        raise ZeroDivisionError
    assert read_pattern() == before
    assert not list(tmp_path.iterdir())


_WANTS = """
import time
input()
had = []
for _ in range(1 << 12):
    had.append(bytearray(1 << 20))
    time.sleep(0.005)
"""


def test_out_of_memory() -> None:
    """Processes are held when there is no more memory, where cgroups can do that, and then somebody is
    killed."""
    with caged(f"immure-test-{os.getpid()}") as cage:
        if cage is None:
            pytest.skip("NOT TESTED: no memory cgroup can be made here")
        try:
            other = subprocess.Popen(
                # it wants some all the time, so that it still does when the cage closes
                [sys.executable, "-c", _WANTS],
                stdin=subprocess.PIPE,
                text=True,
            )
            cage.admit(other.pid)
            assert other.stdin
            other.stdin.write("\n")
            other.stdin.flush()
            cage.squeeze()
            if cage.holds:
                time.sleep(0.2)
                assert is_alive(other.pid)
            assert cage.kill() or not cage.holds
        finally:
            cage.open()
            ended(other)
