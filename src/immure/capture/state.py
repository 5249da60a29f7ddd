"""What the server says of itself: a file for collectors, and the answer to ``status``."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Final

from immure.capture.desk import Desk
from immure.capture.settings import Settings
from immure.clock import Clock, now, to_rfc3339
from immure.errors import CaptureError
from immure.files import write_whole

SCHEMA_ID: Final = "https://immure.example/schemas/capture-state-1.json"
_MOST_BYTES: Final = 1 << 20
#: Seconds between two writes of the file.
_PAUSE: Final = 0.5


class State:
    """The state of a server. The file is written by the desk's thread, not more often than it is read."""

    def __init__(self, desk: Desk, settings: Settings, *, clock: Clock = now) -> None:
        self._desk = desk
        self._settings = settings
        self._clock = clock
        self._started = clock()
        self._written: str | None = None
        self._next = 0.0

    def to_json(self) -> dict[str, Any]:
        """As it is now."""
        desk, resources = self._desk, self._desk.resources
        return {
            "schema": SCHEMA_ID,
            "pid": os.getpid(),
            "started": to_rfc3339(self._started),
            "updated": to_rfc3339(self._clock()),
            "keep": self._settings.keep,
            "counters": desk.counters.to_json(),
            "now": {
                "waiting": desk.line.waiting,
                "reading": desk.line.reading,
                "in_hand": desk.line.in_hand,
                "memory": {"used": resources.memory.used, "total": resources.memory.total},
                "disk": {"used": resources.disk.used, "total": resources.disk.total},
            },
            "last": list(desk.last),
        }

    def update(self, *, at_once: bool = False) -> None:
        """Write the file, if something has changed and it was not written just now. What cannot be written
        is tried again: the state is not worth a core."""
        moment = time.monotonic()
        if moment < self._next and not at_once:
            return
        self._next = moment + _PAUSE
        state = self.to_json()
        content = json.dumps({**state, "updated": None})
        if content != self._written:
            try:
                data = json.dumps(state, indent=1).encode() + b"\n"
                write_whole(self._settings.state_file, data, mode=0o600)
                self._written = content
            except OSError as error:
                self._desk.journal.write("state-not-written", reason=error.strerror)


def read_state(path: Path) -> dict[str, Any] | None:
    """What a server has said last; None if there is nothing.

    Raises:
        CaptureError: the file cannot be read, or is not what a server writes.
    """
    try:
        with path.open("rb") as stream:
            state = json.loads(stream.read(_MOST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise CaptureError(f"cannot be read: {error}", path=str(path)) from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA_ID:
        raise CaptureError("is not the state of a capture server", path=str(path))
    return state
