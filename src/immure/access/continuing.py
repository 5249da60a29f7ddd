"""That a log, and a database, are still those that they were: each remembers enough of the other to tell."""

from __future__ import annotations

import os
from pathlib import Path

from immure.access.errors import StaleError
from immure.auditlog import AuditLog, Checkpoint
from immure.errors import LogError

Identity = tuple[int, ...]


def check_continues(log: AuditLog, kept: Checkpoint | None) -> None:
    """See that a log continues the one that a database has seen last.

    Raises:
        StaleError: it does not: it was put back to an older state, or is another one.
    """
    if kept is None:
        return
    if kept.size > len(log):
        reason = f"the log had {kept.size} entries once and has {len(log)}: it was put back"
        raise StaleError(reason, path=str(log.directory))
    try:
        log.consistency_proof(kept.size).verify(kept.root, log.checkpoint().root)
    except LogError as error:
        words = f"the log is not the one that the database has seen: {error.reason}"
        raise StaleError(words, path=str(log.directory)) from error


def identity_of(path: Path, *, version: bool = False) -> Identity | None:
    """Which file is at a path now, and, if that is asked for, in which version; None if none is."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, *((found.st_size, found.st_mtime_ns) if version else ())


def check_same(path: Path, opened: Identity | None) -> None:
    """See that the file at a path is the one that was opened.

    Raises:
        StaleError: another one has taken its place: whoever goes on with the old one sees nothing new.
    """
    if identity_of(path) != opened:
        words = "was moved away, or replaced, while it was open: open the room again"
        raise StaleError(words, path=str(path))
