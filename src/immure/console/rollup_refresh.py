"""Brings a roll-up up to date: files that are new or changed are counted by DuckDB, those that are gone are
taken out, and each of them is one transaction. Who is killed on the way loses the file that he was at.

Memory is that of the engine's cap and of one file's groups. Who can choose the times and names in a log
cannot make the roll-up large: a file has :data:`MOST_HOURS` hours and :data:`MOST_NAMES` names; what is more
is counted as a whole.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from immure.clock import Clock, now
from immure.console.rollup import KINDS, OTHERS, Rollup, RollupError, explained
from immure.console.rollup_ledger import count_ledger
from immure.console.rollup_sql import Group, grouped
from immure.detections.engine import Engine
from immure.detections.errors import DetectionError
from immure.ledger.store import LedgerStore
from immure.sqlite import transaction

Feed = Literal["issued", "accepted", "verdicts"]
#: Is told how many files are done, and of how many.
Told = Callable[[int, int], None]
MEMORY: Final = "256MB"
_LOCK: Final = "rollup.lock"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh has done.

    Attributes:
        counted: files that were counted.
        removed: files that are there no more.
        failed: files that could not be counted.
        whole: whether it came to its end.
    """

    counted: int
    removed: int
    failed: int
    whole: bool


def nobody(done: int, total: int) -> None:
    """Tells nobody."""


def refresh(
    directory: Path,
    feeds: Sequence[tuple[Feed, Sequence[Path]]],
    *,
    ledger: LedgerStore | None = None,
    memory: str = MEMORY,
    threads: int | None = None,
    stop: threading.Event | None = None,
    told: Told = nobody,
    clock: Clock = now,
) -> Refreshed:
    """Bring the roll-up in a directory up to date; it is made if it is not there.

    Args:
        directory: of the roll-up; made if it is not there.
        feeds: the files that there are, by what is in them.
        ledger: whose rows are counted where they are, because they are in no file.
        memory, threads: of the engine.
        stop: when it is set, the refresh ends with the file that it is at.

    Raises:
        RollupError: it cannot be written, or another process is about it.
        LedgerError: the ledger cannot be read; what was counted before is kept.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RollupError(error.strerror or "cannot be made", path=str(directory)) from error
    with _alone(directory), Rollup(directory, create=True) as rollup, explained(rollup.path):
        live = set() if ledger is None else count_ledger(rollup.database, ledger, stop)
        there = {str(path): feed for feed, paths in feeds for path in paths}
        known = dict(rollup.database.execute("SELECT path, stamp FROM files"))
        gone = [path for path in known if path not in there and path not in live]
        stamps = {path: _stamp(path) for path in there}
        todo = [path for path, stamp in stamps.items() if known.get(path) != stamp]
        for path in gone:
            with transaction(rollup.database):
                _take_out(rollup.database, path)
        done = _Done(stop, told, len(todo))
        if todo:
            with _engine(directory, todo, memory, threads) as engine:
                for path in done.turns(todo):
                    done.failed += not _count(rollup.database, engine, there[path], path, stamps[path])
        whole = done.counted == len(todo) and not (stop is not None and stop.is_set())
        if whole:
            moment = int(clock().timestamp())
            with transaction(rollup.database):
                rollup.database.execute("INSERT OR REPLACE INTO standing VALUES ('refreshed', ?)", (moment,))
        return Refreshed(done.counted, len(gone), done.failed, whole)


@dataclass(slots=True)
class _Done:
    """How far a refresh is."""

    stop: threading.Event | None
    told: Told
    total: int
    counted: int = 0
    failed: int = 0

    def turns(self, paths: Sequence[str]) -> Iterator[str]:
        """The files, one after the other, until it is to stop."""
        for path in paths:
            if self.stop is not None and self.stop.is_set():
                return
            yield path
            self.counted += 1
            self.told(self.counted, self.total)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    try:
        handle = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RollupError(error.strerror or "cannot be locked", path=str(directory)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RollupError("another process brings it up to date", path=str(directory)) from error
        yield
    finally:
        os.close(handle)


@contextmanager
def _engine(directory: Path, paths: Iterable[str], memory: str, threads: int | None) -> Iterator[Engine]:
    folders = {Path(path).parent for path in paths}
    for left in directory.glob("spill-*"):  # of one who was killed; nobody else is here
        _remove(left)
    try:
        engine = Engine(directory, folders, memory=memory, threads=threads)
    except OSError as error:
        raise RollupError(error.strerror or "cannot be written", path=str(directory)) from error
    with engine:
        yield engine


def _remove(folder: Path) -> None:
    for left in sorted(folder.rglob("*"), reverse=True):
        left.unlink() if not left.is_dir() else left.rmdir()
    folder.rmdir()


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as error:  # gone since it was listed, or not to be read: that is said when it is counted
        return f"? {error.errno}"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"


def _count(database: sqlite3.Connection, engine: Engine, feed: Feed, path: str, stamp: str) -> bool:
    """Count a file anew; whether it could be read."""
    groups, error = list[Group](), ""
    try:
        groups = list(grouped(engine, feed, path))
    except DetectionError as caught:
        error = caught.reason
    with transaction(database):
        _take_out(database, path)
        _put_in(database, feed, path, stamp, groups, error)
    return not error


def _take_out(database: sqlite3.Connection, path: str) -> None:
    found = database.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
    if found is None:
        return
    _add(database, found[0], -1)
    database.execute("DELETE FROM hours WHERE count = 0")
    database.execute("DELETE FROM counts WHERE file = ?", found)
    database.execute("DELETE FROM files WHERE id = ?", found)


def _put_in(
    database: sqlite3.Connection, feed: Feed, path: str, stamp: str, groups: Sequence[Group], error: str
) -> None:
    rows = sum(one.rows for one in groups)
    unplaced = sum(one.rows for one in groups if one.hour is None)
    made = database.execute(
        "INSERT INTO files (path, feed, stamp, rows, unplaced, error) VALUES (?, ?, ?, ?, ?, ?)",
        (path, feed, stamp, rows, unplaced, error),
    )
    names = _Names(database)
    database.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)",
        [
            (KINDS.index(one.kind), one.hour, made.lastrowid, names[one.issuer], names[one.party], one.rows)
            for one in groups
            if one.hour is not None
        ],
    )
    _add(database, made.lastrowid, 1)


def _add(database: sqlite3.Connection, file: int | None, sign: int) -> None:
    """Add what a file has to the hours, or take it away."""
    database.execute(
        "INSERT INTO hours SELECT kind, hour, sum(count) * ? FROM counts WHERE file = ? GROUP BY kind, hour "
        "ON CONFLICT (kind, hour) DO UPDATE SET count = count + excluded.count",
        (sign, file),
    )


class _Names:
    """Numbers of names, which are made as they come."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[str, int] = {}

    def __getitem__(self, name: str | None) -> int:
        text = OTHERS if name is None else name
        if text not in self._known:
            self._database.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (text,))
            (found,) = self._database.execute("SELECT id FROM names WHERE text = ?", (text,)).fetchone()
            self._known[text] = found
        return self._known[text]
