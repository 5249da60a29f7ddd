"""A memory cgroup: the service runs in it, and at some moment there is no more memory.

The first version of cgroups can hold processes at that moment instead of killing one, so that their memory
can be looked at while they want more. The second cannot: there, one is killed, and leaves no image.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from immure.signing.drill.errors import DrillError

_TOP: Final = Path("/sys/fs/cgroup")
_PATIENCE: Final = 20.0


class Cage:
    """One cgroup; made by :func:`caged`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._is_first_version = (directory / "memory.limit_in_bytes").exists()

    @property
    def holds(self) -> bool:
        """Whether it can hold processes that want memory, rather than kill one."""
        return self._is_first_version

    def admit(self, pid: int) -> None:
        """A process comes in; what it starts from now on is in it too."""
        self._write("cgroup.procs", str(pid))

    def squeeze(self) -> None:
        """Take all memory away that can be taken; from now on whoever wants some waits, or is killed.

        Raises:
            DrillError: the kernel does not do it, or nobody wants any memory.
        """
        if not self._is_first_version:
            self._write("memory.swap.max", "0", optional=True)
            self._write("memory.max", self._read("memory.current"))
            return
        self._write("memory.oom_control", "1")
        limit = time.monotonic() + _PATIENCE
        while "under_oom 1" not in self._read("memory.oom_control"):
            used = int(self._read("memory.usage_in_bytes"))
            for part in (0.5, 0.8, 0.95, 1.0):
                self._write("memory.limit_in_bytes", str(int(used * part)), optional=True)
            if time.monotonic() > limit:
                raise DrillError(f"memory did not run out within {_PATIENCE:.0f} s")
            time.sleep(0.02)

    def kill(self) -> bool:
        """Let the kernel kill somebody; whether it did."""
        before = self._kills()
        if self._is_first_version:
            self._write("memory.oom_control", "0")
        limit = time.monotonic() + _PATIENCE
        while self._kills() == before:
            if time.monotonic() > limit:
                return False
            time.sleep(0.02)
        return True

    def open(self) -> None:
        """There is memory again."""
        if self._is_first_version:
            self._write("memory.limit_in_bytes", "-1", optional=True)
            self._write("memory.oom_control", "0", optional=True)
        else:
            self._write("memory.max", "max", optional=True)

    def _kills(self) -> str:
        name = "memory.oom_control" if self._is_first_version else "memory.events"
        return next(
            (line for line in self._read(name).splitlines() if line.startswith("oom_kill ")), "oom_kill 0"
        )

    def _read(self, name: str) -> str:
        try:
            return (self._directory / name).read_text(encoding="ascii").strip()
        except OSError as error:
            raise DrillError(f"{name}: {error.strerror}", path=str(self._directory)) from error

    def _write(self, name: str, text: str, *, optional: bool = False) -> None:
        try:
            (self._directory / name).write_text(text, encoding="ascii")
        except OSError as error:
            if not optional:
                raise DrillError(f"{name}: {error.strerror}", path=str(self._directory)) from error


@contextmanager
def caged(name: str) -> Iterator[Cage | None]:
    """A cgroup for the block; None if the machine lets us make none. Nobody may be in it at the end."""
    directory = _place(name)
    if directory is None:
        yield None
        return
    cage = Cage(directory)
    try:
        yield cage
    finally:
        cage.open()
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit:
            with suppress(OSError):
                directory.rmdir()
                break
            time.sleep(0.05)


def _place(name: str) -> Path | None:
    """A new cgroup below our own, with a limit of memory."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            directory = _TOP / "memory" / path.lstrip("/") / name
        elif not controllers:
            directory = _TOP / path.lstrip("/") / name
        else:
            continue
        with suppress(OSError):
            directory.mkdir(exist_ok=True)
            if any((directory / f).exists() for f in ("memory.limit_in_bytes", "memory.max")):
                return directory
            os.rmdir(directory)
    return None
