"""How far the events have been read, and how long the log was then: what a follower needs to go on.

A file of JSON that takes the place of the one before (written aside, synced, renamed).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from immure.files import write_whole
from immure.mail.errors import FollowError

_VERSION: Final = 1
_MOST_BYTES: Final = 64 << 20
_NUMBERS: Final = ("inode", "offset", "output_size", "output_inode")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place in the events, and in the log.

    Attributes:
        inode: of the file of events.
        head: SHA-256 of its first bytes, in hexadecimal, and of how many: an inode may be given out again.
        head_bytes: how many bytes ``head`` is of.
        offset: bytes of it that have been read, to the end of a line.
        output_size, output_inode: of the log.
        sessions: see :meth:`immure.mail.sessions.Sessions.to_json`.
    """

    inode: int
    offset: int
    output_size: int
    output_inode: int
    head: str = ""
    head_bytes: int = 0
    sessions: list[list[str | None]] = field(default_factory=list)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it, so that it is on the disk when this returns.

    Raises:
        FollowError: it cannot be written.
    """
    value = {"version": _VERSION, **{name: getattr(checkpoint, name) for name in _ALL}}
    try:
        write_whole(path, json.dumps(value, separators=(",", ":")).encode() + b"\n", mode=0o600)
    except OSError as error:
        raise FollowError(f"cannot be written: {error.strerror or error}", path=str(path)) from error


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The one that is there; None if there is none.

    Raises:
        FollowError: it cannot be read or understood. Then nothing may be guessed: delete it to begin anew.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FollowError(f"cannot be read: {error.strerror or error}", path=str(path)) from error
    try:
        return _parsed(json.loads(data) if len(data) <= _MOST_BYTES else None)
    except (ValueError, RecursionError) as error:
        raise FollowError(
            "is no checkpoint; delete it to begin anew, with a gap in the log", path=str(path)
        ) from error


def _parsed(value: Any) -> Checkpoint:
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        raise ValueError("no checkpoint")
    numbers = [value.get(name) for name in (*_NUMBERS, "head_bytes")]
    if not all(type(one) is int and one >= 0 for one in numbers):
        raise ValueError("a number is none")
    if not isinstance(value.get("head"), str) or not isinstance(value.get("sessions"), list):
        raise ValueError("a member is missing")  # noqa: TRY004 (of the file, not of a caller)
    return Checkpoint(**{name: value[name] for name in _ALL})


_ALL: Final = (*_NUMBERS, "head", "head_bytes", "sessions")
