"""Transactions of SQLite, and files that others cannot read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.sqlite import new_database, transaction


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    made.execute("CREATE TABLE t (n INTEGER UNIQUE ON CONFLICT ROLLBACK)")
    yield made
    made.close()


def rows(database: sqlite3.Connection) -> list[int]:
    return [n for (n,) in database.execute("SELECT n FROM t ORDER BY n")]


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_all_of_it(database: sqlite3.Connection, begin: str) -> None:
    with transaction(database, begin) as same:
        assert same is database
        assert database.in_transaction
        database.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    assert not database.in_transaction
    assert rows(database) == [1, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_or_nothing(database: sqlite3.Connection, error: type[BaseException]) -> None:
    def work() -> None:
        with transaction(database):
            database.execute("INSERT INTO t VALUES (1)")
            raise error

    with pytest.raises(error):
        work()
    assert not database.in_transaction
    assert rows(database) == []


def test_what_sqlite_itself_has_broken_off(database: sqlite3.Connection) -> None:
    """The conflict rolls back; a second rollback would be an error that hides the first."""

    def work() -> None:
        with transaction(database):
            database.executemany("INSERT INTO t VALUES (?)", [(1,), (1,)])

    with pytest.raises(sqlite3.IntegrityError):
        work()
    assert rows(database) == []


def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    before = os.umask(0o022)
    try:
        new_database(str(path))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_bytes(b"kept")
    new_database(str(path))
    assert path.read_bytes() == b"kept"
