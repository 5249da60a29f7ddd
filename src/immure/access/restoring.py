"""Making the database of a room anew from its log."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from immure.access.pending import NAME as PENDING
from immure.access.store import DATABASE, Store
from immure.auditlog import AuditLog, NoteSigner
from immure.clock import Clock, now
from immure.errors import ImmureError


def restore_room(
    path: str | os.PathLike[str],
    *,
    signer: NoteSigner,
    log: str | os.PathLike[str] | None = None,
    clock: Clock = now,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Make the database of a room anew, after it was lost or put back to an older state.

    What was there is kept beside it, as ``door.db.before``: it may be evidence.

    Args:
        path: the directory of the room.
        signer: of its log.
        log: the directory of its log, if that is elsewhere.
        clock: tells the time.
        told: is told how many entries were taken in.

    Returns:
        How many entries of the log were taken in; every signature in them was verified.

    Raises:
        AccessError, LogError: the log cannot be read, or holds what no door would have let in.
    """
    directory = Path(path)
    opened = AuditLog.open(log or directory / "log", signer=signer, clock=clock)
    aside = directory / f"{DATABASE}.new"
    aside.mkdir(mode=0o700, exist_ok=True)
    try:
        (aside / DATABASE).unlink(missing_ok=True)
        store = Store(aside, opened, clock, writable=True, create=True)
        try:
            count = store.restore(told)
        finally:
            store.close()
        if (directory / DATABASE).exists():
            os.replace(directory / DATABASE, directory / f"{DATABASE}.before")
        os.replace(aside / DATABASE, directory / DATABASE)
        (directory / PENDING).unlink(missing_ok=True)
    except ImmureError:
        (aside / DATABASE).unlink(missing_ok=True)
        raise
    finally:
        for left in aside.iterdir():
            left.unlink()
        aside.rmdir()
    return count
