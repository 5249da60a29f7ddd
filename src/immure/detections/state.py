"""What a run remembers: how far each source was read, which rows were judged, what was found.

An SQLite database and a folder of Parquet files. A file is made first (written aside, synced, renamed), and
becomes part of the state by one transaction that also moves the position of its source on; findings are
written in the transaction that says which rows were judged. So a run that is killed at any moment goes on
where it was: no row is read twice or not at all, and a finding is said once. What a killed run left behind is
removed when the next begins.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.records import NotUnderstood
from immure.files import sync_directory

PartState = Literal["new", "pending", "judged"]
_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sources (path TEXT PRIMARY KEY, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tallies (
    source TEXT, name TEXT, count INTEGER NOT NULL, PRIMARY KEY (source, name));
CREATE TABLE IF NOT EXISTS odd (
    source TEXT, file TEXT, reason TEXT, what TEXT, lost INTEGER, first INTEGER, line INTEGER, count INTEGER,
    PRIMARY KEY (source, file, reason, what, lost));
CREATE TABLE IF NOT EXISTS parts (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, rows INTEGER NOT NULL, state TEXT NOT NULL,
    rules INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS segments (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS findings (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS heard (rule TEXT, record TEXT, PRIMARY KEY (rule, record)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (receiver TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""
_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file of rows of one kind.

    Attributes:
        name: of the file.
        state: ``new``: not looked up yet. ``pending``: not yet known. ``judged``: done.
        seen: whether the rules over single rows have seen it.
    """

    name: str
    kind: str
    rows: int
    state: PartState
    seen: bool


