"""Ways to crash a process of the service, or to take its memory while it runs.

segv, abrt   a signal, as from a fault; the kernel pipes a core, if the process lets it
gcore        a debugger, as root
live         its memory as it runs, read as root (``pid:N``)
oom          there is no more memory; its memory at that moment, then the kernel kills somebody
redaction    a core is redacted, and the redactor is killed on its way
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from immure.signing.drill.errors import DrillError, GoneError
from immure.signing.drill.service import Running, is_alive

WayName = Literal["segv", "abrt", "gcore", "live", "oom", "redaction"]
WAYS: Final[tuple[WayName, ...]] = ("segv", "abrt", "gcore", "live", "oom", "redaction")
_SIGNALS: Final[dict[str, signal.Signals]] = {"segv": signal.SIGSEGV, "abrt": signal.SIGABRT}
_GCORE_SECONDS: Final = 120
_END_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a crash left.

    Attributes:
        target: what is to be searched: a file, or ``pid:N``; None if there is no image.
        note: why there is none.
        is_fatal: whether the process is dead.
    """

    target: str | None
    note: str = ""
    is_fatal: bool = True

    @property
    def is_live(self) -> bool:
        """Whether the image is a process, which has to be searched at once."""
        return self.target is not None and self.target.startswith("pid:")


def take(way: WayName, pid: int, service: Running, images: Path, cores: Path | None) -> Taken:
    """Crash a process, or take its memory.

    Args:
        images: directory for files with memory.
        cores: directory where the kernel's core of process N arrives as ``core.N``; None if none arrives.

    Raises:
        GoneError: the process was gone before.
        DrillError: it cannot be done.
    """
    if not is_alive(pid):
        raise GoneError("the process is gone")
    if way == "redaction":  # something to redact: the smaller core where there is one
        way = "abrt" if service.bare and cores is not None else "gcore"
    if way == "gcore":
        with service.supervisor_held():
            return _gcore(pid, images)
    if way == "live":
        return Taken(f"pid:{pid}", is_fatal=False)
    if way == "oom":
        return _out_of_memory(pid, service)
    return _signal(_SIGNALS[way], pid, images, cores)


def core_of(pid: int, cores: Path | None, images: Path) -> Path | None:
    """The kernel's core of a process that is dead, moved to the images; None if there is none."""
    if cores is None or not (cores / f"core.{pid}").is_file():
        return None
    core = images / f"core-of-{pid}-{time.monotonic_ns()}"
    (cores / f"core.{pid}").rename(core)
    return core


def _signal(sent: signal.Signals, pid: int, images: Path, cores: Path | None) -> Taken:
    try:
        os.kill(pid, sent)
    except ProcessLookupError:
        raise GoneError("the process is gone") from None
    _await_end(pid)
    core = core_of(pid, cores, images)
    if core is None:
        return Taken(None, "the kernel made no core" if cores else "cores were not asked for")
    return Taken(str(core))


def _await_end(pid: int) -> None:
    limit = time.monotonic() + _END_SECONDS
    while is_alive(pid):
        if time.monotonic() > limit:
            raise DrillError(f"process {pid} did not end within {_END_SECONDS:.0f} s")
        time.sleep(0.005)


def _gcore(pid: int, images: Path) -> Taken:
    if shutil.which("gdb") is None:
        raise DrillError("gdb is not installed")
    core = images / f"gcore-{pid}-{time.monotonic_ns()}"
    quiet = ("set debuginfod enabled off", "set auto-load off", "set auto-solib-add off")
    words = ["gdb", "-nx", "-batch", *(word for line in quiet for word in ("-iex", line))]
    words += ["-p", str(pid), "-ex", f"generate-core-file {core}", "-ex", "detach"]
    try:
        subprocess.run(  # noqa: S603 - gdb, with words of ours
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GCORE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise DrillError(f"gdb did not end within {_GCORE_SECONDS} s") from None
    if core.exists() and core.stat().st_size:
        return Taken(str(core), is_fatal=False)
    if not is_alive(pid):
        raise GoneError("the process ended while it was dumped")
    return Taken(None, "no debugger may attach", is_fatal=False)


def _out_of_memory(pid: int, service: Running) -> Taken:
    """Memory is gone after this; :meth:`~immure.signing.drill.cage.Cage.kill` ends it."""
    if service.cage is None:
        raise DrillError("no memory cgroup can be made here")
    service.hold_supervisor()
    service.cage.squeeze()
    if not service.cage.holds:
        service.cage.kill()
        return Taken(None, "the kernel killed it without an image")
    if not is_alive(pid):
        raise GoneError("the process is gone")
    return Taken(f"pid:{pid}")
