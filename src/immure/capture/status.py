"""Whether crashes are captured here: what the kernel is told, who listens, what has happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from immure.capture.counters import REASONS
from immure.capture.handing import ask_state
from immure.capture.install import EARLIER
from immure.capture.pattern import Pattern, read_pattern
from immure.capture.settings import Settings
from immure.capture.state import read_state
from immure.errors import CaptureError

SCHEMA_ID: Final = "https://immure.example/schemas/capture-status-1.json"


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand.

    Attributes:
        pattern: in force; None if it cannot be read.
        alive: whether a server answers.
        state: what the server says of itself; if none answers, what one has said last.
        socket: where the kernel should connect.
        installed: whether there was an installation.
    """

    pattern: Pattern | None
    alive: bool
    state: dict[str, Any] | None
    socket: str
    installed: bool

    @property
    def owner(self) -> str:
        """Who gets cores."""
        if self.pattern is None:
            return "unknown"
        return self.pattern.owner or "the kernel writes files"

    @property
    def is_ours(self) -> bool:
        """Whether the kernel sends cores to this server, or to our handler."""
        if self.pattern is None:
            return False
        if self.pattern.kind == "socket":
            return self.pattern.text.lstrip("@") == self.socket
        return self.pattern.owner == "immure"

    @property
    def is_active(self) -> bool:
        """Whether a crash now would be captured."""
        return self.is_ours and self.alive

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA_ID,
            "active": self.is_active,
            "core_pattern": self.pattern.text if self.pattern is not None else None,
            "owner": self.owner,
            "installed": self.installed,
            "server": "alive" if self.alive else "not running",
            "state": self.state,
        }


def look(settings: Settings) -> Status:
    """How things stand on this system. Nothing is changed.

    Raises:
        CaptureError: the state file is not what a server writes.
    """
    try:
        pattern = read_pattern()
    except CaptureError:
        pattern = None
    state = ask_state(settings.handle_socket)
    alive = state is not None
    try:
        installed = EARLIER.exists()
    except OSError:  # only root may look
        installed = False
    return Status(
        pattern,
        alive,
        state if alive else read_state(settings.state_file),
        str(settings.core_socket),
        installed,
    )


def reason_words(reason: str) -> str:
    """Why a crash went without, in words."""
    return REASONS.get(reason, reason)
