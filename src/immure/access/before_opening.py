"""What is asked of a door before its room is open: where it is, and what its founders still need."""

from __future__ import annotations

from pathlib import Path

from immure.access.acts.founding import founding_fault
from immure.access.door import Door


def directory_of(door: Door) -> Path:
    """The directory of the room."""
    return door._store.directory


def missing_of(door: Door) -> str | None:
    """Why founders cannot sign yet, in words; None if they can."""
    with door._store.looking():
        return founding_fault(door._store.room)
