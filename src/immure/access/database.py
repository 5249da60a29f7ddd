"""The file of the database: made, and opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from immure.access.errors import AccessError
from immure.access.rows import APPLICATION_ID, CREATE, LAYOUT, MOST_BYTES
from immure.sqlite import new_database, transaction

#: Seconds to wait for another writer.
PATIENCE: Final = 10.0


def make(path: Path) -> None:
    """Make a database in which nothing stands, and the directory that it is in.

    Raises:
        AccessError: there is one, or it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new_database(str(path))
    except OSError as error:
        raise AccessError(error.strerror or "cannot be made", path=str(path)) from error
    database = _connected(path)
    try:
        if database.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            raise AccessError("there is a door already", path=str(path))
        with transaction(database):
            for statement in CREATE:
                database.execute(statement)
    finally:
        database.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open the database of a door.

    Raises:
        AccessError: there is none, or it is another one.
        sqlite3.Error: it cannot be read.
    """
    if not path.exists():
        raise AccessError("does not exist: this is no directory of a door", path=str(path))
    database = _connected(path)
    try:
        found = [database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
    except sqlite3.Error:
        database.close()
        raise
    if found != [(APPLICATION_ID,), (LAYOUT,)]:
        database.close()
        raise AccessError("is not the database of a door, or of another version", path=str(path))
    return database


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(str(path), timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "synchronous=FULL"):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        database.close()
        raise
    return database
