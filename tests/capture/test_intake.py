"""From a channel into a spool: the bounds, the reasons, and that everything is given back."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from immure.capture.channel import StalledError
from immure.capture.intake import Intake, Resources
from immure.dumps.spool import BLOCK
from immure.errors import CaptureError

from .helpers import CRASH, BytesChannel, resources

MIB = 1 << 20
NOISE = os.urandom(4 * MIB)


def take(channel: BytesChannel, shared: Resources, resident: int | None = 4 * MIB) -> Intake:
    crash = replace(CRASH, resident_bytes=resident)
    return Intake(crash, channel, shared, lambda: None, piece_bytes=MIB // 2)


def test_a_core_comes_in_and_the_process_goes(tmp_path: Path) -> None:
    read = threading.Event()
    channel = BytesChannel(NOISE)
    intake = Intake(CRASH, channel, resources(tmp_path), read.set)
    assert intake.reason() is None
    assert read.wait(10)
    assert channel.begun
    assert channel.closed_at is not None
    assert intake.spool.read(MIB, 100) == NOISE[MIB : MIB + 100]
    intake.close()


@pytest.mark.parametrize(
    ("memory", "resident", "in_memory"),
    [
        (64 * MIB, 4 * MIB, True),
        (1 * MIB, 4 * MIB, False),
        (64 * MIB, None, True),
        (4 * MIB, None, False),
        (64 * MIB, 0, True),
    ],
)
def test_as_much_as_fits_stays_in_memory(
    tmp_path: Path, memory: int, resident: int | None, in_memory: bool
) -> None:
    shared = resources(tmp_path, memory=memory)
    intake = take(BytesChannel(NOISE), shared, resident)
    assert intake.reason() is None
    assert (shared.disk.used == 0) is in_memory
    assert shared.memory.used + shared.disk.used == len(NOISE)
    assert intake.spool.read(0, len(NOISE)) == NOISE
    assert list(tmp_path.iterdir()) == []  # the file has no name
    intake.close()
    assert shared.memory.used == shared.disk.used == 0


def test_zeros_cost_nothing(tmp_path: Path) -> None:
    shared = resources(tmp_path, memory=MIB, disk=0)
    intake = take(BytesChannel(bytes(64 * MIB)), shared)
    assert intake.reason() is None
    assert intake.spool.size == 64 * MIB
    assert shared.memory.used == 0


@pytest.mark.parametrize(
    ("channel", "limits", "kind", "words"),
    [
        (BytesChannel(b""), {}, "empty", "the kernel sent nothing"),
        (BytesChannel(NOISE), {"max_size": MIB}, "size", "larger than 1048576 bytes"),
        (BytesChannel(NOISE), {"memory": MIB, "disk": MIB}, "disk-limit", "1048576 bytes of disk"),
        (BytesChannel(NOISE, error=StalledError("nothing came")), {}, "stalled", "nothing came"),
        (BytesChannel(NOISE, error=OSError(5, "Input/output error")), {}, "broken", "Input/output error"),
        (BytesChannel(b"", error=CaptureError("the kernel says: no")), {}, "broken", "the kernel says: no"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cores_that_are_given_up(
    tmp_path: Path, channel: BytesChannel, limits: dict[str, int], kind: str, words: str
) -> None:
    shared = resources(tmp_path, **limits)
    intake = take(channel, shared)
    reason = intake.reason()
    assert reason is not None
    assert reason[0] == kind
    assert words in reason[1]
    intake.close()
    assert channel.closed_at is not None
    assert shared.memory.used == shared.disk.used == 0


@pytest.mark.parametrize(("directory", "margin"), [("gone", 0), ("", 1 << 62)])
def test_a_disk_that_is_full_or_gone_lets_the_process_go(tmp_path: Path, directory: str, margin: int) -> None:
    shared = replace(
        resources(tmp_path, memory=0), spool_directory=str(tmp_path / directory), disk_margin_bytes=margin
    )
    channel = BytesChannel(NOISE * 4)
    intake = take(channel, shared)
    reason = intake.reason()
    assert reason is not None
    assert reason[0] == "disk"
    assert channel.closed_at is not None
    intake.close()
    assert shared.disk.used == 0


def test_a_real_full_disk(tmp_path: Path) -> None:
    shared = replace(
        resources(tmp_path, memory=0), spool_directory="/dev/full"
    )  # no directory: cannot be made
    intake = take(BytesChannel(NOISE), shared)
    reason = intake.reason()
    assert reason is not None
    assert reason[0] == "disk"


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    marker = b"immure-marker-that-must-not-be-on-disk!!"
    intake = take(BytesChannel(marker * 100_000), resources(tmp_path, memory=BLOCK))
    assert intake.reason() is None
    [unnamed] = [fd for fd in Path("/proc/self/fd").iterdir() if _target(fd).startswith(str(tmp_path))]
    stored = unnamed.read_bytes()
    assert len(stored) > MIB
    assert marker[:8] not in stored
    intake.close()


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # that of the listing itself
        return ""


def test_a_core_that_is_held_is_let_go_at_the_end(tmp_path: Path) -> None:
    channel = BytesChannel(NOISE, hold=True)
    intake = take(channel, resources(tmp_path))
    assert intake.reason() is None
    assert channel.closed_at is None
    intake.close()
    assert channel.closed_at is not None
