"""What could not be opened in the midst of a directory or an archive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or member that was not opened, and why.

    ``skipped`` is True for what holds no bytes of its own (links, devices, sockets): then nothing is missing.
    """

    path: str
    reason: str
    skipped: bool = False
