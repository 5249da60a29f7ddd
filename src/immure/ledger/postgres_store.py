"""A ledger in PostgreSQL: for several front ends that issue tokens of the same issuers at once.

>>> store = PostgresLedger("postgresql://ledger@db.example/immure")   # doctest: +SKIP

The row of an issuer is locked while its tokens are written, so that its sequence has no gaps, whichever
front end writes and whenever one dies. A commit is on the disk of the server (``synchronous_commit = on``)
when it returns. When the connection is lost, the rows under way are reported as not recorded, and the next
ones find a new connection. The password is best left out of the URL, in ``PGPASSFILE``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from immure.ledger.batch import Batch
from immure.ledger.errors import LedgerError, SealingBusyError, TooManyError, WatermarkError
from immure.ledger.gap import Gap
from immure.ledger.postgres_layout import APPEND, CREATE, LAYOUT
from immure.ledger.row import Issued, row_from
from immure.ledger.store import MOST_ISSUERS, LedgerStore, Standing, check_batch, follows

if TYPE_CHECKING:
    import psycopg

_PAGE: Final = 4096
#: Names our locks among those of others (pg_advisory_lock): who makes the tables, who closes batches.
_MAKING, _SEALING = 0x494D4C47_0001, 0x494D4C47_0002
_OPTIONS: Final = {
    "synchronous_commit": "on",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read\\ committed",  # a lock shows what others wrote before it
}
_COLUMNS: Final = "digest, kid, sub, aud, tenant, client, iat, exp, session"
_STANDING: Final = "name, last, closed, batches, watermark, forgotten"
_INSERT_BATCH: Final = "INSERT INTO immure_ledger_batches VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
_BATCH: Final = "number, first, last, watermark, root, previous, entry"


class PostgresLedger(LedgerStore):
    """Rows and batches in the tables ``immure_ledger_*`` of a database.

    Args:
        url: ``postgresql://…`` as libpq has it.
        create: make the tables if they are not there.

    Raises:
        LedgerError: there is no such database, no ledger in it, or psycopg is not installed.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.path = _shown(url)
        self._url = url
        self._lock = threading.RLock()
        self._sealing = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._ids: dict[str, int] = {}
        try:
            import psycopg
        except ImportError as error:
            raise LedgerError("needs psycopg: pip install 'immure[postgresql]'", path=self.path) from error
        self._psycopg = psycopg
        self._prepare(create)

    def _prepare(self, create: bool) -> None:
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            cursor.execute("SELECT to_regclass('immure_ledger_layout')")
            if _there(cursor.fetchone())[0] is None:
                if not create:
                    raise LedgerError("has no ledger in it", path=self.path)
                cursor.execute(CREATE)
            cursor.execute("SELECT version, current_setting('server_encoding') FROM immure_ledger_layout")
            version, encoding = _there(cursor.fetchone())
        if encoding != "UTF8":  # a row that it cannot hold would keep all others from being written
            raise LedgerError(f"has the encoding {encoding}, and a ledger needs UTF8", path=self.path)
        if version != LAYOUT:
            raise LedgerError(f"has layout {version}; this version of Immure knows {LAYOUT}", path=self.path)

    # --- rows ---

    def append(self, rows: Sequence[Issued]) -> list[int | LedgerError]:
        """See :meth:`LedgerStore.append`. Rows of one issuer, as most are, go in one statement: with each way
        to the server and back its row would stay locked for longer."""
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(row.issuer, []).append(place)
        outcomes: list[int | LedgerError] = [LedgerError("was not written", path=self.path)] * len(rows)
        numbers = {name: self._known(name) for name in places}
        writing = self._transaction() if len(places) > 1 else self._statement()
        with writing as cursor:
            # always in the same order, so that two front ends never wait for one another
            for name in sorted(places):
                number = numbers[name]
                mine = [rows[place] for place in places[name]]
                if isinstance(number, LedgerError):
                    found: list[int | LedgerError] = [number] * len(mine)
                else:
                    found = self._write(cursor, number, mine)
                for place, outcome in zip(places[name], found, strict=True):
                    outcomes[place] = outcome
        return outcomes

    def _write(
        self, cursor: psycopg.Cursor[Any], number: int, rows: Sequence[Issued]
    ) -> list[int | LedgerError]:
        _, *columns = zip(*(row.cells() for row in rows), strict=True)
        digests = "{" + ",".join([rf'"\\x{row.digest.hex()}"' for row in rows]) + "}"
        answer = cursor.execute(APPEND.encode(), (number, digests, *map(_array, columns))).fetchall()
        watermark = _there(answer[0] if answer else None)[2]
        written = {place: sequence for place, sequence, _ in answer if place is not None}
        return [
            written[place] if place in written else WatermarkError(watermark - row.issued_at, path=self.path)
            for place, row in enumerate(rows, 1)
        ]

    def _known(self, name: str) -> int | LedgerError:
        """The number of an issuer, which is given one if it has none; or why it gets none."""
        if name not in self._ids:
            try:
                with self._transaction() as cursor:
                    made = self._issuer(cursor, name)[0]
            except LedgerError as error:
                if not isinstance(error, TooManyError):
                    raise
                return error  # no harm to the others
            self._ids[name] = made
        return self._ids[name]

    def _issuer(self, cursor: psycopg.Cursor[Any], name: str) -> list[int]:
        """Number, last row and watermark of an issuer, whose row is locked until the transaction ends."""
        query = "SELECT id, last, watermark FROM immure_ledger_issuers WHERE name = %s FOR UPDATE"
        found = cursor.execute(query, (name,)).fetchone()
        if found is None:
            (count,) = _there(cursor.execute("SELECT count(*) FROM immure_ledger_issuers").fetchone())
            if count >= MOST_ISSUERS:
                raise TooManyError(f"has {MOST_ISSUERS} issuers, and takes no more", path=self.path)
            cursor.execute(
                "INSERT INTO immure_ledger_issuers (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,)
            )
            found = cursor.execute(query, (name,)).fetchone()
        return list(_there(found))

    def rows(self, issuer: str, first: int, last: int) -> Iterator[tuple[int, Issued]]:
        """See :meth:`LedgerStore.rows`."""
        number = self._number(issuer)
        query = (
            f"SELECT seq, {_COLUMNS} FROM immure_ledger_tokens WHERE issuer = %s AND seq BETWEEN %s AND %s"  # noqa: S608
            f" ORDER BY seq LIMIT {_PAGE}"
        )
        while first <= last:
            page = self._all(query, (number, first, last))
            if not page:
                return
            for sequence, *cells in page:
                yield sequence, row_from(issuer, cells, self.path)
            first = page[-1][0] + 1

    def matching(self, issuer: str, first: int, last: int, digest: bytes) -> list[tuple[int, Issued]]:
        """See :meth:`LedgerStore.matching`."""
        found = self._all(
            f"SELECT seq, {_COLUMNS} FROM immure_ledger_tokens"  # noqa: S608
            " WHERE issuer = %s AND seq BETWEEN %s AND %s AND digest = %s LIMIT 100",
            (self._number(issuer), first, last, digest),
        )
        return [(sequence, row_from(issuer, cells, self.path)) for sequence, *cells in found]

    def longest_life(self, issuer: str) -> int:
        """See :meth:`LedgerStore.longest_life`."""
        number = self._number(issuer)
        with self._transaction() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT max(exp - iat) FROM immure_ledger_tokens WHERE issuer = %s", (number,))
            (found,) = _there(cursor.fetchone())
        return max(0, found or 0)

    def prune(self, issuer: str, last: int) -> int:
        """See :meth:`LedgerStore.prune`."""
        number = self._number(issuer)
        with self._transaction() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(
                "UPDATE immure_ledger_issuers SET forgotten = greatest(forgotten, (SELECT"
                " coalesce(max(iat), -1) + 1 FROM immure_ledger_tokens WHERE issuer = %s AND seq <= %s))"
                " WHERE id = %s",
                (number, last, number),
            )
            cursor.execute("DELETE FROM immure_ledger_tokens WHERE issuer = %s AND seq <= %s", (number, last))
            return cursor.rowcount

    # --- batches ---

    def standings(self) -> list[Standing]:
        """See :meth:`LedgerStore.standings`."""
        query = f"SELECT {_STANDING} FROM immure_ledger_issuers"  # noqa: S608
        return sorted((Standing(*row) for row in self._all(query, ())), key=lambda one: one.issuer)

    def close_until(self, issuer: str, watermark: int) -> Standing:
        """See :meth:`LedgerStore.close_until`."""
        with self._transaction() as cursor:
            number = self._issuer(cursor, issuer)[0]
            row = cursor.execute(
                "UPDATE immure_ledger_issuers SET watermark = greatest(watermark, %s) WHERE id = %s"  # noqa: S608
                f" RETURNING {_STANDING}",
                (watermark, number),
            ).fetchone()
        return Standing(*_there(row))

    def add_batch(self, batch: Batch) -> None:
        """See :meth:`LedgerStore.add_batch`."""
        with self._transaction() as cursor:
            number, *standing = self._issuer(cursor, batch.issuer)
            check_batch(batch, self._last(cursor, batch.issuer, number), standing, self.path)
            cursor.execute(_INSERT_BATCH, (number, *_cells(batch), None))
            cursor.execute(
                "UPDATE immure_ledger_issuers SET closed = %s, batches = %s WHERE id = %s",
                (batch.last, batch.number + 1, number),
            )

    def adopt(self, batches: Iterable[Batch]) -> None:
        """See :meth:`LedgerStore.adopt`."""
        with self._transaction() as cursor:
            for batch in batches:
                number = self._issuer(cursor, batch.issuer)[0]
                if not follows(batch, self._last(cursor, batch.issuer, number)):
                    raise LedgerError(f"batch {batch.number} does not follow the last one", path=self.path)
                cursor.execute(_INSERT_BATCH, (number, *_cells(batch), batch.entry))
                cursor.execute(
                    "UPDATE immure_ledger_issuers SET last = greatest(last, %s), closed = %s, batches = %s,"
                    " watermark = greatest(watermark, %s) WHERE id = %s",
                    (batch.last, batch.last, batch.number + 1, batch.watermark, number),
                )

    def add_gap(self, gap: Gap) -> None:
        """See :meth:`LedgerStore.add_gap`."""
        with self._transaction() as cursor:
            number = self._issuer(cursor, gap.issuer)[0]
            cursor.execute(
                "INSERT INTO immure_ledger_gaps (issuer, start, until, first, last, reason)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (number, gap.start, gap.end, gap.first, gap.last, gap.reason),
            )

    def gaps(self, issuer: str) -> list[Gap]:
        """See :meth:`LedgerStore.gaps`."""
        query = (
            "SELECT start, until, gaps.first, gaps.last, reason FROM immure_ledger_gaps gaps"
            " JOIN immure_ledger_issuers issuers ON issuers.id = issuer WHERE name = %s ORDER BY gaps.id"
        )
        return [Gap(issuer, *row) for row in self._all(query, (issuer,))]

    @staticmethod
    def _last(cursor: psycopg.Cursor[Any], issuer: str, number: int) -> Batch | None:
        row = cursor.execute(
            f"SELECT {_BATCH} FROM immure_ledger_batches WHERE issuer = %s ORDER BY number DESC LIMIT 1",  # noqa: S608
            (number,),
        ).fetchone()
        return None if row is None else _batch(issuer, row)

    def logged(self, batch: Batch, entry: int) -> None:
        """See :meth:`LedgerStore.logged`."""
        number = self._number(batch.issuer)
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE immure_ledger_batches SET entry = %s WHERE issuer = %s AND number = %s",
                (entry, number, batch.number),
            )

    def batches(self, issuer: str, start: int = 0) -> Iterator[Batch]:
        """See :meth:`LedgerStore.batches`."""
        number = self._number(issuer)
        query = (
            f"SELECT {_BATCH} FROM immure_ledger_batches WHERE issuer = %s AND number >= %s"  # noqa: S608
            f" ORDER BY number LIMIT {_PAGE}"
        )
        while page := self._all(query, (number, start)):
            for row in page:
                yield _batch(issuer, row)
            start = page[-1][0] + 1

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """See :meth:`LedgerStore.sealing`. The lock is the connection's: who dies lets go of it."""
        if not self._sealing.acquire(blocking=False):  # to one connection the server would give it twice
            raise SealingBusyError("another thread closes batches", path=self.path)
        try:
            (got,) = _there(self._one("SELECT pg_try_advisory_lock(%s)", (_SEALING,)))
            if not got:
                raise SealingBusyError("another process closes batches", path=self.path)
            try:
                yield
            finally:
                with suppress(LedgerError):  # the lock went with the connection
                    self._one("SELECT pg_advisory_unlock(%s)", (_SEALING,))
        finally:
            self._sealing.release()

    def close(self) -> None:
        """See :meth:`LedgerStore.close`."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    # --- within ---

    def _number(self, issuer: str) -> int:
        number = self._ids.get(issuer)
        if number is None:
            row = self._one("SELECT id FROM immure_ledger_issuers WHERE name = %s", (issuer,))
            if row is None:
                raise LedgerError(
                    f"no token of the issuer {issuer[:200]!r} was ever recorded", path=self.path
                )
            number = self._ids[issuer] = int(row[0])
        return number

    def _all(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._transaction() as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def _one(self, query: str, values: Sequence[object]) -> Any:
        with self._transaction() as cursor:
            return cursor.execute(query.encode(), values).fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        with self._statement() as cursor, cursor.connection.transaction():
            yield cursor

    @contextmanager
    def _statement(self) -> Iterator[psycopg.Cursor[Any]]:
        """Each statement is a transaction of its own, unless one is begun."""
        with self._lock:
            try:
                with self._connected().cursor() as cursor:
                    yield cursor
            except self._psycopg.Error as error:
                raise LedgerError(_words(error), path=self.path) from None  # libpq may quote the password

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
            self._connection = self._psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, options=options, application_name="immure"
            )
        return self._connection


def _array(values: Iterable[str | int]) -> str:
    """A column as PostgreSQL reads it ("Array Input and Output Syntax"); psycopg takes five times as long."""
    return "{" + ",".join(map(_element, values)) + "}"


@lru_cache(1024)
def _element(value: str | int) -> str:
    """One value of it; most stand in many rows."""
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _batch(issuer: str, row: Sequence[Any]) -> Batch:
    number, first, last, watermark, root, previous, entry = row
    return Batch(issuer, number, first, last, watermark, bytes(root), bytes(previous), entry)


def _cells(batch: Batch) -> tuple[object, ...]:
    return batch.number, batch.first, batch.last, batch.watermark, batch.root, batch.previous


def _there(row: Any) -> Any:
    if row is None:
        raise LedgerError("the database gave no row where there must be one")
    return row


def _shown(url: str) -> str:
    """The URL without its password and its options.

    >>> _shown("postgresql://ledger:secret@db.example:5433/immure?sslkey=x")
    'postgresql://ledger@db.example:5433/immure'
    """
    try:
        parts = urlsplit(url)
        place = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "postgresql:…"
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{place}{port}{parts.path}"


def _words(error: Exception) -> str:
    """What the server said; not what libpq says of a connection, in which the whole of it may be quoted."""
    diagnostic = getattr(error, "diag", None)
    message = getattr(diagnostic, "message_primary", None)
    state = getattr(error, "sqlstate", None)
    if message:
        return f"the database refused: {str(message)[:200]} ({state})"
    return f"the database cannot be reached ({type(error).__name__})"
