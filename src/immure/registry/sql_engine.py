"""A PostgreSQL server that may be slow, locked, gone or back again: transactions with an end in sight.

>>> database = Database("postgresql://ops@db.example/keys")   # doctest: +SKIP
>>> database.run(lambda connection: connection.scalar(select(registry.c.revision)))   # doctest: +SKIP
7

Settings are made in each transaction and not for the session, so that a pooler between (PgBouncer) changes
nothing. The server ends what takes too long; a server that stands still cannot, so we cut the line ourselves.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from immure.registry.errors import RegistryError
from immure.registry.sql_deadline import Deadline
from immure.registry.sql_url import parse_url

Result = TypeVar("Result")

#: How often a transaction is begun that the server broke off (serialization_failure, deadlock_detected).
TRIES: Final = 5
_AGAIN: Final = frozenset({"40001", "40P01"})
_SETTINGS: Final = text(
    """SELECT pg_catalog.set_config('search_path', 'pg_catalog', true),
    pg_catalog.set_config('statement_timeout', :statement, true),
    pg_catalog.set_config('lock_timeout', :lock, true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', :whole, true),
    CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off'
        THEN pg_catalog.set_config('synchronous_commit', 'on', true) END"""
)


@dataclass(frozen=True)
class Patience:
    """Seconds until something is given up.

    Attributes:
        connect: a connection to one host.
        lock: waiting for another writer.
        statement: one statement.
        whole: a transaction from its beginning, with what is tried again.
    """

    connect: int = 10
    lock: float = 10.0
    statement: float = 30.0
    whole: float = 60.0


PATIENCE: Final = Patience()


class _StaleError(SQLAlchemyError):
    """A connection out of the pool was dead: the server has been restarted since it was used."""


class Database:
    """A database by its URL, for several threads; after a fork the child gets connections of its own.

    Attributes:
        name: the URL for messages, without the password.

    Raises:
        RegistryError: the URL cannot be used.
    """

    def __init__(self, url: str, patience: Patience = PATIENCE) -> None:
        self.name, parsed = parse_url(url)
        self.patience = patience
        self._secrets = {secret for secret in (parsed.password, os.environ.get("PGPASSWORD")) if secret}
        self._active = threading.local()
        self._writing, self._process, self._closed = threading.Lock(), os.getpid(), False
        self._engine = create_engine(
            parsed,
            connect_args=_connection_arguments(patience),
            hide_parameters=True,
            pool_timeout=patience.lock,
            pool_use_lifo=True,
            use_native_hstore=False,
        )
        self._watch(self._engine)

    def run(self, work: Callable[[Connection], Result], *, write: bool = False) -> Result:
        """What ``work`` makes of a connection, in one transaction: read-only and of one moment, or one that
        writes and sees what others have committed. ``work`` may be called again if the server asks for that.

        Raises:
            RegistryError: the server cannot be reached, refuses, or takes too long.
        """
        if self._closed:
            raise RegistryError("is closed", path=self.name)
        self._look_for_fork()
        with self._explained(), self._turn(write), self._deadline() as deadline:
            for _ in range(TRIES - 1):
                try:
                    return self._attempt(work, write)
                except (DBAPIError, _StaleError) as error:
                    if deadline.is_over or not _is_worth_another(error):
                        raise
                time.sleep(random.uniform(0, 0.05))  # noqa: S311 - so that two do not meet again
            return self._attempt(work, write)

    def close(self) -> None:
        """Let go of the connections."""
        self._closed = True
        self._engine.dispose()

    def _attempt(self, work: Callable[[Connection], Result], write: bool) -> Result:
        with self._engine.connect() as connection:
            connection.execution_options(
                isolation_level="READ COMMITTED" if write else "REPEATABLE READ",
                postgresql_readonly=not write,
            )
            self._begin(connection)
            result = work(connection)
            self._commit(connection)
            return result

    def _begin(self, connection: Connection) -> None:
        limits = {
            name: f"{max(1, round(1000 * getattr(self.patience, name)))}ms"
            for name in ("statement", "lock", "whole")
        }
        try:
            connection.execute(_SETTINGS, limits)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _StaleError(_first_line(error.orig)) from error
            raise

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            words = "the connection broke at the very end: the change may have been written, or not"
            raise RegistryError(words, path=self.name) from error

    def _watch(self, engine: Engine) -> None:
        """Tell the deadline of this thread which connections it may have to cut."""

        @event.listens_for(engine, "do_connect")
        def made(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
            connection = dialect.connect(*arguments, **options)
            self._active.deadline.watch(connection.fileno())
            return connection

        @event.listens_for(engine, "checkout")
        def taken(connection: Any, _record: Any, _proxy: Any) -> None:
            if not connection.closed:
                self._active.deadline.watch(connection.fileno())

    @contextmanager
    def _deadline(self) -> Iterator[Deadline]:
        outer = getattr(self._active, "deadline", None)  # of an update, within which somebody reads
        try:
            with Deadline(self.patience.whole, self.name) as deadline:
                self._active.deadline = deadline
                yield deadline
        finally:
            self._active.deadline = outer

    @contextmanager
    def _turn(self, write: bool) -> Iterator[None]:
        """Let one thread of this process write at a time: the others need no connection to wait with."""
        if not write:
            yield
            return
        if not self._writing.acquire(timeout=self.patience.lock):
            words = f"another thread has been writing for {self.patience.lock:g} s"
            raise RegistryError(words, path=self.name)
        try:
            yield
        finally:
            self._writing.release()

    def _look_for_fork(self) -> None:
        if self._process != os.getpid():
            self._engine.dispose(close=False)  # the connections go on being our parent's
            self._writing, self._process = threading.Lock(), os.getpid()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            raise RegistryError(f"PostgreSQL: {self._words(error)}", path=self.name) from error

    def _words(self, error: Exception) -> str:
        words = _first_line(getattr(error, "orig", None) or error)
        for secret in self._secrets:  # no message of libpq has one in it; should that change, ours has not
            words = words.replace(secret, "***")
        return words


def _connection_arguments(patience: Patience) -> dict[str, Any]:
    return {
        "connect_timeout": patience.connect,
        "client_encoding": "utf8",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "prepare_threshold": None,  # a pooler may hand the next transaction to another session
        "application_name": "immure",
    }


def _is_worth_another(error: DBAPIError | _StaleError) -> bool:
    return isinstance(error, _StaleError) or getattr(error.orig, "sqlstate", None) in _AGAIN


def _first_line(error: BaseException | None) -> str:
    """What a server or libpq says, without the values that were at fault."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    line = " ".join((said or str(error)).split())[:300]
    return "".join(sign if sign.isprintable() else "?" for sign in line)
