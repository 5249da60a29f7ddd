"""What the tests of this room share: channels that hold what they are given, and crashes on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immure.capture.budget import Budget
from immure.capture.channel import Channel
from immure.capture.crash import Crash
from immure.capture.intake import Resources
from immure.capture.pattern import CORE_PATTERN, Pattern, temporarily, via_of_kernel
from immure.dumps.limits import GIB
from immure.synth import CoreThread, Segment, build_elf_core, ordinary_memory

MOMENT = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
CRASH = Crash(4711, comm="signer", uid=1000, gid=1000, time=MOMENT, resident_bytes=1 << 20)
PAGE = 4096

_cannot = not (CORE_PATTERN.exists() and os.access(CORE_PATTERN, os.W_OK))
needs_kernel_cores = [
    pytest.mark.real,
    pytest.mark.skipif(
        _cannot, reason="REAL CRASHES NOT TESTED: core_pattern cannot be written (needs root)"
    ),
]
needs_core_socket = [
    *needs_kernel_cores,
    pytest.mark.skipif(
        via_of_kernel() == "pipe", reason="REAL CRASHES NOT TESTED: no core-dump socket before Linux 6.16"
    ),
]


def core(pages: int = 5, seed: int = 1) -> bytes:
    """An ELF core as the kernel writes it."""
    memory = bytes(ordinary_memory(pages * PAGE, seed=seed))
    return build_elf_core([Segment(0x5000_0000, memory)], threads=[CoreThread(4711, 0x5000_0010)]).data


class BytesChannel(Channel):
    """A channel that has its bytes already; with a ``gate``, only once that is open."""

    def __init__(
        self,
        data: bytes = b"",
        *,
        gate: threading.Event | None = None,
        error: Exception | None = None,
        hold: bool = False,
    ) -> None:
        super().__init__(hold=hold)
        self._data = data
        self._at = 0
        self._gate = gate
        self._error = error
        self.begun = self.refused = False
        self._stopped = threading.Event()

    def begin(self) -> None:
        self.begun = True

    def read_into(self, buffer: bytearray) -> int:
        while self._gate is not None and not self._gate.wait(0.01):
            if self._stopped.is_set():
                return 0
        piece = self._data[self._at : self._at + len(buffer)]
        if not piece and self._error is not None:
            raise self._error
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def refuse(self) -> None:
        self.refused = True
        self.close()

    def stop(self) -> None:
        self._stopped.set()

    def _close(self) -> None:
        pass


@dataclass(frozen=True)
class InMemory:
    """A dump that a :class:`MemoryVault` holds."""

    id: str
    size: int
    name: str
    sealed_at: datetime
    data: bytes = field(repr=False)


class MemoryVault:
    """A vault of dictionaries; a real one is tested with the server."""

    def __init__(self) -> None:
        self.dumps: dict[str, InMemory] = {}
        self._count = 0

    def seal(self, pieces: Iterable[bytes], *, name: str) -> InMemory:
        data = b"".join(pieces)
        self._count += 1
        dump = InMemory(
            f"sha256:{self._count}", len(data), name, datetime.fromtimestamp(self._count, UTC), data
        )
        self.dumps[dump.id] = dump
        return dump

    def list(self) -> list[InMemory]:
        return list(self.dumps.values())

    def destroy(self, identity: str) -> None:
        del self.dumps[identity]


def resources(
    directory: Path, *, memory: int = 1 << 24, disk: int = 1 << 40, max_size: int = GIB
) -> Resources:
    return Resources(Budget(memory), Budget(disk), max_size, str(directory), 0)


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    stop = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < stop, "it did not happen"
        time.sleep(0.01)


@contextmanager
def sleepers(count: int, argv: tuple[str, ...] = ("sleep", "600")) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that do nothing but wait to be crashed."""
    started = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in started:
            wait_until(
                lambda process=process: Path(f"/proc/{process.pid}/comm").read_text().strip() == argv[0]
            )
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def crash_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGABRT)
    for process in processes:
        process.wait(60)


@contextmanager
def cores_to(socket: Path, prefix: str = "") -> Iterator[None]:
    """Let the kernel send cores to a socket."""
    prefix = prefix or ("@@" if via_of_kernel() == "asking-socket" else "@")
    with temporarily(Pattern(f"{prefix}{socket}").check()):
        yield


HOLDER = """
import os, sys, time
marker = os.urandom(16)
with open(sys.argv[1], "wb") as file:
    file.write(marker)
memory = marker * (int(sys.argv[2]) << 16)
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def holder(directory: Path, megabytes: int) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """A process that holds so many mebibytes of one marker, and the marker."""
    argv = [sys.executable, "-c", HOLDER, str(directory / "marker"), str(megabytes)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        marker = (directory / "marker").read_bytes()
        (directory / "marker").unlink()
        yield process, marker
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
