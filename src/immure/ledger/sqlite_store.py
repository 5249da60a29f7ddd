"""A ledger in an SQLite database: for one machine; several processes may write to it.

>>> store = SqliteLedger("ledger.db")   # doctest: +SKIP

Every :meth:`append` is one transaction that is on the disk when it returns (WAL, ``synchronous=FULL``).
Triggers keep rows from being changed, and rows that are in no batch yet from being deleted; who owns the file
can get round them, but not round the log in which the batches are.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Final

from immure.ledger.batch import Batch
from immure.ledger.errors import LedgerError, SealingBusyError, TooManyError, WatermarkError
from immure.ledger.gap import Gap
from immure.ledger.row import Issued, row_from
from immure.ledger.sqlite_layout import APPLICATION_ID, CREATE, LAYOUT, MOST_BYTES
from immure.ledger.store import MOST_ISSUERS, LedgerStore, Standing, check_batch, follows
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction

#: Seconds to wait for another writer.
PATIENCE: Final = 10.0
_PAGE: Final = 4096
#: Cells of a row; rows of one statement: with more, older versions of SQLite have too many parameters (999).
_CELLS: Final = 11
_TOGETHER: Final = (64, 32, 16, 8, 4, 2, 1)
_COLUMNS: Final = "digest, kid, sub, aud, tenant, client, iat, exp, session"
_INSERT_BATCH: Final = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteLedger(LedgerStore):
    """Rows and batches in one file, and beside it ``FILE.sealing``, the lock of whoever closes batches."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = os.fspath(path)
        if not self.path or "\0" in self.path:
            raise LedgerError("is no path", path=self.path[:80].replace("\0", "?"))
        if not create and not os.path.exists(self.path):
            raise LedgerError("does not exist", path=self.path)
        self._lock = threading.RLock()
        self._ids: dict[str, int] = {}
        try:
            with self._explained():
                self._database = open_database(
                    self.path,
                    Layout(APPLICATION_ID, LAYOUT, CREATE),
                    patience=PATIENCE,
                    create=create,
                    pragmas=("foreign_keys=ON", "cell_size_check=ON"),
                    most_bytes=MOST_BYTES,
                )
        except ForeignDatabaseError as error:
            words = "is a database, but not a ledger"
            if error.layout is not None:
                words = f"has layout {error.layout}; this version of Immure knows {LAYOUT}"
            raise LedgerError(words, path=self.path) from error
        except OSError as error:
            raise LedgerError(error.strerror or "cannot be made", path=self.path) from error

    # --- rows ---

    def append(self, rows: Sequence[Issued]) -> list[int | LedgerError]:
        """See :meth:`LedgerStore.append`."""
        outcomes: list[int | LedgerError] = []
        values = []
        with self._transaction("BEGIN IMMEDIATE") as database:
            standing: dict[str, list[int]] = {}  # number, last, watermark
            for row in rows:
                state = standing.get(row.issuer)
                if state is None:
                    try:
                        state = standing[row.issuer] = self._issuer(database, row.issuer)
                    except TooManyError as error:  # no harm to the others
                        outcomes.append(error)
                        continue
                if row.issued_at < state[2]:
                    outcomes.append(WatermarkError(state[2] - row.issued_at, path=self.path))
                    continue
                state[1] += 1
                outcomes.append(state[1])
                values.append((state[0], state[1], *row.cells()))
            _insert(database, values)
            for number, last, _ in standing.values():
                database.execute("UPDATE issuers SET last = ? WHERE id = ?", (last, number))
        return outcomes

    def _issuer(self, database: sqlite3.Connection, name: str) -> list[int]:
        found = database.execute("SELECT id, last, watermark FROM issuers WHERE name = ?", (name,)).fetchone()
        if found is None:
            if database.execute("SELECT count(*) FROM issuers").fetchone()[0] >= MOST_ISSUERS:
                raise TooManyError(f"has {MOST_ISSUERS} issuers, and takes no more", path=self.path)
            made = database.execute("INSERT INTO issuers (name) VALUES (?) RETURNING id", (name,)).fetchone()
            return [made[0], 0, 0]
        return list(found)

    def rows(self, issuer: str, first: int, last: int) -> Iterator[tuple[int, Issued]]:
        """See :meth:`LedgerStore.rows`."""
        number = self._number(issuer)
        while first <= last:
            with self._lock, self._explained():
                page = self._database.execute(
                    f"SELECT seq, {_COLUMNS} FROM tokens WHERE issuer = ? AND seq BETWEEN ? AND ?"  # noqa: S608
                    " ORDER BY seq LIMIT ?",
                    (number, first, last, _PAGE),
                ).fetchall()
            if not page:
                return
            for sequence, *cells in page:
                yield sequence, row_from(issuer, cells, self.path)
            first = page[-1][0] + 1

    def matching(self, issuer: str, first: int, last: int, digest: bytes) -> list[tuple[int, Issued]]:
        """See :meth:`LedgerStore.matching`."""
        number = self._number(issuer)
        with self._lock, self._explained():
            found = self._database.execute(
                f"SELECT seq, {_COLUMNS} FROM tokens"  # noqa: S608
                " WHERE issuer = ? AND seq BETWEEN ? AND ? AND digest = ? LIMIT 100",
                (number, first, last, digest),
            ).fetchall()
        return [(sequence, row_from(issuer, cells, self.path)) for sequence, *cells in found]

    def longest_life(self, issuer: str) -> int:
        """See :meth:`LedgerStore.longest_life`."""
        number = self._number(issuer)
        with self._lock, self._explained():
            (found,) = self._database.execute(
                "SELECT max(exp - iat) FROM tokens WHERE issuer = ?", (number,)
            ).fetchone()
        return max(0, found or 0)

    def prune(self, issuer: str, last: int) -> int:
        """See :meth:`LedgerStore.prune`."""
        number = self._number(issuer)
        with self._transaction("BEGIN IMMEDIATE") as database:
            database.execute(
                "UPDATE issuers SET forgotten = max(forgotten, (SELECT coalesce(max(iat), -1) + 1 FROM tokens"
                " WHERE issuer = ?1 AND seq <= ?2)) WHERE id = ?1",
                (number, last),
            )
            return database.execute(
                "DELETE FROM tokens WHERE issuer = ? AND seq <= ?", (number, last)
            ).rowcount

    # --- batches ---

    def standings(self) -> list[Standing]:
        """See :meth:`LedgerStore.standings`."""
        with self._lock, self._explained():
            found = self._database.execute(
                "SELECT name, last, closed, batches, watermark, forgotten FROM issuers ORDER BY name"
            ).fetchall()
        return [Standing(*row) for row in found]

    def close_until(self, issuer: str, watermark: int) -> Standing:
        """See :meth:`LedgerStore.close_until`."""
        with self._transaction("BEGIN IMMEDIATE") as database:
            number = self._issuer(database, issuer)[0]
            database.execute(
                "UPDATE issuers SET watermark = max(watermark, ?) WHERE id = ?", (watermark, number)
            )
            row = database.execute(
                "SELECT name, last, closed, batches, watermark, forgotten FROM issuers WHERE id = ?",
                (number,),
            ).fetchone()
        return Standing(*row)

    def add_batch(self, batch: Batch) -> None:
        """See :meth:`LedgerStore.add_batch`."""
        number = self._number(batch.issuer)
        with self._transaction("BEGIN IMMEDIATE") as database:
            standing = database.execute(
                "SELECT last, watermark FROM issuers WHERE id = ?", (number,)
            ).fetchone()
            check_batch(batch, self._last_batch(database, batch.issuer, number), standing, self.path)
            database.execute(_INSERT_BATCH, (number, *_cells(batch), None))
            database.execute(
                "UPDATE issuers SET closed = ?, batches = ? WHERE id = ?",
                (batch.last, batch.number + 1, number),
            )

    def logged(self, batch: Batch, entry: int) -> None:
        """See :meth:`LedgerStore.logged`."""
        number = self._number(batch.issuer)
        with self._transaction("BEGIN IMMEDIATE") as database:
            database.execute(
                "UPDATE batches SET entry = ? WHERE issuer = ? AND number = ?", (entry, number, batch.number)
            )

    def batches(self, issuer: str, start: int = 0) -> Iterator[Batch]:
        """See :meth:`LedgerStore.batches`."""
        number = self._number(issuer)
        while True:
            with self._lock, self._explained():
                page = self._database.execute(
                    "SELECT number, first, last, watermark, root, previous, entry FROM batches"
                    " WHERE issuer = ? AND number >= ? ORDER BY number LIMIT ?",
                    (number, start, _PAGE),
                ).fetchall()
            if not page:
                return
            for row in page:
                yield Batch(issuer, *row)
            start = page[-1][0] + 1

    @staticmethod
    def _last_batch(database: sqlite3.Connection, issuer: str, number: int) -> Batch | None:
        row = database.execute(
            "SELECT number, first, last, watermark, root, previous, entry FROM batches"
            " WHERE issuer = ? ORDER BY number DESC LIMIT 1",
            (number,),
        ).fetchone()
        return None if row is None else Batch(issuer, *row)

    def adopt(self, batches: Iterable[Batch]) -> None:
        """See :meth:`LedgerStore.adopt`."""
        with self._transaction("BEGIN IMMEDIATE") as database:
            for batch in batches:
                number = self._issuer(database, batch.issuer)[0]
                if not follows(batch, self._last_batch(database, batch.issuer, number)):
                    raise LedgerError(f"batch {batch.number} does not follow the last one", path=self.path)
                database.execute(_INSERT_BATCH, (number, *_cells(batch), batch.entry))
                database.execute(
                    "UPDATE issuers SET last = max(last, ?1), closed = ?1, batches = ?2,"
                    " watermark = max(watermark, ?3) WHERE id = ?4",
                    (batch.last, batch.number + 1, batch.watermark, number),
                )

    def add_gap(self, gap: Gap) -> None:
        """See :meth:`LedgerStore.add_gap`."""
        with self._transaction("BEGIN IMMEDIATE") as database:
            number = self._issuer(database, gap.issuer)[0]
            database.execute(
                "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
                (number, gap.start, gap.end, gap.first, gap.last, gap.reason),
            )

    def gaps(self, issuer: str) -> list[Gap]:
        """See :meth:`LedgerStore.gaps`."""
        with self._lock, self._explained():
            found = self._database.execute(
                'SELECT start, "end", gaps.first, gaps.last, reason FROM gaps JOIN issuers ON id = issuer'
                " WHERE name = ? ORDER BY gaps.rowid",
                (issuer,),
            ).fetchall()
        return [Gap(issuer, *row) for row in found]

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """See :meth:`LedgerStore.sealing`."""
        try:
            handle = os.open(f"{self.path}.sealing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(error.strerror or "cannot be locked", path=f"{self.path}.sealing") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SealingBusyError("another process closes batches", path=self.path) from error
            yield
        finally:
            os.close(handle)

    def close(self) -> None:
        """See :meth:`LedgerStore.close`."""
        with self._lock, self._explained():
            self._database.close()

    # --- within ---

    def _number(self, issuer: str) -> int:
        number = self._ids.get(issuer)
        if number is None:
            with self._lock, self._explained():
                row = self._database.execute("SELECT id FROM issuers WHERE name = ?", (issuer,)).fetchone()
            if row is None:
                raise LedgerError(
                    f"no token of the issuer {issuer[:200]!r} was ever recorded", path=self.path
                )
            number = self._ids[issuer] = int(row[0])
        return number

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained(), transaction(self._database, begin) as database:
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(f"{error}", path=self.path) from error


@cache
def _insert_of(rows: int) -> str:
    row = f"({', '.join('?' * _CELLS)})"
    return f"INSERT INTO tokens VALUES {', '.join([row] * rows)}"  # noqa: S608 - nothing of it is from outside


def _insert(database: sqlite3.Connection, values: Sequence[tuple[object, ...]]) -> None:
    """Many rows in few statements, for each of them lets go of Python's lock, and waits to have it again."""
    at = 0
    for size in _TOGETHER:
        while len(values) - at >= size:
            database.execute(_insert_of(size), list(chain.from_iterable(values[at : at + size])))
            at += size


def _cells(batch: Batch) -> tuple[object, ...]:
    return batch.number, batch.first, batch.last, batch.watermark, batch.root, batch.previous
