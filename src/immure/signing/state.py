"""What the service must remember between requests: codes, refresh tokens, what was used, what was revoked.

>>> state = State(":memory:")
>>> state.once("assertion", b"digest", until=2_000_000_000, now=1_790_000_000)
True
>>> state.once("assertion", b"digest", until=2_000_000_000, now=1_790_000_001)
False

Nothing that a client shows is kept, only its SHA-256. Each change is one transaction; several processes may
use the same file. An event loop never waits for it: see :meth:`State.ask`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
import threading
from asyncio import get_running_loop
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar

from immure.signing.errors import StateError

T = TypeVar("T")
#: Seconds to wait for another process that writes, and for those before in the queue.
_PATIENCE: Final = 3.0
APPLICATION_ID: Final = 0x494D5353  # "IMSS"
_LAYOUT: Final = 1
_CREATE: Final = (
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
    f"PRAGMA user_version = {_LAYOUT}",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A code or refresh token.

    Attributes:
        family: what all that came out of one sign-in have in common.
        plain: what was granted.
        used: whether it was taken before.
        revoked: whether its family was.
    """

    family: bytes
    plain: Mapping[str, Any]
    used: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Heir:
    """What comes in the place of something that is taken; ``secret`` is what the client will show."""

    kind: str
    secret: str = field(repr=False)
    plain: Mapping[str, Any]
    until: int


class State:
    """An SQLite file; ``:memory:`` for trials.

    Raises:
        StateError: it cannot be opened, or is something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._lock = threading.RLock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="immure-state")
        with self._explained():
            self._database = sqlite3.connect(
                self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA trusted_schema=OFF")
        with self._transaction():
            (owner,) = database.execute("PRAGMA application_id").fetchone()
            (layout,) = database.execute("PRAGMA user_version").fetchone()
            (objects,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if (owner, layout, objects) == (0, 0, 0):
                for statement in _CREATE:
                    database.execute(statement)
            elif (owner, layout) != (APPLICATION_ID, _LAYOUT):
                raise StateError("is a database, but not the state of this service", path=self.path)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")

    async def ask(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call one of the methods below in a thread of the state's own.

        Raises:
            StateError: as the method; or others before took so long that nobody should wait any more.
        """
        asked = monotonic()

        def call() -> T:
            if monotonic() - asked > _PATIENCE:
                raise StateError("others before took too long", path=self.path)
            return work(*arguments, **named)

        try:
            return await get_running_loop().run_in_executor(self._thread, call)
        except RuntimeError as error:  # no thread any more
            raise StateError("is closed", path=self.path) from error

    def once(self, kind: str, digest: bytes, *, until: int, now: int) -> bool:
        """Whether this was not used before; from now on it was, until a time at which it does not count any
        more."""
        with self._transaction() as database:
            database.execute("DELETE FROM once WHERE until < ?", (now,))
            return (
                database.execute(
                    "INSERT OR IGNORE INTO once VALUES (?, ?, ?)", (kind, digest, until)
                ).rowcount
                == 1
            )

    def keep(self, kind: str, secret: str, family: bytes, plain: Mapping[str, Any], *, until: int) -> None:
        """Keep a code, refresh token or session."""
        with self._transaction() as database:
            self._insert(database, kind, secret, family, plain, until)

    @staticmethod
    def _insert(
        database: sqlite3.Connection,
        kind: str,
        secret: str,
        family: bytes,
        plain: Mapping[str, Any],
        until: int,
    ) -> None:
        database.execute(
            "INSERT OR IGNORE INTO families (family, revoked, until) VALUES (?, 0, ?)", (family, until)
        )
        database.execute("UPDATE families SET until = max(until, ?) WHERE family = ?", (until, family))
        database.execute(
            "INSERT INTO kept (kind, digest, family, plain, until) VALUES (?, ?, ?, ?, ?)",
            (kind, digest_of(secret), family, json.dumps(dict(plain)), until),
        )

    def look(self, kind: str, secret: str, *, now: int) -> Kept | None:
        """A code or refresh token as it is kept, without taking it; None if it is unknown or has run out."""
        with self._lock, self._explained():
            row = self._database.execute(
                "SELECT kept.family, plain, used, revoked FROM kept JOIN families USING (family)"
                " WHERE kind = ? AND digest = ? AND kept.until > ?",
                (kind, digest_of(secret), now),
            ).fetchone()
        return None if row is None else Kept(row[0], json.loads(row[1]), bool(row[2]), bool(row[3]))

    def take(self, kind: str, secret: str, *, now: int, heir: Heir | None = None) -> Kept | None:
        """Take a code or refresh token, and keep what comes in its place, both or neither. Who takes it a
        second time is told so, and the whole family is revoked: one of the two who showed it is a thief
        (RFC 9700, section 4.14.2)."""
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
                self._insert(database, heir.kind, heir.secret, found.family, heir.plain, heir.until)
            return found

    def revoke_family(self, family: bytes) -> None:
        """Nothing of a family is taken any more."""
        with self._transaction() as database:
            database.execute("UPDATE families SET revoked = 1 WHERE family = ?", (family,))

    def revoke_family_named(self, name: str) -> None:
        """As :meth:`revoke_family`, by the name in base64url that tokens have of it (``sid``)."""
        family = _family(name)
        if family is not None:
            self.revoke_family(family)

    def is_family_revoked(self, name: str) -> bool:
        """Whether a family, by its name in base64url, was revoked."""
        family = _family(name)
        with self._lock, self._explained():
            row = self._database.execute(
                "SELECT revoked FROM families WHERE family = ?", (family,)
            ).fetchone()
        return row is not None and bool(row[0])

    def revoke(self, digest: bytes, *, until: int) -> None:
        """An access token, by its digest, is not active any more."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", (digest, until))

    def is_revoked(self, digest: bytes) -> bool:
        """Whether an access token was revoked."""
        with self._lock, self._explained():
            found = self._database.execute("SELECT 1 FROM revoked WHERE digest = ?", (digest,)).fetchone()
        return found is not None

    def is_over(self, digest: bytes, session: str) -> bool:
        """Whether an access token was revoked, or the sign-in that it came of ended ("": there was none)."""
        return self.is_revoked(digest) or (session != "" and self.is_family_revoked(session))

    def sweep(self, now: int) -> None:
        """Forget what has run out."""
        with self._transaction() as database:
            for table in ("once", "kept", "families", "revoked"):
                database.execute(f"DELETE FROM {table} WHERE until < ?", (now,))  # noqa: S608 - our own names

    def close(self) -> None:
        """Let go of the file."""
        self._thread.shutdown(wait=True)
        with self._lock, self._explained():
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(f"{error}", path=self.path) from error


def _family(name: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))
    except ValueError:
        return None


def digest_of(secret: str) -> bytes:
    """What is kept of something that a client shows."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
