"""The ways of dumping a program that a drill tries.

    file       the kernel writes a core file
    pipe       the kernel pipes the core to a program, which writes a file
    socket     the kernel sends the core to a socket: what a server gets to see
    gcore      a debugger dumps the process, which need not crash
    sealed     `immure capture` with keep = "sealed": what is on its disk then
    redacted   `immure capture` with keep = "redacted": what comes out of its vault

The first four show what the program leaks. The last two are ours, and have to be clean.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Final

from immure.capture.budget import Budget
from immure.capture.channel import SocketChannel, set_timeout
from immure.capture.drill.own_ways import RedactedWay, SealedWay
from immure.capture.drill.program import END_SECONDS, Running, may_leave_cores
from immure.capture.drill.residue import ResidueSearch
from immure.capture.drill.way import Way, no_socket, socket_pattern
from immure.capture.intake import Intake, Resources
from immure.capture.keeping import image_of
from immure.capture.listening import hang_up, listen
from immure.capture.pattern import Pattern, temporarily
from immure.capture.peer import crash_of
from immure.dumps.limits import MIB
from immure.dumps.open import open_image
from immure.errors import CaptureError

_GCORE_SECONDS: Final = 300
_SPOOL_BYTES: Final = 256 * MIB


class FileWay(Way):
    """The kernel writes a file."""

    name = "file"

    def why_not(self) -> str | None:
        """See :class:`Way`."""
        if not may_leave_cores():
            return "nothing that is started here may leave a core file (ulimit -H -c is 0)"
        return super().why_not()

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        core = directory / "core"
        with temporarily(Pattern(f"{core}.%p").check()):
            program.crash()
        return _look_at(core.with_name(f"core.{program.pid}"), search, "the kernel wrote no core"), None


class PipeWay(Way):
    """The kernel pipes to a program."""

    name = "pipe"

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        script, core = directory / "handler", directory / "core"
        script.write_text(f"exec cat > '{core}'\n")
        with temporarily(
            Pattern(f"|/bin/sh {script}").check(), pipe_limit=16
        ):  # so that the kernel waits for it
            program.crash()
        return _look_at(core, search, "the handler got no core"), None


class SocketWay(Way):
    """The kernel sends to a socket; the core is only ever in a spool."""

    name = "socket"

    def why_not(self) -> str | None:
        """See :class:`Way`."""
        return super().why_not() or no_socket()

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        path = directory / "core.sock"
        listener = listen(path)
        set_timeout(listener, int(END_SECONDS))
        try:
            with temporarily(socket_pattern(path)):
                ended = threading.Thread(target=program.crash, daemon=True)
                ended.start()
                intake = self._take(listener, directory)
                ended.join()
        finally:
            hang_up(listener, path)
        search.look(image_of(intake))
        return intake.spool.size or 0, None

    @staticmethod
    def _take(listener: socket.socket, directory: Path) -> Intake:
        try:
            connection, _ = listener.accept()
        except OSError as error:
            raise CaptureError(
                "the kernel sent no core: the program may have asked not to be dumped"
            ) from error
        resources = Resources(Budget(_SPOOL_BYTES), Budget(1 << 50), spool_directory=str(directory))
        intake = Intake(crash_of(connection), SocketChannel.meet(connection), resources, lambda: None)
        if reason := intake.reason():
            raise CaptureError(reason[1])
        return intake


class GcoreWay(Way):
    """A debugger dumps it."""

    name = "gcore"

    def why_not(self) -> str | None:
        """See :class:`Way`."""
        return None if shutil.which("gdb") else "gdb is not installed"

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        core = directory / "gcore"
        argv = [
            "gdb",
            "-nx",
            "-batch",
            "-iex",
            "set debuginfod enabled off",
            "-iex",
            "set auto-solib-add off",
        ]
        argv += ["-p", str(program.pid), "-ex", f"generate-core-file {core}", "-ex", "detach"]
        try:
            _run(argv)
        except subprocess.TimeoutExpired as error:
            raise CaptureError(f"gdb did not end within {_GCORE_SECONDS} s") from error
        return _look_at(core, search, "gdb wrote no core: it may not attach to the process"), None


WAYS: Final[tuple[Way, ...]] = (
    FileWay(), PipeWay(), SocketWay(), GcoreWay(), SealedWay(), RedactedWay(),
)  # fmt: skip


def _run(argv: list[str]) -> None:
    subprocess.run(  # noqa: S603 - gdb, with words of ours
        argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GCORE_SECONDS, check=False
    )


def _look_at(core: Path, search: ResidueSearch, absent: str) -> int:
    if not core.exists() or not core.stat().st_size:
        raise CaptureError(f"{absent}: the program may have asked not to be dumped")
    size = core.stat().st_size
    search.look(open_image(core))
    core.unlink()
    return size
