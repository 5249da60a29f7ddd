"""The door's memory: a log that says what has happened, and a database in which it is looked up.

In the directory of a door:

``log/``
    a tamper-evident log (:mod:`immure.auditlog`), unless it is elsewhere: what it says is so.
``door.db``
    the records that follow from it.
``pending.json``
    an event that is being written. It is there for a moment only, or after a crash.
``lock``
    held (flock) by whoever writes.

An event is tried in a transaction of the database, noted in ``pending.json``, appended to the log, and only
then committed. A crash before the append leaves nothing of it; a crash behind it leaves an entry that is the
pending one, and is taken in by whoever opens the door next. Any other entry that the database does not know
means that the database is an older one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from immure.access.continuing import check_same, identity_of
from immure.access.database import connect, make
from immure.access.errors import AccessError, StaleError
from immure.access.lock import locked
from immure.access.pending import Pending
from immure.access.replaying import take_in
from immure.access.room import Event, Room
from immure.access.rows import Rows
from immure.access.standing import Standing
from immure.access.steady import SteadyClock
from immure.access.step import PREFIX, step
from immure.access.texts import spelled
from immure.auditlog import JSON, AuditLog, Entry
from immure.auditlog.storage import CHECKPOINT
from immure.clock import Clock
from immure.sqlite import transaction

#: Its name in the directory of a door.
DATABASE: Final = "door.db"
_TURNS: Final = 10
_TURN_SECONDS: Final = 0.05


class Store:
    """Rows and log of a door. Several processes may use one directory; each opens its own."""

    def __init__(self, directory: Path, log: AuditLog, clock: Clock, *, writable: bool, create: bool) -> None:
        self.directory = directory
        self.log = log
        self.writable = writable
        self._mutex = threading.RLock()
        self._path = directory / DATABASE
        self._pending = Pending(directory)
        self._looked: tuple[object, int] | None = None
        with self._explained():
            if create:
                make(self._path)
            self._identity = identity_of(self._path)  # before it is opened: another one is then noticed
            self._database = connect(self._path)
        self.standing = Standing(self._database, self._path)
        self._clock = SteadyClock(clock, self.standing, self._path)
        self.rows = Rows(self._database)
        self.room = Room(self.rows)

    # --- reading ---

    @contextmanager
    def reading(self) -> Iterator[datetime]:
        """A consistent view of the rows, and the time; raises ClockError if that went back."""
        with self.looking():
            yield self.now()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A consistent view of the rows, for what does not depend on the time.

        Raises:
            StaleError: the log has gone on without the database, or one of them was put back, since the door
                was opened.
        """
        with self._entered():
            if self.writable and self._pending.there:
                with self._exclusive():
                    self._settle()
            self._keep_up()
            view = self._finished() if self._pending.there else transaction(self._database, "BEGIN")
            with view:
                yield

    def now(self) -> datetime:
        """The time, which never goes back; raises ClockError if the clock has."""
        return self._clock.now()

    def note_time(self) -> None:
        """Remember how late it is, so that a clock that is put back is noticed, also if nothing happens."""
        with self._entered():
            late = self._clock.to_note()
            if self.writable and late is not None:
                with transaction(self._database):
                    self.standing.seen = late

    # --- writing ---

    def write(
        self, act: str, body: Mapping[str, JSON], before: Callable[[], None] | None = None
    ) -> tuple[Entry, Event]:
        """Let an event happen: tried, logged, and kept. When this returns it is on the disk.

        Args:
            act: what happens.
            body: the entry's, without its time.
            before: is run in the transaction of the database.

        Raises:
            DeniedError: it may not happen; nothing did.
            LogError: whether it is in the log is not certain; whoever opens the door next finds out.
        """
        with self._entered(), self._exclusive():
            self._settle()
            now = self.now()
            full = {**body, "at": spelled(now)}
            with transaction(self._database):
                event = step(self.room, PREFIX + act, full)
                if before is not None:
                    before()
                self._pending.note(PREFIX + act, full)
                entry = self.log.append(PREFIX + act, full)
                self.standing.take_in(entry, self.log.checkpoint())
            self._looked = self._both()
            self._pending.forget()
            return entry, event

    @contextmanager
    def changing(self) -> Iterator[datetime]:
        """A transaction for what is not logged (ceremonies that have begun)."""
        self._need_writable()
        with self._entered(), self._exclusive():
            self._settle()
            with transaction(self._database):
                yield self.now()

    @contextmanager
    def trying(self) -> Iterator[datetime]:
        """A transaction that is always rolled back."""
        self._need_writable()
        with self._entered():
            now = self.now()
            with self._rolled_back():
                yield now

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")  # an upgrade later would not wait for other writers
        try:
            yield
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    # --- what belongs together ---

    def settle(self) -> None:
        """See that database and log belong together, and finish what a crash has broken off.

        Raises:
            StaleError: the database is older than the log, or not of this log.
        """
        with self._entered():
            if not self.writable:
                self._look()
                return
            with self._exclusive():
                self._settle()

    def _keep_up(self) -> None:
        """See, if anything has changed, that log and database still belong together: under an open door, too,
        one of them may be put back."""
        both = self._both()
        if both != self._looked:
            self._follow()
            self._looked = both if self._look() else None

    def _both(self) -> tuple[object, int]:
        """What changes when the log does, and when the database takes something in."""
        return identity_of(self.log.directory / CHECKPOINT, version=True), self.standing.position

    def _follow(self) -> None:
        """Take over what others have appended to the log."""
        if self.writable:
            self.log.refresh()
        else:
            self.log = AuditLog.open(self.log.directory, known=self.log.checkpoint(), check=False)

    @contextmanager
    def _finished(self) -> Iterator[None]:
        """A view for who may not write: what a crash has broken off is in it, though not in the database.
        Otherwise a revocation would not count until somebody writes."""
        with self._rolled_back():
            unknown = self._unknown()
            if unknown:
                self._finish(unknown)
            yield

    def _look(self) -> bool:
        """The same as :meth:`settle` for who may not write; whether nothing is left to be finished. Another
        process may be between its append and its commit."""
        for turn in range(_TURNS):
            unknown = self._unknown()
            if not unknown or (len(unknown) == 1 and self._pending.is_that(unknown[0])):
                return not unknown
            if turn + 1 < _TURNS:
                time.sleep(_TURN_SECONDS)
        raise self._stale(unknown)

    def _settle(self) -> None:
        self._need_writable()
        self.log.refresh()
        unknown = self._unknown()
        if unknown:
            with transaction(self._database):
                self._finish(unknown)
        if self._pending.there:
            self._pending.forget()

    def _finish(self, unknown: list[Entry]) -> None:
        """Take in what the database does not know, if it is the one event that was being written."""
        if len(unknown) != 1 or not self._pending.is_that(unknown[0]):
            raise self._stale(unknown)
        step(self.room, unknown[0].kind, dict(unknown[0].body))
        self.standing.take_in(unknown[0], self.log.checkpoint())

    def _stale(self, unknown: list[Entry]) -> StaleError:
        return StaleError(
            f"the log has {len(unknown)} entries that the database does not know, the first of them "
            f"{unknown[-1].index} ({unknown[-1].kind}): it was put back to an older state. "
            "'immure access init --restore' makes it anew from the log",
            path=str(self._path),
        )

    def _unknown(self) -> list[Entry]:
        """Entries of doors that are not in the database, the newest first."""
        at, found = self.standing.position, []
        if len(self.log) < at:
            self._follow()
        if len(self.log) < at:
            raise StaleError(
                f"the database has taken in {at} entries, and the log has {len(self.log)}: it was put back",
                path=str(self.log.directory),
            )
        for entry in self.log.newest():
            if entry.index < at:
                break
            if entry.kind.startswith(PREFIX):
                found.append(entry)
        return found

    def unheard(self) -> list[Entry]:
        """Entries for which an alarm must sound, and none has: whoever was to sound it was stopped."""
        with self._entered():
            wanted, found = self.standing.unheard, list[Entry]()
            for entry in self.log.newest() if wanted else ():
                if entry.index < wanted[0]:
                    break
                if entry.index in wanted:
                    found.append(entry)
            return found[::-1]

    def restore(self, told: Callable[[int], None] = lambda _: None, *, seen: str | None = None) -> int:
        """Make the records anew from the log; the number of entries. ``seen`` is how late it was already."""
        with self._entered(), self._exclusive():
            self.log.refresh()
            with transaction(self._database):
                for table in ("records", "used", "ceremonies", "standing"):
                    self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
                taken = take_in(self.room, self.log, told)
                checkpoint, late = self.log.checkpoint(), max(taken.last, seen or "")
                self.standing.stand(checkpoint.size, checkpoint, seen=late, unheard=taken.unheard)
            self._pending.forget()
            return taken.entries

    def close(self) -> None:
        """Close the database."""
        with self._mutex:
            self._database.close()

    def _need_writable(self) -> None:
        if not self.writable:
            raise AccessError("the door was opened to be looked through only", path=str(self.directory))

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._need_writable()
        with locked(self.directory):
            check_same(self._path, self._identity)  # meanwhile it may have been made anew
            yield

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """One thread at a time, errors of ours, and the database that is there now."""
        with self._mutex, self._explained():
            check_same(self._path, self._identity)
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise AccessError(f"SQLite: {str(error)[:200]}", path=str(self._path)) from error
