"""Records in SQLite: one table, each record a row of canonical JSON.

The database holds nothing that the log does not: it is where the room looks things up. So two databases that
were made from one log are the same, row by row, and :func:`digest` tells whether they are.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, cast

from immure.access.errors import AccessError
from immure.access.records import Fact, R, Record, from_plain, to_plain
from immure.auditlog.canonical import canonical

LAYOUT: Final = 1
APPLICATION_ID: Final = 0x494D6163  # "IMac"
MOST_BYTES: Final = 1 << 21
CREATE: Final = (
    "CREATE TABLE records (kind TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, about TEXT NOT NULL,"
    " body TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID",
    "CREATE INDEX records_about ON records (kind, about, state)",
    "CREATE TABLE used (challenge TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE ceremonies (challenge TEXT PRIMARY KEY, document TEXT NOT NULL, credentials TEXT NOT NULL,"
    " expires INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID",
    "CREATE TABLE standing (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)
_PUT: Final = "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state, \
about = excluded.about, body = excluded.body"


class Rows:
    """Records in a database; the caller has begun a transaction if need be."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def get(self, kind: type[R], identity: str) -> R | None:
        """The record of that id, if there is one."""
        query = "SELECT body FROM records WHERE kind = ? AND id = ?"
        row = self.database.execute(query, (kind.KIND, identity)).fetchone()
        return None if row is None else _record(kind, row[0])

    def find(self, kind: type[R], *, about: str | None = None, state: str | None = None) -> Iterator[R]:
        """Records of a kind, in the order of their ids."""
        query, values = "SELECT body FROM records WHERE kind = ?", [kind.KIND]
        for name, value in (("about", about), ("state", state)):
            if value is not None:
                query += f" AND {name} = ?"
                values.append(value)
        for (body,) in self.database.execute(query + " ORDER BY id", values).fetchall():
            yield _record(kind, body)

    def put(self, record: Record) -> None:
        """Add a record, or put it in the place of the one with its id."""
        body = canonical(to_plain(record)).decode()
        self.database.execute(_PUT, (record.KIND, record.id, record.state, record.about, body))

    def use(self, challenge: str) -> bool:
        """Note that a challenge was used; False if it was already."""
        query = "INSERT OR IGNORE INTO used VALUES (?)"
        return self.database.execute(query, (challenge,)).rowcount == 1

    def digest(self) -> str:
        """SHA-256 over all records and challenges that were used, in hex."""
        total = hashlib.sha256()
        for query in ("SELECT * FROM records ORDER BY kind, id", "SELECT * FROM used ORDER BY challenge"):
            for row in self.database.execute(query):
                total.update(canonical(list(row)) + b"\n")
        return total.hexdigest()


def _record(kind: type[R], body: object) -> R:
    return cast(R, _fact(body)) if kind is Fact and isinstance(body, str) else _read(kind, body)


@lru_cache(maxsize=16)
def _fact(body: str) -> Fact:
    """Facts are long (a policy, the metadata of all models), asked for at every turn, and seldom others."""
    return _read(Fact, body)


def _read(kind: type[R], body: object) -> R:
    try:
        members = json.loads(body if isinstance(body, str) else "")
    except (ValueError, RecursionError) as error:
        raise AccessError(f"a {kind.KIND} that is no JSON") from error
    if not isinstance(members, dict):
        raise AccessError(f"a {kind.KIND} that is no object")
    return from_plain(kind, members)