class State:
    """See the module.

    Args:
        directory: made if it is not there.

    Raises:
        DetectionError: it cannot be used, or another run uses it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._dropped: list[Path] = []
        self.parts_directory = directory / "parts"
        try:
            self.parts_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DetectionError(f"cannot be made: {error.strerror}", path=str(directory)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DetectionError("another run uses this state", path=str(directory)) from error
        try:
            self._open()
            self._tidy()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise DetectionError(f"cannot be used: {error}", path=str(directory)) from error

    def _open(self) -> None:
        self._base = sqlite3.connect(self.directory / "state.db", isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.executescript(_LAYOUT)
        version = self.get("version")
        if version is None:
            self.put("version", _VERSION)
        elif version != _VERSION:
            raise DetectionError("was made by another version", path=str(self.directory))

    def _tidy(self) -> None:
        """Remove what a killed run has left."""
        known = {name for (name,) in self._base.execute("SELECT name FROM parts")}
        for path in self.parts_directory.iterdir():
            if path.name not in known:
                path.unlink()
        for spill in self.directory.glob("spill-*"):
            for left in sorted(spill.rglob("*"), reverse=True):
                left.unlink() if not left.is_dir() else left.rmdir()
            spill.rmdir()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of a block, or nothing of it; may be within another.

        Raises:
            DetectionError: the disk is full, or the database broken.
        """
        if self._base.in_transaction:
            yield
            return
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                self._dropped.clear()
                raise
            self._base.execute("COMMIT")
            self._remove()
        except sqlite3.Error as error:
            raise DetectionError(f"cannot be written: {error}", path=str(self.directory)) from error

    def get(self, name: str) -> str | None:
        """A remembered text."""
        row = self._base.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, name: str, value: str) -> None:
        """Remember a text."""
        self._base.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # Sources

    def position(self, path: str) -> str:
        """How far a source was read."""
        row = self._base.execute("SELECT position FROM sources WHERE path = ?", (path,)).fetchone()
        return "" if row is None else str(row[0])

    def move(self, path: str, position: str) -> None:
        """A source was read up to here."""
        self._base.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", (path, position))

    def count(self, source: str, name: str, count: int) -> None:
        """Add to a count."""
        if count:
            self._base.execute(
                "INSERT INTO tallies VALUES (?, ?, ?) "
                "ON CONFLICT (source, name) DO UPDATE SET count = count + excluded.count",
                (source, name, count),
            )

    def set_count(self, source: str, name: str, count: int) -> None:
        """Set a count."""
        self._base.execute("INSERT OR REPLACE INTO tallies VALUES (?, ?, ?)", (source, name, count))

    def counts(self) -> dict[str, dict[str, int]]:
        """All counts, by source and name."""
        made: dict[str, dict[str, int]] = {}
        for source, name, count in self._base.execute("SELECT * FROM tallies ORDER BY source, name"):
            made.setdefault(source, {})[name] = count
        return made

    def not_understood(self, ones: Iterable[NotUnderstood]) -> None:
        """Note what was not understood."""
        self._base.executemany(
            "INSERT INTO odd VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (source, file, reason, what, lost) DO UPDATE SET count = count + excluded.count",
            [(o.source, o.file, o.reason, o.what, int(o.lost), o.offset, o.line, o.count) for o in ones],
        )

    def odd(self) -> list[NotUnderstood]:
        """What was not understood, most of it first."""
        rows = self._base.execute("SELECT * FROM odd ORDER BY lost DESC, count DESC, file, reason, what")
        return [
            NotUnderstood(
                source=source, file=file, reason=reason, what=what, lost=bool(lost), offset=first, line=line,
                count=count,
            )
            for source, file, reason, what, lost, first, line, count in rows
        ]  # fmt: skip

    # Rows

    def new_name(self, kind: str) -> str:
        """A name for a file that is not there yet."""
        number = int(self.get("next-part") or "1")
        self.put("next-part", str(number + 1))
        return f"{kind}-{number:09d}.parquet"

    def path(self, name: str) -> Path:
        """Where a part is."""
        return self.parts_directory / name

    def add_part(
        self, name: str, kind: str, rows: int, state: PartState = "new", *, seen: bool = False
    ) -> None:
        """A file, which is there, becomes part of the state."""
        self._base.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?)", (name, kind, rows, state, int(seen)))

    def parts(self, kind: str) -> list[Part]:
        """The files of a kind, in the order in which they were made."""
        rows = self._base.execute("SELECT * FROM parts WHERE kind = ? ORDER BY rowid", (kind,))
        return [Part(name, kind, count, state, bool(seen)) for name, kind, count, state, seen in rows]

    def judged(self, names: Iterable[str]) -> None:
        """These were looked up."""
        self._base.executemany("UPDATE parts SET state = 'judged' WHERE name = ?", [(n,) for n in names])

    def seen(self, names: Iterable[str]) -> None:
        """The rules over single rows have seen these."""
        self._base.executemany("UPDATE parts SET rules = 1 WHERE name = ?", [(n,) for n in names])

    def drop(self, names: Iterable[str]) -> None:
        """Forget files; they are removed when the transaction is done, or when the next run begins."""
        names = list(names)
        self._base.executemany("DELETE FROM parts WHERE name = ?", [(n,) for n in names])
        self._dropped += map(self.path, names)
        if not self._base.in_transaction:
            self._remove()

    def _remove(self) -> None:
        for path in self._dropped:
            path.unlink(missing_ok=True)
        self._dropped.clear()

    def sync(self) -> None:
        """Make names of new files last."""
        sync_directory(self.parts_directory)

    # Segments

    def facts(self, path: str, stamp: str) -> Any:
        """What the check of a segment has shown, if it is the same file still."""
        row = self._base.execute("SELECT stamp, facts FROM segments WHERE path = ?", (path,)).fetchone()
        return json.loads(row[1]) if row is not None and row[0] == stamp else None

    def keep_facts(self, path: str, stamp: str, facts: Mapping[str, Any]) -> None:
        """Remember what the check of a segment has shown."""
        self._base.execute(
            "INSERT OR REPLACE INTO segments VALUES (?, ?, ?)", (path, stamp, json.dumps(facts))
        )

    # Findings

    def find(self, finding: Finding, *, add: bool = False) -> bool:
        """Write a finding down; returns whether it is a new one.

        Args:
            add: to the count of one that is there already; else it takes its place.
        """
        row = self._base.execute("SELECT body FROM findings WHERE id = ?", (finding.id,)).fetchone()
        if row is None:
            self._base.execute(
                "INSERT INTO findings (id, body) VALUES (?, ?)", (finding.id, json.dumps(finding.plain()))
            )
            return True
        body = finding.plain()
        if add:
            body = _together(json.loads(row[0]), body)
        self._base.execute("UPDATE findings SET body = ? WHERE id = ?", (json.dumps(body), finding.id))
        return False

    def hear(self, rule: str, record: str) -> bool:
        """Note that a rule has counted a record; whether it had not yet."""
        done = self._base.execute("INSERT OR IGNORE INTO heard VALUES (?, ?)", (rule, record))
        return done.rowcount > 0

    def findings(self, after: int = 0) -> Iterator[tuple[int, Finding]]:
        """Findings with their numbers, in the order in which they were made."""
        for number, body in self._base.execute(
            "SELECT number, body FROM findings WHERE number > ? ORDER BY number", (after,)
        ):
            yield number, Finding.from_plain(json.loads(body))

    def sent(self, receiver: str) -> int:
        """The number of the last finding that a receiver has."""
        row = self._base.execute("SELECT number FROM sent WHERE receiver = ?", (receiver,)).fetchone()
        return 0 if row is None else int(row[0])

    def mark_sent(self, receiver: str, number: int) -> None:
        """A receiver has all findings up to this one."""
        self._base.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", (receiver, number))

    def close(self) -> None:
        """Let go of it."""
        self._base.close()
        os.close(self._lock)

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _together(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Two findings that are one: of rows that were seen at different times."""
    from immure.detections.finding import MOST_RECORDS

    made = {**old, "count": old["count"] + new["count"]}
    made["records"] = list(dict.fromkeys([*old["records"], *new["records"]]))[:MOST_RECORDS]
    for name, choose in (("first", min), ("last", max)):
        known = [one for one in (old[name], new[name]) if one is not None]
        made[name] = choose(known) if known else None
    return made
