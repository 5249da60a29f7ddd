"""A crash: which process it was, and what is known of it from outside.

>>> Crash(pid=4711, comm="signer", uid=1000).label
'signer[4711]'
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from immure.clock import Clock, now, to_rfc3339

#: How the core came: from the kernel's socket, or through the pipe handler.
Via = Literal["socket", "pipe"]
_MOST_CHARACTERS: Final = 512
_STATUS_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Crash:
    """What is known of a crashed process.

    Attributes:
        pid: process id, as this side sees it.
        comm, executable: its names; chosen by whoever started it, so never to be trusted or run.
        uid, gid: real user and group.
        signal: that ended it, if known (the socket does not tell; the core's notes do).
        time: when we heard of it.
        via: how the core comes.
        resident_bytes: what it had in memory, swap included: about as much as its core has besides zeros.
        privileged: whether the kernel dumps it as root's, because it had changed its identity.
    """

    pid: int
    comm: str = ""
    executable: str = ""
    uid: int | None = None
    gid: int | None = None
    signal: int | None = None
    time: datetime | None = None
    via: Via = "socket"
    resident_bytes: int | None = None
    privileged: bool = False

    @property
    def label(self) -> str:
        """A short name for messages."""
        return f"{self.comm or '?'}[{self.pid}]"

    @property
    def name(self) -> str:
        """What the sealed dump is called: as a file could be, without any character that means something."""
        comm = "".join(c if c.isalnum() or c in "-_." else "_" for c in self.comm) or "unknown"
        moment = self.time.strftime("%Y%m%dT%H%M%SZ") if self.time is not None else "unknown"
        return f"core.{comm}.{self.pid}.{moment}"

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "pid": self.pid,
            "comm": self.comm,
            "executable": self.executable,
            "uid": self.uid,
            "gid": self.gid,
            "signal": self.signal,
            "time": to_rfc3339(self.time) if self.time is not None else None,
            "via": self.via,
            "privileged": self.privileged,
        }


def with_facts(crash: Crash, *, clock: Clock = now, proc: Path = Path("/proc")) -> Crash:
    """The crash with what ``/proc`` says of its process, as long as that is there. What cannot be read stays
    unknown: a crash without a name is better than none."""
    place = proc / str(crash.pid)
    fields = _status(place / "status")
    ids = {"uid": _first(fields.get("Uid")), "gid": _first(fields.get("Gid"))}
    return replace(
        crash,
        comm=crash.comm or _cleaned(_small(place / "comm").rstrip(b"\n")),
        executable=crash.executable or _link(place / "exe"),
        uid=ids["uid"] if crash.uid is None else crash.uid,
        gid=ids["gid"] if crash.gid is None else crash.gid,
        time=crash.time or clock(),
        resident_bytes=_resident(fields),
    )


def _status(path: Path) -> dict[str, str]:
    lines = _small(path).decode("utf-8", "replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _resident(fields: dict[str, str]) -> int | None:
    """Anonymous and shared memory and what of it is swapped out; pages of files are not dumped as a rule."""
    found = [_first(fields.get(name)) for name in ("RssAnon", "RssShmem", "VmSwap")]
    known = [count for count in found if count is not None]
    return sum(known) << 10 if known else None


def _first(value: str | None) -> int | None:
    word = (value or "").split(None, 1)[:1]
    return int(word[0]) if word and word[0].isascii() and word[0].isdigit() else None


def _small(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(_STATUS_BYTES)
    return b""


def _link(path: Path) -> str:
    with suppress(OSError, ValueError):
        return _cleaned(os.fsencode(os.readlink(path)))
    return ""


def _cleaned(data: bytes) -> str:
    """Foreign bytes as text of bounded length that moves no cursor."""
    text = data[:_MOST_CHARACTERS].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
