"""Ways to crash a process of the service, or to take its memory while it runs.

segv, abrt   a signal, as from a fault; the kernel writes a core, if the process lets it
gcore        a debugger, as root
live         its memory as it runs, read as root (``pid:N``)
oom          there is no more memory; its memory at that moment, then the kernel kills somebody
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from immure.signing.drill.errors import DrillError, GoneError
from immure.signing.drill.service import Running, is_alive

WayName = Literal["segv", "abrt", "gcore", "live", "oom"]
WAYS: Final[tuple[WayName, ...]] = ("segv", "abrt", "gcore", "live", "oom")
_SIGNALS: Final[dict[str, signal.Signals]] = {"segv": signal.SIGSEGV, "abrt": signal.SIGABRT}
#: Lets the kernel write cores into a directory while a block runs.
Cores = Callable[[Path], AbstractContextManager[None]]
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


def take(way: WayName, pid: int, service: Running, images: Path, cores: Cores | None) -> Taken:
    """Crash a process, or take its memory.

    Args:
        images: directory for files with memory.
        cores: how kernel cores get there; needed only if the process may leave any.

    Raises:
        GoneError: the process was gone before.
        DrillError: it cannot be done.
    """
    if not is_alive(pid):
        raise GoneError("the process is gone")
    if way == "gcore":
        return _gcore(pid, images)
    if way == "live":
        return Taken(f"pid:{pid}", is_fatal=False)
    if way == "oom":
        return _out_of_memory(pid, service)
    return _signal(_SIGNALS[way], pid, service, images, cores)


def _signal(sent: signal.Signals, pid: int, service: Running, images: Path, cores: Cores | None) -> Taken:
    may_dump = service.bare and cores is not None
    with cores(images) if may_dump and cores is not None else nullcontext():
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            raise GoneError("the process is gone") from None
        _await_end(pid)
    core = _newest_core(images, service.house.directory, pid)
    if core is None:
        return Taken(None, "the kernel wrote no core")
    return Taken(str(core))


def _await_end(pid: int) -> None:
    limit = time.monotonic() + _END_SECONDS
    while is_alive(pid):
        if time.monotonic() > limit:
            raise DrillError(f"process {pid} did not end within {_END_SECONDS:.0f} s")
        time.sleep(0.005)


def _newest_core(images: Path, directory: Path, pid: int) -> Path | None:
    """The core of a process, out of the directory where it ran, if it is not with the images yet."""
    for place in (images, directory):
        for name in (f"core.{pid}", "core"):
            if (place / name).is_file():
                core = images / f"core-of-{pid}"
                (place / name).rename(core)
                return core
    return None


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
    service.cage.squeeze()
    if not service.cage.holds:
        service.cage.kill()
        return Taken(None, "the kernel killed it without an image")
    if not is_alive(pid):
        raise GoneError("the process is gone")
    return Taken(f"pid:{pid}")
