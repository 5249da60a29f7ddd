"""The layout of a registry in PostgreSQL: found, made, brought up to date, and looked over.

>>> NEWEST in KNOWN
True

Nothing changes a layout by the way: several front ends of different versions may have the database open, and
the older ones stop when it becomes newer. Opening with ``create`` makes a registry that is not there;
:func:`immure.registry.opening.migrate_store` also brings an older one up to date.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from immure.registry.errors import RegistryError
from immure.registry.sql_expected import LAYOUT
from immure.registry.sql_tables import SCHEMA

#: Numbers of the layouts, oldest first.
KNOWN: Final = ("0001",)
NEWEST: Final = KNOWN[-1]
_HERE: Final = Path(__file__).with_name("sql_migrations")
#: Names the advisory lock under which a layout is changed: "IMKY", and the table of layouts.
_LOCK: Final = 0x494D4B59_00000001
#: Alembic keeps what it is doing in global variables.
_alembic = threading.Lock()

_PLACES: Final = text(
    """SELECT pg_catalog.current_setting('server_encoding'),
    (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema),
    (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = 'layout' AND c.relkind = 'r')"""
)
_HAS_SCHEMA: Final = text("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = :schema")
_TURN: Final = text(f"SELECT revision FROM {SCHEMA}.registry FOR UPDATE")  # noqa: S608 - our own name
_VERSION: Final = text(f"SELECT version_num FROM {SCHEMA}.layout LIMIT 2")  # noqa: S608 - our own name

#: Everything in our schema that decides what a write does and what a read sees, one line for each.
_FOUND: Final = text(
    """WITH ours AS (SELECT c.* FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
        ON n.oid = c.relnamespace WHERE n.nspname = :schema)
    SELECT pg_catalog.concat_ws(' ', 'relation', relname, relkind, relpersistence,
            CASE WHEN relrowsecurity THEN 'with row security' END,
            CASE WHEN relhasrules THEN 'with rules' END,
            CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits
                WHERE inhrelid = ours.oid OR inhparent = ours.oid) THEN 'with relatives' END)
        FROM ours
    UNION ALL SELECT pg_catalog.concat_ws(' ', 'column', relname, attname,
            pg_catalog.format_type(atttypid, atttypmod), collname,
            CASE WHEN attnotnull THEN 'not null' END, CASE WHEN atthasdef THEN 'with default' END)
        FROM ours JOIN pg_catalog.pg_attribute a ON a.attrelid = ours.oid
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
        WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT pg_catalog.concat_ws(' ', 'constraint', relname, pg_catalog.pg_get_constraintdef(k.oid))
        FROM ours JOIN pg_catalog.pg_constraint k ON k.conrelid = ours.oid WHERE contype <> 'n'
    UNION ALL SELECT pg_catalog.concat_ws(' ', 'trigger', tgenabled, pg_catalog.pg_get_triggerdef(t.oid))
        FROM ours JOIN pg_catalog.pg_trigger t ON t.tgrelid = ours.oid WHERE NOT tgisinternal
    UNION ALL SELECT pg_catalog.concat_ws(' ', 'internal trigger', relname, 'disabled')
        FROM ours JOIN pg_catalog.pg_trigger t ON t.tgrelid = ours.oid WHERE tgisinternal AND tgenabled <> 'O'
    UNION ALL SELECT pg_catalog.concat_ws(' ', 'function', proname, prokind, lanname,
            CASE WHEN prosecdef THEN 'as its owner' END, proconfig,
            pg_catalog.btrim(pg_catalog.regexp_replace(prosrc, '\\s+', ' ', 'g')))
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE n.nspname = :schema
    LIMIT 1000"""
)


def found_version(connection: Connection, path: str) -> str | None:
    """The number of the layout that is there; None if there is no registry.

    Raises:
        RegistryError: what is there is no registry, or the database cannot hold one.
    """
    encoding, relations, tables = connection.execute(_PLACES, {"schema": SCHEMA}).one()
    if encoding != "UTF8":
        raise RegistryError(f"the database has the encoding {encoding}, and not UTF8", path=path)
    if relations == 0:
        return None
    versions = connection.execute(_VERSION).scalars().all() if tables else []
    if len(versions) != 1:
        raise RegistryError(f"has a schema {SCHEMA} that is not a registry's", path=path)
    return str(versions[0])


def check_version(version: str | None, path: str, known: Sequence[str] = KNOWN) -> None:
    """See that a registry is there and has the newest of the layouts that we know; raises RegistryError."""
    if version is None:
        raise RegistryError(f"does not exist: the database has no registry (schema {SCHEMA})", path=path)
    if version not in known:
        words = f"has layout {version[:40]!r}; this version of Immure knows up to {known[-1]}"
        raise RegistryError(words, path=path)
    if version != known[-1]:
        words = f"has layout {version}, and this version of Immure needs {known[-1]}: `immure keys migrate`"
        raise RegistryError(words, path=path)


def check_layout(connection: Connection, path: str, expected: frozenset[str] = LAYOUT) -> None:
    """See that tables, constraints and triggers are those of the newest layout: one that is disabled, or one
    from elsewhere, would undo what we promise. Raises RegistryError."""
    found = set(connection.execute(_FOUND, {"schema": SCHEMA}).scalars())
    if found != expected:
        extra = found - expected
        odd = f"has {min(extra)[:200]!r}" if extra else f"lacks {min(expected - found)[:200]!r}"
        raise RegistryError(f"its tables or triggers are not those of a registry: {odd}", path=path)


def take_turn(connection: Connection) -> None:
    """Wait until nobody else writes, and keep them out until the transaction ends. Who writes with another
    tool has this lock, too: the triggers that count the revision up take it."""
    connection.execute(_TURN)


def make(
    connection: Connection,
    path: str,
    *,
    upgrade: bool,
    known: Sequence[str] = KNOWN,
    places: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Make a registry that is not there; with ``upgrade`` also bring an older one up to date. In the
    transaction of the connection, while nobody else does the same.

    Args:
        known: the layouts, oldest first.
        places: directories with more migrations; for tests.

    Raises:
        RegistryError: what is there is no registry, or a newer one, or an older one without ``upgrade``.
    """
    connection.execute(text("SELECT pg_catalog.pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = found_version(connection, path)
    if version is None or (upgrade and version in known):
        if version is not None:
            take_turn(connection)
        _run_migrations(connection, known[-1], places)
        version = found_version(connection, path)
    check_version(version, path, known)


def _run_migrations(connection: Connection, to: str, places: Sequence[str | os.PathLike[str]]) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    options = {"script_location": str(_HERE)}
    if places:
        options["version_locations"] = os.pathsep.join(map(str, (_HERE / "versions", *places)))
        options["path_separator"] = options["version_path_separator"] = "os"
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes["connection"] = connection
    if not connection.scalar(_HAS_SCHEMA, {"schema": SCHEMA}):  # IF NOT EXISTS asks for the right in any case
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    with _alembic:
        command.upgrade(config, to)
