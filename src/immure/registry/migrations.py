"""The layout of the SQLite registry, and how older layouts become the newest.

>>> database = sqlite3.connect(":memory:", isolation_level=None)
>>> bring_up_to_date(database, "example")
>>> database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
True
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from immure.registry.errors import RegistryError

#: Says whose database this is (``PRAGMA application_id``).
APPLICATION_ID: Final = 0x494D4B59  # "IMKY"

_FIRST: Final = (
    """CREATE TABLE keys (
        thumbprint TEXT PRIMARY KEY NOT NULL,
        kid TEXT NOT NULL,
        issuer TEXT NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (issuer, kid)
    ) STRICT""",
    """CREATE TABLE history (
        thumbprint TEXT NOT NULL REFERENCES keys (thumbprint),
        number INTEGER NOT NULL,
        change TEXT NOT NULL,
        PRIMARY KEY (thumbprint, number)
    ) STRICT""",
    "CREATE TABLE registry (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL) STRICT",
    "INSERT INTO registry (only, revision) VALUES (1, 0)",
    """CREATE TRIGGER history_stays BEFORE UPDATE ON history
    BEGIN SELECT RAISE(ABORT, 'a history is never rewritten'); END""",
    """CREATE TRIGGER history_is_kept BEFORE DELETE ON history
    BEGIN SELECT RAISE(ABORT, 'a history is never shortened'); END""",
    """CREATE TRIGGER keys_are_kept BEFORE DELETE ON keys
    BEGIN SELECT RAISE(ABORT, 'a key is destroyed by its state, its record stays'); END""",
)

#: What leads from each layout to the next, from the empty database on. Never changed once released.
MIGRATIONS: Final[tuple[Sequence[str], ...]] = (_FIRST,)


#: Seconds to wait for others.
_PATIENCE: Final = 10.0


def bring_up_to_date(
    database: sqlite3.Connection, path: str, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring the database to the newest layout, in one transaction; nothing happens if it has it.

    Raises:
        RegistryError: it is somebody else's, or of a newer version of Immure.
        sqlite3.Error: it is no database, or cannot be written.
    """
    database.execute("BEGIN")  # so that all that is read is of one moment: another process may be making it
    try:
        version = _version(database, path, len(migrations))
    finally:
        database.execute("ROLLBACK")
    if version == len(migrations):
        return
    _keep_a_journal(database)
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database, path, len(migrations))  # another process may have been quicker
        for migration in migrations[version:]:
            for statement in migration:
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {len(migrations)}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _keep_a_journal(database: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. SQLite does not wait for others who do the same at this moment."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def check_layout(
    database: sqlite3.Connection, path: str, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """See that tables and triggers are those of the newest layout, letter by letter: a database from
    elsewhere may hold a trigger that undoes what we write.

    Raises:
        RegistryError: they are not.
    """
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        bring_up_to_date(fresh, path, migrations)
        expected = _layout(fresh)
    finally:
        fresh.close()
    if _layout(database) != expected:
        raise RegistryError("its tables or triggers are not those of a registry", path=path)


def _version(database: sqlite3.Connection, path: str, newest: int) -> int:
    (owner,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (objects,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner, version, objects) != (0, 0, 0):
        raise RegistryError("is a database, but not a registry of keys", path=path)
    if not 0 <= version <= newest:
        raise RegistryError(f"has layout {version}; this version of Immure knows up to {newest}", path=path)
    return int(version)


def _layout(database: sqlite3.Connection) -> list[tuple[str, ...]]:
    rows = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    return [tuple("" if cell is None else str(cell) for cell in row) for row in rows.fetchmany(1000)]
