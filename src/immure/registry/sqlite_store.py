"""A registry in an SQLite database: several processes may write, and a history can only grow.

>>> store = SqliteStore("immure-keys.db")   # doctest: +SKIP

Every write is one transaction, on the disk when it returns (WAL, ``synchronous=FULL``). The number of the
layout is in ``PRAGMA user_version``; older layouts are brought up to date, newer ones are refused, and so is
a database whose tables and triggers are not exactly those that belong to its number. A store may be used by
several threads; after a fork each process opens its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from immure.registry.errors import DuplicateKeyError, RegistryError
from immure.registry.form import change_to_plain, from_plain, to_plain
from immure.registry.members import Members
from immure.registry.migrations import bring_up_to_date, check_layout
from immure.registry.record import MOST_CHANGES, KeyRecord
from immure.registry.store import MOST_KEYS, Change, Store, check_change, checked_path, in_order
from immure.sqlite import transaction

#: Seconds to wait for another writer.
PATIENCE: Final = 10.0
#: Bytes of the longest text in the database.
_LONGEST_CELL = 1 << 20


class _Queries(NamedTuple):
    """How keys and their histories are read."""

    keys: str
    history: str


_ALL: Final = _Queries(
    "SELECT thumbprint, kid, issuer, record FROM keys",
    "SELECT thumbprint, change FROM history ORDER BY thumbprint, number",
)
_ONE: Final = _Queries(
    "SELECT thumbprint, kid, issuer, record FROM keys WHERE thumbprint = ?",
    "SELECT thumbprint, change FROM history WHERE thumbprint = ? ORDER BY number",
)


class SqliteStore(Store):
    """Key records in an SQLite database."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = checked_path(path)
        self._lock = threading.RLock()
        if not create and not os.path.exists(self.path):
            raise RegistryError("does not exist", path=self.path)
        with self._explained():
            # create=False must not leave an empty database behind if the file vanishes now
            name = (
                "file:"
                + quote(os.path.abspath(self.path), errors="surrogateescape")
                + ("?mode=rwc" if create else "?mode=rw")
            )
            self._database = sqlite3.connect(
                name, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        with self._explained():
            self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_CELL)
            for pragma in ("trusted_schema=OFF", "foreign_keys=ON", "cell_size_check=ON"):
                self._database.execute(f"PRAGMA {pragma}")
            bring_up_to_date(self._database, self.path)
            check_layout(self._database, self.path)

    def records(self) -> tuple[KeyRecord, ...]:
        """See :meth:`Store.records`."""
        with self._transaction("BEGIN") as database:
            return in_order(self._read(database, _ALL))

    def get(self, thumbprint: str) -> KeyRecord:
        """See :meth:`Store.get`."""
        with self._transaction("BEGIN") as database:
            return self._one(database, thumbprint)

    def add(self, records: Iterable[KeyRecord]) -> None:
        """See :meth:`Store.add`."""
        with self._transaction("BEGIN IMMEDIATE") as database:
            for record in records:
                self._insert(database, record)
            (count,) = database.execute("SELECT count(*) FROM keys").fetchone()
            if count > MOST_KEYS:
                raise RegistryError(f"more than {MOST_KEYS} keys", path=self.path)
            self._count_up(database)

    def update(self, thumbprint: str, change: Change) -> KeyRecord:
        """See :meth:`Store.update`."""
        with self._transaction("BEGIN IMMEDIATE") as database:
            before = self._one(database, thumbprint)
            after = change(before)
            check_change(before, after, self.path)
            with self._one_kid(after):
                database.execute(
                    "UPDATE keys SET kid = ?, issuer = ?, record = ? WHERE thumbprint = ?",
                    (after.kid, after.issuer or "", _record_text(after), thumbprint),
                )
            self._append(database, after, len(before.history))
            self._count_up(database)
        return after

    def stamp(self) -> tuple[int, ...]:
        """See :meth:`Store.stamp`."""
        with self._lock, self._explained():
            (revision,) = self._database.execute("SELECT revision FROM registry").fetchone()
            return (int(revision),)

    def close(self) -> None:
        """See :meth:`Store.close`."""
        with self._lock, self._explained():
            self._database.close()

    def _read(self, database: sqlite3.Connection, queries: _Queries, *values: str) -> Iterator[KeyRecord]:
        histories: dict[str, list[Any]] = {}
        for thumbprint, change in database.execute(queries.history, values):
            histories.setdefault(thumbprint, []).append(self._decoded(change))
        for thumbprint, kid, issuer, text in database.execute(queries.keys, values):
            plain = self._decoded(text)
            if isinstance(plain, dict):
                plain["history"] = histories.get(thumbprint, [])[: MOST_CHANGES + 1]
            record = from_plain(Members(plain, f"[key {str(thumbprint)[:43]!r}]", self.path))
            if (record.thumbprint, record.kid, record.issuer or "") != (thumbprint, kid, issuer):
                raise RegistryError(f"[key {kid!r}] contradicts its own index", path=self.path)
            yield record

    def _one(self, database: sqlite3.Connection, thumbprint: str) -> KeyRecord:
        for record in self._read(database, _ONE, thumbprint):
            return record
        raise self._unknown(thumbprint)

    def _insert(self, database: sqlite3.Connection, record: KeyRecord) -> None:
        there = database.execute("SELECT kid FROM keys WHERE thumbprint = ?", (record.thumbprint,)).fetchone()
        if there is not None:
            raise DuplicateKeyError(f"key {record.kid!r} is there already, as {there[0]!r}", path=self.path)
        values = (record.thumbprint, record.kid, record.issuer or "", _record_text(record))
        with self._one_kid(record):
            database.execute("INSERT INTO keys (thumbprint, kid, issuer, record) VALUES (?, ?, ?, ?)", values)
        self._append(database, record, 0)

    @staticmethod
    def _append(database: sqlite3.Connection, record: KeyRecord, start: int) -> None:
        for number, change in enumerate(record.history[start:], start):
            text = json.dumps(change_to_plain(change))
            database.execute(
                "INSERT INTO history (thumbprint, number, change) VALUES (?, ?, ?)",
                (record.thumbprint, number, text),
            )

    @staticmethod
    def _count_up(database: sqlite3.Connection) -> None:
        database.execute("UPDATE registry SET revision = revision + 1")

    def _decoded(self, text: Any) -> Any:
        try:
            return json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise RegistryError("holds something that is not JSON", path=self.path) from None

    @contextmanager
    def _one_kid(self, record: KeyRecord) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            whose = f"of {record.issuer}" if record.issuer else "without an issuer"
            words = f"kid {record.kid!r} is that of another key {whose}"
            raise DuplicateKeyError(words, path=self.path) from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained(), transaction(self._database, begin) as database:
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: a message that quotes broken bytes
            raise RegistryError(f"SQLite: {str(error)[:200]}", path=self.path) from error


def _record_text(record: KeyRecord) -> str:
    """The record without its history, which has a table of its own."""
    plain = to_plain(record)
    del plain["history"]
    return json.dumps(plain)
