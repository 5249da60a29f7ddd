"""Going through a log from its first entry, and letting everything in it happen again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from immure.access.alarms import still_unheard
from immure.access.errors import AccessError
from immure.access.room import Room
from immure.access.rows import CREATE, Rows
from immure.access.step import PREFIX, step
from immure.access.texts import moment
from immure.auditlog import AuditLog
from immure.errors import ImmureError, LogError


class Taken(NamedTuple):
    """Entries of doors in a log: how many, when the last one was, and for which of them no alarm sounded."""

    entries: int
    last: str
    unheard: list[int]


def take_in(
    room: Room, log: AuditLog, told: Callable[[int], None] = lambda _: None, *, until: int | None = None
) -> Taken:
    """Take in the entries of a log.

    Args:
        room: an empty one.
        log: with all that happened in it.
        told: is told how many entries were taken in.
        until: the index of the first entry that is left out; None: of none.

    Raises:
        AccessError: one could not have come from a door that keeps its rules; the error names it.
    """
    count, last, unheard = 0, "", list[int]()
    for entry in log.entries():
        if until is not None and entry.index >= until:
            break
        if not entry.kind.startswith(PREFIX):
            continue
        at = str(entry.body.get("at"))
        if last and moment(at) < moment(last):
            raise AccessError(f"entry {entry.index} is of a time before the one ahead of it")
        try:
            step(room, entry.kind, entry.body)
        except LogError:
            raise
        except ImmureError as error:
            words = f"entry {entry.index} ({entry.kind}) could not have been let in: {error.reason}"
            raise AccessError(words, path=str(log.directory)) from error
        count, last, unheard = count + 1, at, still_unheard(unheard, entry)
        told(count)
    return Taken(count, last, unheard)


def digest_of(
    log: AuditLog, told: Callable[[int], None] = lambda _: None, *, until: int | None = None
) -> str:
    """The digest of the records that follow from a log; every signature in it is verified again. The
    arguments are those of :func:`take_in`."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in CREATE:
            database.execute(statement)
        rows = Rows(database)
        take_in(Room(rows), log, told, until=until)
        return rows.digest()
    finally:
        database.close()
