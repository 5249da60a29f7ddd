"""Transactions of SQLite, and files that others cannot read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.sqlite import ForeignDatabaseError, Layout, new_database, open_database, transaction


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


FIRST = ("CREATE TABLE t (n INTEGER)", "PRAGMA application_id = 77", "PRAGMA user_version = 1")
MORE = ("CREATE TABLE more (n INTEGER)", "PRAGMA user_version = 2")
OURS = Layout(77, 2, FIRST + MORE, {1: MORE})


def tables(path: Path) -> list[str]:
    with sqlite3.connect(path) as database:
        return sorted(name for (name,) in database.execute("SELECT name FROM sqlite_schema"))


def test_a_database_is_made_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for _ in range(2):
        database = open_database(
            str(path), OURS, patience=1.0, pragmas=("cell_size_check=ON",), most_bytes=1000
        )
        modes = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert modes == ["wal", 2]
        with pytest.raises(sqlite3.DataError, match="too big"):
            database.execute("SELECT zeroblob(2000)").fetchone()
        database.close()
    assert tables(path) == ["more", "t"]
    assert path.stat().st_mode & 0o007 == 0


def test_an_older_one_is_brought_up_to_date(tmp_path: Path) -> None:
    open_database(str(tmp_path / "a.db"), Layout(77, 1, FIRST), patience=1.0).close()
    open_database(str(tmp_path / "a.db"), OURS, patience=1.0).close()
    assert tables(tmp_path / "a.db") == ["more", "t"]


@pytest.mark.parametrize(
    ("statements", "layout"),
    [
        (("CREATE TABLE x (n INTEGER)",), None),
        (("PRAGMA application_id = 78", "PRAGMA user_version = 2"), None),
        (("PRAGMA application_id = 77", "PRAGMA user_version = 3"), 3),
    ],
    ids=["nobody's", "another's", "newer"],
)
def test_what_is_not_ours_is_left_as_it_is(
    tmp_path: Path, statements: tuple[str, ...], layout: int | None
) -> None:
    with sqlite3.connect(tmp_path / "a.db") as other:
        for statement in statements:
            other.execute(statement)
    before = tables(tmp_path / "a.db")
    with pytest.raises(ForeignDatabaseError) as caught:
        open_database(str(tmp_path / "a.db"), OURS, patience=1.0)
    assert caught.value.layout == layout
    assert tables(tmp_path / "a.db") == before


def test_an_empty_one_is_not_made_into_ours_unless_it_may_be(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    with pytest.raises(ForeignDatabaseError):
        open_database(str(tmp_path / "a.db"), OURS, patience=1.0, create=False)
