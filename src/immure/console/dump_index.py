"""An index of dumps: what records, vault, clearances and the gate's log say of each, joined by digests.

A page of ten thousand dumps must not read ten thousand files. The index is an SQLite database that is brought
up to date with the files that are new; all of it can be thrown away: it is made anew.

A capture that was redacted on its way into the vault is one dump. One that was sealed as it was, redacted
later and cleared under another digest is one, too: the clearance names the digest of its source.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, cast

from immure.auditlog import AuditLog
from immure.clock import Clock, now
from immure.console import dump_join
from immure.console.dump_files import (
    batches,
    captured_row,
    checkpoint,
    decided,
    files_in,
    mtime,
    sealed_row,
)
from immure.console.dump_rows import Captured, Cleared, cleared
from immure.console.settings import TenantSettings
from immure.errors import ImmureError, LogError
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction
from immure.transfer.policy import Policy
from immure.transfer.policy_file import PolicyFile
from immure.transfer.wiring import EnvelopeVerifier
from immure.vault.places import Places

T = TypeVar("T")
#: Seconds that a page waits for the list.
PATIENCE: Final = 0.4
_PATIENCE: Final = 30.0
_LAYOUT: Final = Layout(
    0x494D4444,
    1,
    (
        f"PRAGMA application_id = {0x494D4444}",
        "PRAGMA user_version = 1",
        "CREATE TABLE files (folder, name, stamp INTEGER, PRIMARY KEY (folder, name)) WITHOUT ROWID",
        f"CREATE TABLE captured ({', '.join(Captured._fields)}, PRIMARY KEY (name))",
        f"CREATE TABLE cleared ({', '.join(Cleared._fields)}, PRIMARY KEY (file))",
        "CREATE TABLE sealed (digest PRIMARY KEY, name, at, size)",
        "CREATE TABLE decided (entry INTEGER PRIMARY KEY, digest, kind, at, rule, reason, destination)",
        "CREATE TABLE standing (name TEXT PRIMARY KEY, value)",
        *dump_join.TABLES,
    ),
)


class DumpIndexError(ImmureError):
    """The index of dumps cannot be read or made (exit code 3)."""

    code: ClassVar[str] = "dump-index"


class DumpIndex:
    """The index of one tenant.

    Args:
        settings: of the tenant.
        state: directory of the database; None for one in memory.
        clock: tells the time.

    Raises:
        DumpIndexError: the database cannot be had.
    """

    def __init__(self, settings: TenantSettings, state: Path | None, clock: Clock = now) -> None:
        self._settings, self._clock = settings, clock
        self.path = ":memory:" if state is None else str(state / f"dumps-{settings.name}.db")
        self._mutex = threading.RLock()
        self._refreshing = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "dumps")
        self._reading: Future[None] | None = None
        self._seen: Any = None
        #: Counts the times that the list was made anew.
        self.generation = 0
        self._known: dict[str, tuple[Any, Any]] = {}
        try:
            if state is not None:
                state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = self._open()
            # who looks does not wait for what is being written, and sees what was there before
            self._looking = self._database if state is None else self._open()
            self._glance = self._mutex if state is None else threading.RLock()
        except (OSError, sqlite3.Error, ForeignDatabaseError) as error:
            raise DumpIndexError(f"cannot be opened: {error}", path=self.path) from error

    def _open(self) -> sqlite3.Connection:
        pragmas = ("cache_size=-8000",)
        return open_database(self.path, _LAYOUT, patience=_PATIENCE, synchronous="NORMAL", pragmas=pragmas)

    def close(self) -> None:
        """Close the database."""
        self._worker.shutdown()
        self._looking.close()
        self._database.close()

    def ask(self, query: str, values: Iterable[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Rows of a query, with values by place or by name.

        Raises:
            DumpIndexError: the database cannot answer.
        """
        try:
            with self._glance:
                given = values if isinstance(values, Mapping) else tuple(values)
                return self._looking.execute(query, given).fetchall()
        except sqlite3.Error as error:
            raise DumpIndexError(f"cannot be asked: {error}", path=self.path) from error

    def known(self, name: str, when: Any, make: Callable[[], T]) -> T:
        """What ``make`` has made under this name while neither the list nor ``when`` was another."""
        key = (self.generation, when)
        found = self._known.get(name)
        if found is None or found[0] != key:
            found = self._known[name] = (key, make())
        return cast(T, found[1])

    # --- news ---

    def stamp(self) -> tuple[Any, ...]:
        """Differs once there may be news; costs some calls of the system."""
        known = self._settings
        records = None if known.vault is None else Places(known.vault).records
        places = (known.records, records, known.clearances, known.policy, checkpoint(known.gate_log))
        return tuple(mtime(one) for one in places)

    def current(self, patience: float = PATIENCE) -> bool:
        """Whether the list is how things are now; if it is not, it is being made.

        Args:
            patience: seconds to wait for that.

        Raises:
            DumpIndexError, LogError, PolicyError, InputError: as :meth:`refresh`.
        """
        if self.stamp() == self._seen:
            return True
        with self._mutex:
            if self._reading is None or self._reading.done():
                self._reading = self._worker.submit(self.refresh)
            reading = self._reading
        try:
            reading.result(patience)
        except FutureTimeout:
            return False
        return True

    def refresh(self) -> None:
        """Read what is new.

        Raises:
            DumpIndexError, LogError, PolicyError, InputError: something cannot be read; all else was.
        """
        with self._refreshing:
            stamp = self.stamp()
            if stamp == self._seen:
                return
            try:
                first = self._read_all()
                if self._is_dirty():
                    with self._mutex, transaction(self._database):
                        dump_join.join(self._database)
                        self._database.execute("DELETE FROM standing WHERE name = 'dirty'")
                    self.generation += 1
            except sqlite3.Error as error:
                raise DumpIndexError(f"cannot be written: {error}", path=self.path) from error
            if first is not None:
                raise first
            self._seen = stamp

    def _is_dirty(self) -> bool:
        """Whether something was read that is not in the list yet, perhaps by a process that was killed."""
        with self._mutex:
            query = "SELECT count(*) FROM standing WHERE name = 'dirty'"
            return bool(self._database.execute(query).fetchone()[0])

    def _read_all(self) -> ImmureError | None:
        """Read all sources, those also that come after one that cannot be read; the first error."""
        known = self._settings
        vault = None if known.vault is None else Places(known.vault).records
        sources = (
            (known.records, lambda path: self._folder("captured", path, ".json", captured_row)),
            (vault, lambda path: self._folder("sealed", path, ".json", sealed_row)),
            (known.clearances, self._clearances),
            (known.gate_log, self._decisions),
        )
        first: ImmureError | None = None
        for path, read in sources:
            if path is not None:
                try:
                    read(path)
                except ImmureError as error:
                    first = first or error
        return first

    def _folder(self, name: str, directory: Path, suffix: str, read: Any) -> None:
        """Bring one table up to date with a directory of files."""
        found = files_in(directory, suffix)
        rows = self.ask("SELECT name, stamp FROM files WHERE folder = ?", (name,))
        known = dict(rows)
        gone = [file for file in known if file not in found]
        new = [file for file, stamp in found.items() if known.get(file) != stamp]
        for batch in batches(gone):
            self._forget(name, batch)
        for batch in batches(new):
            made = [(file, found[file], read(file, directory / file, found[file])) for file in batch]
            self._put(name, made)

    def _clearances(self, directory: Path) -> None:
        """Signatures count by the policy, so all of them are looked at anew when that is another."""
        policy = self._policy()
        version = "" if policy is None else policy.version.sha256
        if self.ask("SELECT value FROM standing WHERE name = 'policy'") != [(version,)]:
            with self._mutex, transaction(self._database):
                self._database.execute("DELETE FROM files WHERE folder = 'cleared'")
                self._database.execute("INSERT OR REPLACE INTO standing VALUES ('policy', ?)", (version,))
        verifier = EnvelopeVerifier()
        signers = None if policy is None else policy.signers
        self._folder(
            "cleared",
            directory,
            ".intoto.json",
            lambda name, path, _: cleared(name, path, verifier, signers, self._clock),
        )

    def _policy(self) -> Policy | None:
        return None if self._settings.policy is None else PolicyFile(self._settings.policy).read()

    def _decisions(self, directory: Path) -> None:
        """Entries of the gate's log that are new, from its end."""
        log = AuditLog.open(directory, check=False)
        [(last,)] = self.ask("SELECT ifnull(max(entry), -1) FROM decided") or [(-1,)]
        if last >= len(log):
            raise LogError("the log has fewer entries than were seen: it was put back", path=str(directory))
        rows = []
        for entry in log.newest():
            if entry.index <= last:
                break
            rows.append(decided(entry))
        if rows:
            with self._writing():
                self._database.executemany(
                    "INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, ?, ?, ?)", rows
                )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction after which the list is to be made anew."""
        with self._mutex, transaction(self._database):
            self._database.execute("INSERT OR REPLACE INTO standing VALUES ('dirty', 1)")
            yield

    def _forget(self, folder: str, names: list[str]) -> None:
        column, cut = _KEYS[folder]
        with self._writing():
            for name in names:
                self._database.execute("DELETE FROM files WHERE folder = ? AND name = ?", (folder, name))
                self._database.execute(
                    f"DELETE FROM {folder} WHERE {column} = ?",  # noqa: S608 - names of ours
                    (name[:-cut] if cut else name,),
                )

    def _put(self, folder: str, made: list[tuple[str, int, tuple[Any, ...]]]) -> None:
        marks = ", ".join("?" * len(made[0][2]))
        with self._writing():
            for name, stamp, row in made:
                self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (folder, name, stamp))
                self._database.execute(
                    f"INSERT OR REPLACE INTO {folder} VALUES ({marks})",  # noqa: S608 - names of ours
                    row,
                )


#: Which column a file is known by, and how much of its name that is not.
_KEYS: Final = {"captured": ("name", 0), "cleared": ("file", 0), "sealed": ("digest", len(".json"))}
