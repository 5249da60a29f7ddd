"""What every database of SQLite here needs: a new file that others cannot read, and transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


def new_database(path: str) -> None:
    """Make an empty file, unless there is one, that nobody reads but its owner and, by the umask, his group:
    who signed in, and where, may stand in it. SQLite gives the files beside it the same permissions.

    Raises:
        OSError: it cannot be made.
    """
    if not os.path.exists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660))


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
