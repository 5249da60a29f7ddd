"""Making the database of a room anew from its log."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from immure.access.continuing import check_continues
from immure.access.errors import AccessError, StaleError
from immure.access.lock import locked
from immure.access.pending import NAME as PENDING
from immure.access.store import DATABASE, Store
from immure.access.texts import moment
from immure.auditlog import AuditLog, NoteSigner, parse_checkpoint
from immure.clock import Clock, now
from immure.errors import InputError, LogError
from immure.files import sync_directory

#: What is put behind the name of a database that was replaced.
BEFORE: Final = ".before"
#: What SQLite keeps beside a database; under a new one it would be taken for its own.
_BESIDE: Final = ("-journal", "-wal", "-shm")


def restore_room(
    path: str | os.PathLike[str],
    *,
    signer: NoteSigner,
    log: str | os.PathLike[str] | None = None,
    clock: Clock = now,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Make the database of a room anew, after it was lost or put back to an older state.

    What was there is kept beside it, as ``door.db.before``: it may be evidence. Doors that are open meanwhile
    notice that they have the old one.

    Args:
        path: the directory of the room.
        signer: of its log.
        log: the directory of its log, if that is elsewhere.
        clock: tells the time.
        told: is told how many entries were taken in.

    Returns:
        How many entries of the log were taken in; every signature in them was verified.

    Raises:
        StaleError: the database has seen more of the log than there is: it is the log that was put back.
        AccessError, LogError: the log cannot be read, or holds what no door would have let in.
    """
    directory = Path(path)
    opened = AuditLog.open(log or directory / "log", signer=signer, clock=clock)
    aside = directory / f"{DATABASE}.new"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(directory):
            try:
                return _restore(directory, aside, opened, clock, told)
            finally:
                _clear(aside)
    except OSError as error:
        raise AccessError(error.strerror or "cannot be made anew", path=str(directory)) from error


def _restore(directory: Path, aside: Path, log: AuditLog, clock: Clock, told: Callable[[int], None]) -> int:
    seen = _seen_before(directory / DATABASE, log)
    _clear(aside)
    aside.mkdir(mode=0o700)
    store = Store(aside, log, clock, writable=True, create=True)
    try:
        count = store.restore(told, seen=seen)
    finally:
        store.close()
    _put_away(directory / DATABASE)
    os.replace(aside / DATABASE, directory / DATABASE)
    (directory / PENDING).unlink(missing_ok=True)
    sync_directory(directory)
    return count


def _seen_before(path: Path, log: AuditLog) -> str | None:
    """How late it was by the database that is replaced; None if it cannot be read, and so tells nothing.

    It is read as it lies there: what SQLite would do first, to put it in order, may destroy evidence.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            kept = dict(database.execute("SELECT name, value FROM standing").fetchall())
        checkpoint = parse_checkpoint(str(kept["checkpoint"]).encode())
        seen = str(kept["seen"])
        moment(seen)
    except (sqlite3.Error, UnicodeError, KeyError, LogError, InputError):
        return None
    try:
        check_continues(log, checkpoint)
    except StaleError as error:
        words = f"{error.reason}. If it is the database that is wrong, move it away first"
        raise StaleError(words, path=error.path) from error
    return seen


def _put_away(path: Path) -> None:
    """Move a database away, with what SQLite keeps beside it: never is the one there without the other, and a
    new one is put in its place only then."""
    old = path.with_name(path.name + BEFORE)
    for end in _BESIDE if path.exists() else ():
        old.with_name(old.name + end).unlink(missing_ok=True)
    for end in ("", *_BESIDE):
        part = path.with_name(path.name + end)
        if part.exists():
            os.replace(part, old.with_name(old.name + end))


def _clear(aside: Path) -> None:
    if aside.is_dir():
        for left in aside.iterdir():
            left.unlink()
        aside.rmdir()
