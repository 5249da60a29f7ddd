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

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from immure.access.database import connect, make
from immure.access.errors import AccessError, ClockError, StaleError
from immure.access.pending import Pending
from immure.access.replaying import take_in
from immure.access.room import Event, Room
from immure.access.rows import Rows
from immure.access.step import PREFIX, step
from immure.access.texts import moment, spelled
from immure.auditlog import JSON, AuditLog, Checkpoint, Entry, parse_checkpoint
from immure.clock import Clock
from immure.sqlite import transaction

#: Its name in the directory of a door.
DATABASE: Final = "door.db"
#: How far the clock may stand behind what was seen: clocks are set.
SLACK: Final = timedelta(seconds=5)
_SEEN_STEP: Final = timedelta(seconds=60)
_TURNS: Final = 10
_TURN_SECONDS: Final = 0.05


class Store:
    """Rows and log of a door. Several processes may use one directory; each opens its own."""

    def __init__(self, directory: Path, log: AuditLog, clock: Clock, *, writable: bool, create: bool) -> None:
        self.directory = directory
        self.log = log
        self.writable = writable
        self._clock = clock
        self._mutex = threading.RLock()
        self._path = directory / DATABASE
        self._pending = Pending(directory)
        with self._explained():
            if create:
                make(self._path)
            self._database = connect(self._path)
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
        """A consistent view of the rows, for what does not depend on the time."""
        with self._mutex, self._explained():
            if self.writable and self._pending.there:
                with self._exclusive():
                    self._settle()
            with transaction(self._database, "BEGIN"):
                yield

    def now(self) -> datetime:
        """The time, which never goes back.

        Raises:
            ClockError: the clock stands before what was seen already: what has expired could be live again.
        """
        now, seen = self._clock(), self._standing("seen")
        last = moment(seen) if seen else now
        if now < last - SLACK:
            raise ClockError(
                f"the clock says {spelled(now)}, and it was {seen} already: nobody is let in by such a clock",
                path=str(self._path),
            )
        return max(now, last)

    def note_time(self) -> None:
        """Remember how late it is, so that a clock that is put back is noticed, also if nothing happens."""
        with self._mutex, self._explained():
            now, seen = self.now(), self._standing("seen")
            if self.writable and (not seen or now > moment(seen) + _SEEN_STEP):
                with transaction(self._database):
                    self._stand("seen", spelled(now))

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
        with self._mutex, self._explained(), self._exclusive():
            self._settle()
            now = self.now()
            full = {**body, "at": spelled(now)}
            with transaction(self._database):
                event = step(self.room, PREFIX + act, full)
                if before is not None:
                    before()
                self._pending.note(PREFIX + act, full)
                entry = self.log.append(PREFIX + act, full)
                self._stand_at(entry.index + 1, spelled(now))
            self._pending.forget()
            return entry, event

    @contextmanager
    def changing(self) -> Iterator[datetime]:
        """A transaction for what is not logged (ceremonies that have begun)."""
        self._need_writable()
        with self._mutex, self._explained(), self._exclusive():
            self._settle()
            with transaction(self._database):
                yield self.now()

    @contextmanager
    def trying(self) -> Iterator[datetime]:
        """A transaction that is always rolled back."""
        self._need_writable()
        with self._mutex, self._explained():
            now = self.now()
            self._database.execute("BEGIN IMMEDIATE")  # an upgrade later would not wait for other writers
            try:
                yield now
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    # --- what belongs together ---

    def settle(self) -> None:
        """See that database and log belong together, and finish what a crash has broken off.

        Raises:
            StaleError: the database is older than the log, or not of this log.
        """
        with self._mutex, self._explained():
            if not self.writable:
                self._look()
                return
            with self._exclusive():
                self._settle()

    def _look(self) -> None:
        """The same for who may not write. Another process may be between its append and its commit."""
        for turn in range(_TURNS):
            unknown = self._unknown()
            if not unknown or (len(unknown) == 1 and self._pending.is_that(unknown[0])):
                return
            if turn + 1 < _TURNS:
                time.sleep(_TURN_SECONDS)
        self._check_standing(unknown)

    def _settle(self) -> None:
        self._refresh()
        unknown = self._unknown()
        if len(unknown) == 1 and self._pending.is_that(unknown[0]):
            with transaction(self._database):
                step(self.room, unknown[0].kind, dict(unknown[0].body))
                self._stand_at(unknown[0].index + 1, str(unknown[0].body.get("at")))
        else:
            self._check_standing(unknown)
        if self._pending.there:
            self._pending.forget()

    def _check_standing(self, unknown: list[Entry]) -> None:
        if unknown:
            raise StaleError(
                f"the log has {len(unknown)} entries that the database does not know, the first of them "
                f"{unknown[-1].index} ({unknown[-1].kind}): it was put back to an older state. "
                "'immure access init --restore' makes it anew from the log",
                path=str(self._path),
            )

    def _unknown(self) -> list[Entry]:
        """Entries of doors that are not in the database, the newest first."""
        at, found = int(self._standing("position") or 0), []
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

    def _refresh(self) -> None:
        self._need_writable()
        self.log.refresh()

    def kept_checkpoint(self) -> Checkpoint | None:
        """The log as the database has seen it last."""
        note = self._standing("checkpoint")
        return parse_checkpoint(note.encode()) if note else None

    def restore(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Make the records anew from the log; the number of entries."""
        with self._mutex, self._explained(), self._exclusive():
            self._refresh()
            with transaction(self._database):
                for table in ("records", "used", "ceremonies", "standing"):
                    self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
                count, last = take_in(self.room, self.log, told)
                self._stand_at(len(self.log), last)
            self._pending.forget()
            return count

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
        try:
            handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AccessError(error.strerror or "cannot be locked", path=str(self.directory)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _standing(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM standing WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _stand(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO standing VALUES (?, ?)", (name, value))

    def _stand_at(self, position: int, seen: str) -> None:
        self._stand("position", str(position))
        self._stand("checkpoint", self.log.checkpoint().note.decode())
        self._stand("seen", seen)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise AccessError(f"SQLite: {str(error)[:200]}", path=str(self._path)) from error
