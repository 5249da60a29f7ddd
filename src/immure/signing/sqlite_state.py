"""The state in an SQLite file, for the processes of one machine."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from immure.signing.errors import StateError
from immure.signing.fetches import OTHERS, Fetch
from immure.signing.heartbeat import Beat
from immure.signing.state import (
    MOST_FETCHES,
    OUTLIVES,
    PATIENCE,
    Heir,
    Kept,
    State,
    digest_of,
    newest_first,
)
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction

APPLICATION_ID: Final = 0x494D5353  # "IMSS"
_LAYOUT: Final = 2
_FIRST: Final = (
    "CREATE TABLE once (kind TEXT, digest BLOB, until INTEGER NOT NULL, PRIMARY KEY (kind, digest)) STRICT",
    """CREATE TABLE kept (
        kind TEXT NOT NULL,
        digest BLOB NOT NULL,
        family BLOB NOT NULL,
        plain TEXT NOT NULL,
        until INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, digest)
    ) STRICT""",
    "CREATE INDEX kept_until ON kept (until)",
    "CREATE INDEX once_until ON once (until)",
    """CREATE TABLE families (
        family BLOB PRIMARY KEY,
        revoked INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE revoked (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
#: What layout 2 has more.
_SECOND: Final = (
    "CREATE TABLE leases (work TEXT PRIMARY KEY, who TEXT NOT NULL, until INTEGER NOT NULL) STRICT",
    "CREATE TABLE beats (boot TEXT PRIMARY KEY, uptime REAL NOT NULL, at INTEGER NOT NULL) STRICT",
    """CREATE TABLE fetches (
        issuer TEXT NOT NULL,
        party TEXT NOT NULL,
        kids TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (issuer, party, kids)
    ) STRICT""",
    f"PRAGMA user_version = {_LAYOUT}",
)
#: Seconds for which it is known who read a key set.
FETCHES_KEPT: Final = 90 * 86400


class SqliteState(State):
    """An SQLite file; ``:memory:`` for trials.

    Raises:
        StateError: it cannot be opened, or is something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(os.fspath(path))
        self._lock = threading.RLock()
        layout = Layout(APPLICATION_ID, _LAYOUT, _FIRST + _SECOND, {1: _SECOND})
        try:
            with self._explained():
                self._database = open_database(self.path, layout, patience=PATIENCE)
        except ForeignDatabaseError as error:
            raise StateError("is a database, but not the state of this service", path=self.path) from error
        except (OSError, ValueError) as error:
            raise StateError(getattr(error, "strerror", None) or "is no path", path=self.path) from error

    # --- what clients show ---

    def once(self, kind: str, digest: bytes, *, until: int, now: int) -> bool:
        """See :meth:`State.once`."""
        with self._transaction() as database:
            database.execute("DELETE FROM once WHERE until < ?", (now,))
            made = database.execute("INSERT OR IGNORE INTO once VALUES (?, ?, ?)", (kind, digest, until))
            return made.rowcount == 1

    def keep(self, kind: str, secret: str, family: bytes, plain: Mapping[str, Any], *, until: int) -> None:
        """See :meth:`State.keep`."""
        with self._transaction() as database:
            _insert(database, Heir(kind, secret, plain, until), family)

    def look(self, kind: str, secret: str, *, now: int) -> Kept | None:
        """See :meth:`State.look`."""
        row = self._one(
            "SELECT kept.family, plain, used, revoked FROM kept JOIN families USING (family)"
            " WHERE kind = ? AND digest = ? AND kept.until > ?",
            kind,
            digest_of(secret),
            now,
        )
        return None if row is None else Kept(row[0], json.loads(row[1]), bool(row[2]), bool(row[3]))

    def take(self, kind: str, secret: str, *, now: int, heir: Heir | None = None) -> Kept | None:
        """See :meth:`State.take`."""
        with self._transaction() as database:
            found = self.look(kind, secret, now=now)
            if found is None:
                return None
            if found.used:
                database.execute("UPDATE families SET revoked = 1 WHERE family = ?", (found.family,))
                return found
            database.execute(
                "UPDATE kept SET used = 1 WHERE kind = ? AND digest = ?", (kind, digest_of(secret))
            )
            if heir is not None and not found.revoked:
                _insert(database, heir, found.family)
            return found

    def revoke_family(self, family: bytes) -> None:
        """See :meth:`State.revoke_family`."""
        with self._transaction() as database:
            database.execute("UPDATE families SET revoked = 1 WHERE family = ?", (family,))

    def is_revoked_family(self, family: bytes) -> bool:
        """See :meth:`State.is_revoked_family`."""
        row = self._one("SELECT revoked FROM families WHERE family = ?", family)
        return row is not None and bool(row[0])

    def revoke_issuer(self, issuer: str) -> int:
        """See :meth:`State.revoke_issuer`."""
        whose = "SELECT DISTINCT family FROM kept WHERE json_extract(plain, '$.issuer') = ?"
        with self._transaction() as database:
            made = database.execute(f"UPDATE families SET revoked = 1 WHERE family IN ({whose})", (issuer,))  # noqa: S608
            return made.rowcount

    def subjects(self, issuer: str) -> list[str]:
        """See :meth:`State.subjects`."""
        rows = self._all(
            "SELECT DISTINCT json_extract(plain, '$.subject') AS subject FROM kept"
            " WHERE json_extract(plain, '$.issuer') = ? AND subject IS NOT NULL ORDER BY subject",
            issuer,
        )
        return [str(row[0]) for row in rows]

    def revoke(self, digest: bytes, *, until: int) -> None:
        """See :meth:`State.revoke`."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", (digest, until))

    def is_revoked(self, digest: bytes) -> bool:
        """See :meth:`State.is_revoked`."""
        return self._one("SELECT 1 FROM revoked WHERE digest = ?", digest) is not None

    def sweep(self, now: int) -> None:
        """See :meth:`State.sweep`."""
        with self._transaction() as database:
            for table in ("once", "kept", "families", "revoked"):
                database.execute(f"DELETE FROM {table} WHERE until < ?", (now,))  # noqa: S608 - our own names
            database.execute("DELETE FROM fetches WHERE last < ?", (now - FETCHES_KEPT,))

    # --- what processes of the service tell one another ---

    def lead(self, work: str, who: str, *, seconds: int) -> bool:
        """See :meth:`State.lead`."""
        now = int(time.time())
        with self._transaction() as database:
            found = database.execute("SELECT who, until FROM leases WHERE work = ?", (work,)).fetchone()
            if found is not None and found[0] != who and now <= found[1] <= now + seconds:
                return False
            database.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?)", (work, who, now + seconds))
            return True

    def resign(self, who: str) -> None:
        """See :meth:`State.resign`."""
        with self._transaction() as database:
            database.execute("DELETE FROM leases WHERE who = ?", (who,))

    def beat(self, beat: Beat) -> None:
        """See :meth:`State.beat`."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO beats VALUES (?, ?, ?)", (beat.boot, beat.uptime, beat.at)
            )
            database.execute(
                "DELETE FROM beats WHERE boot NOT IN (SELECT boot FROM beats ORDER BY at DESC LIMIT 100)"
            )

    def beats(self) -> list[Beat]:
        """See :meth:`State.beats`."""
        return newest_first(Beat(*row) for row in self._all("SELECT boot, uptime, at FROM beats"))

    def fetched(self, fetches: Sequence[Fetch]) -> None:
        """See :meth:`State.fetched`."""
        counts: dict[str, int] = {}
        with self._transaction() as database:
            for one in fetches:
                if one.issuer not in counts:
                    query = "SELECT count(*) FROM fetches WHERE issuer = ?"
                    (counts[one.issuer],) = database.execute(query, (one.issuer,)).fetchone()
                counts[one.issuer] += 1
                party = one.party if counts[one.issuer] <= MOST_FETCHES else OTHERS
                database.execute(
                    "INSERT INTO fetches VALUES (?, ?, ?, ?, ?) ON CONFLICT (issuer, party, kids) DO UPDATE"
                    " SET first = min(first, excluded.first), last = max(last, excluded.last)",
                    (one.issuer, party, one.kids, one.first, one.last),
                )

    def fetches(self, issuer: str) -> list[Fetch]:
        """See :meth:`State.fetches`."""
        query = "SELECT party, kids, first, last FROM fetches WHERE issuer = ? ORDER BY last"
        return [Fetch(issuer, *row) for row in self._all(query, issuer)]

    # --- within ---

    def _close(self) -> None:
        with self._lock, self._explained():
            self._database.close()

    def _one(self, query: str, *values: Any) -> Any:
        with self._lock, self._explained():
            return self._database.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock, self._explained():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained(), transaction(self._database) as database:
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(f"{error}", path=self.path) from error


def _insert(database: sqlite3.Connection, heir: Heir, family: bytes) -> None:
    database.execute(
        "INSERT INTO families (family, revoked, until) VALUES (?, 0, ?) ON CONFLICT (family) DO UPDATE"
        " SET until = max(until, excluded.until)",
        (family, heir.until + OUTLIVES),
    )
    database.execute(
        "INSERT INTO kept (kind, digest, family, plain, until) VALUES (?, ?, ?, ?, ?)",
        (heir.kind, digest_of(heir.secret), family, json.dumps(dict(heir.plain)), heir.until),
    )
