"""When a process of the service was last at work: written down, so that the next one can tell a pause from a
clock that was set.

Between two processes on a machine that was not started anew, the kernel's counter since boot (which goes on
while the machine sleeps, and which nobody sets) says how much time passed for certain.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Beat:
    """One moment of work.

    Attributes:
        boot: names the machine since it was started; "" if nothing does.
        uptime: seconds on its counter.
        at: the time, seconds since 1970, which was believed.
    """

    boot: str
    uptime: float
    at: int


def counter() -> float:
    """Seconds since the machine was started, those that it slept included."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # of Linux
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def boot_id() -> str:
    """Names this machine since it was started; "" where the kernel does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def expected(beats: Sequence[Beat], boot: str, uptime: float) -> datetime | None:
    """What the time must be now, by the last beat of this machine since it was started; None without one.

    >>> expected([Beat("a", 100.0, 1_790_000_000)], "a", 160.0)
    datetime.datetime(2026, 9, 21, 14, 14, 20, tzinfo=datetime.timezone.utc)
    """
    own = [beat for beat in beats if boot and beat.boot == boot and beat.uptime <= uptime]
    if not own:
        return None
    last = max(own, key=lambda beat: beat.uptime)
    return datetime.fromtimestamp(last.at, UTC) + timedelta(seconds=uptime - last.uptime)
