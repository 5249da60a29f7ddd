"""What every database of SQLite here needs: a file that others cannot read, a layout, and transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


class ForeignDatabaseError(Exception):
    """It is a database, but another program's, or of a layout that is not known.

    Attributes:
        layout: its number, if it is ours; else None.
    """

    def __init__(self, layout: int | None) -> None:
        super().__init__("another program's" if layout is None else f"layout {layout}")
        self.layout = layout


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of one kind of database.

    Attributes:
        application: its ``application_id``; 0 is nobody's.
        number: of the layout, its ``user_version``.
        create: statements that make it, the two pragmas among them.
        upgrades: by an older number, statements that lead from it to this one.
    """

    application: int
    number: int
    create: Sequence[str]
    upgrades: Mapping[int, Sequence[str]] = field(default_factory=dict)


def new_database(path: str) -> None:
    """Make an empty file, unless there is one, that nobody reads but its owner and, by the umask, his group:
    who signed in, and where, may stand in it. SQLite gives the files beside it the same permissions.

    Raises:
        OSError: it cannot be made.
    """
    if not os.path.exists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660))


def open_database(
    path: str,
    layout: Layout,
    *,
    patience: float,
    create: bool = True,
    synchronous: str = "FULL",
    pragmas: Sequence[str] = (),
    most_bytes: int | None = None,
) -> sqlite3.Connection:
    """A database of our own, made if it is not there: WAL, no implicit transactions, for any thread.

    Args:
        path: of the file; ``:memory:`` for trials.
        layout: that it must have, or is given if it is empty.
        patience: seconds to wait for other processes.
        create: whether it may be made.
        synchronous: how surely a transaction is on the disk.
        pragmas: to set before anything is read.
        most_bytes: of a value in it.

    Raises:
        OSError, ValueError: the file cannot be made.
        sqlite3.Error: it is no database, or cannot be used.
        ForeignDatabaseError: it has another layout.
    """
    if create and path != ":memory:":
        new_database(path)
    database = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        if most_bytes is not None:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most_bytes)
        for pragma in ("trusted_schema=OFF", *pragmas):
            database.execute(f"PRAGMA {pragma}")
        with transaction(database):
            _prepare(database, layout, create=create)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA synchronous={synchronous}")
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, layout: Layout, *, create: bool) -> None:
    (owner,) = database.execute("PRAGMA application_id").fetchone()
    (number,) = database.execute("PRAGMA user_version").fetchone()
    (objects,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (owner, number, objects) == (0, 0, 0) and create:
        statements = layout.create
    elif owner != layout.application:
        raise ForeignDatabaseError(None)
    elif number == layout.number:
        return
    elif number in layout.upgrades:
        statements = layout.upgrades[number]
    else:
        raise ForeignDatabaseError(number)
    for statement in statements:
        database.execute(statement)


@contextmanager
def transaction(database: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """A transaction: committed at the end of the block, and rolled back if anything is raised in it.

    Args:
        database: opened with ``isolation_level=None``.
        begin: the statement that begins it.

    Raises:
        sqlite3.Error: the database cannot do it.
    """
    database.execute(begin)
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite itself may have broken it off
            database.execute("ROLLBACK")
        raise
