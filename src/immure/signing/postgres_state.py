"""The state in PostgreSQL, for front ends on several machines.

What may happen once happens once over all of them: a row is locked while it is looked at and taken, and what
was used before is a primary key. A commit is on the disk of the server when it returns. When a connection is
lost, the call under way fails (its client is told 503, and asks again), and the next one finds a new one. The
password is best left out of the URL, in ``PGPASSFILE``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from immure.signing.errors import StateError
from immure.signing.fetches import OTHERS, Fetch
from immure.signing.heartbeat import Beat
from immure.signing.postgres_state_layout import CREATE, LAYOUT
from immure.signing.sqlite_state import FETCHES_KEPT
from immure.signing.state import MOST_FETCHES, OUTLIVES, Heir, Kept, State, digest_of, newest_first

if TYPE_CHECKING:
    import psycopg

#: Names our lock among those of others (pg_advisory_lock): who makes the tables.
_MAKING: Final = 0x494D5353_0001
#: Connections of one process.
_THREADS: Final = 4
_OPTIONS: Final = {
    "synchronous_commit": "on",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "30s",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read\\ committed",  # a lock shows what others wrote before it
}
_LOOK: Final = (
    "SELECT kept.family, plain, used, revoked FROM immure_signing_kept kept"
    " JOIN immure_signing_families families USING (family)"
    " WHERE kind = %s AND digest = %s AND kept.until > %s"
)


class PostgresState(State):
    """Tables ``immure_signing_*`` of a database.

    Args:
        url: ``postgresql://…`` as libpq has it.
        create: make the tables if they are not there.

    Raises:
        StateError: there is no such database, no state in it, or psycopg is not installed.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        super().__init__(_shown(url), _THREADS)
        self._url = url
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[psycopg.Connection[Any]] = []
        self._closed = False
        try:
            import psycopg
        except ImportError as error:
            raise StateError("needs psycopg: pip install 'immure[postgresql]'", path=self.path) from error
        self._psycopg = psycopg
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise

    def _prepare(self, create: bool) -> None:
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            (there,) = _row(cursor.execute("SELECT to_regclass('immure_signing_layout')"))
            if there is None:
                if not create:
                    raise StateError("has no state of this service in it", path=self.path)
                cursor.execute(CREATE)
            (layout,) = _row(cursor.execute("SELECT version FROM immure_signing_layout"))
        if layout != LAYOUT:
            raise StateError(f"has layout {layout}; this version of Immure knows {LAYOUT}", path=self.path)

    # --- what clients show ---

    def once(self, kind: str, digest: bytes, *, until: int, now: int) -> bool:
        """See :meth:`State.once`."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO immure_signing_once VALUES (%s, %s, %s) ON CONFLICT (kind, digest) DO UPDATE"
                " SET until = excluded.until WHERE immure_signing_once.until < %s",
                (kind, digest, until, now),
            )
            return cursor.rowcount == 1

    def keep(self, kind: str, secret: str, family: bytes, plain: Mapping[str, Any], *, until: int) -> None:
        """See :meth:`State.keep`."""
        with self._transaction() as cursor:
            _insert(cursor, Heir(kind, secret, plain, until), family)

    def look(self, kind: str, secret: str, *, now: int) -> Kept | None:
        """See :meth:`State.look`."""
        with self._transaction() as cursor:
            return _kept(cursor.execute(_LOOK, (kind, digest_of(secret), now)).fetchone())

    def take(self, kind: str, secret: str, *, now: int, heir: Heir | None = None) -> Kept | None:
        """See :meth:`State.take`."""
        shown = (kind, digest_of(secret))
        with self._transaction() as cursor:
            found = _kept(cursor.execute(f"{_LOOK} FOR UPDATE", (*shown, now)).fetchone())
            if found is None:
                return None
            if found.used:
                cursor.execute(_REVOKE_FAMILY, (found.family,))
                return found
            cursor.execute(
                "UPDATE immure_signing_kept SET used = true WHERE kind = %s AND digest = %s", shown
            )
            if heir is not None and not found.revoked:
                _insert(cursor, heir, found.family)
            return found

    def revoke_family(self, family: bytes) -> None:
        """See :meth:`State.revoke_family`."""
        with self._transaction() as cursor:
            cursor.execute(_REVOKE_FAMILY, (family,))

    def is_revoked_family(self, family: bytes) -> bool:
        """See :meth:`State.is_revoked_family`."""
        with self._transaction() as cursor:
            query = "SELECT revoked FROM immure_signing_families WHERE family = %s"
            row = cursor.execute(query, (family,)).fetchone()
        return row is not None and bool(row[0])

    def revoke_issuer(self, issuer: str) -> int:
        """See :meth:`State.revoke_issuer`."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE immure_signing_families SET revoked = true WHERE family IN"
                " (SELECT family FROM immure_signing_kept WHERE plain::jsonb ->> 'issuer' = %s)",
                (issuer,),
            )
            return cursor.rowcount

    def subjects(self, issuer: str) -> list[str]:
        """See :meth:`State.subjects`."""
        query = (
            "SELECT DISTINCT plain::jsonb ->> 'subject' AS subject FROM immure_signing_kept"
            " WHERE plain::jsonb ->> 'issuer' = %s AND plain::jsonb ->> 'subject' IS NOT NULL"
        )
        with self._transaction() as cursor:
            return sorted(str(row[0]) for row in cursor.execute(query, (issuer,)).fetchall())

    def revoke(self, digest: bytes, *, until: int) -> None:
        """See :meth:`State.revoke`."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO immure_signing_revoked VALUES (%s, %s) ON CONFLICT DO NOTHING", (digest, until)
            )

    def is_revoked(self, digest: bytes) -> bool:
        """See :meth:`State.is_revoked`."""
        with self._transaction() as cursor:
            query = "SELECT 1 FROM immure_signing_revoked WHERE digest = %s"
            return cursor.execute(query, (digest,)).fetchone() is not None

    def sweep(self, now: int) -> None:
        """See :meth:`State.sweep`; leaves alone what others use just now."""
        for table, column, before in (
            ("once", "until", now),
            ("kept", "until", now),
            ("families", "until", now),
            ("revoked", "until", now),
            ("fetches", "last", now - FETCHES_KEPT),
        ):
            name = f"immure_signing_{table}"
            query = (
                f"DELETE FROM {name} WHERE ctid IN (SELECT ctid FROM {name} WHERE {column} < %s"  # noqa: S608 - our own names
                " LIMIT 10000 FOR UPDATE SKIP LOCKED)"
            )
            with self._transaction() as cursor:
                cursor.execute(query.encode(), (before,))

    # --- what processes of the service tell one another ---

    def lead(self, work: str, who: str, *, seconds: int) -> bool:
        """See :meth:`State.lead`; by the clock of the server, which all have in common."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO immure_signing_leases AS held"
                " VALUES (%(work)s, %(who)s, extract(epoch FROM now())::bigint + %(seconds)s)"
                " ON CONFLICT (work) DO UPDATE SET who = excluded.who, until = excluded.until"
                " WHERE held.who = excluded.who"
                " OR held.until < extract(epoch FROM now())::bigint OR held.until > excluded.until",
                {"work": work, "who": who, "seconds": seconds},
            )
            return cursor.rowcount == 1

    def resign(self, who: str) -> None:
        """See :meth:`State.resign`."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM immure_signing_leases WHERE who = %s", (who,))

    def beat(self, beat: Beat) -> None:
        """See :meth:`State.beat`."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO immure_signing_beats VALUES (%s, %s, %s)"
                " ON CONFLICT (boot) DO UPDATE SET uptime = excluded.uptime, at = excluded.at",
                (beat.boot, beat.uptime, beat.at),
            )
            cursor.execute(
                "DELETE FROM immure_signing_beats WHERE boot NOT IN"
                " (SELECT boot FROM immure_signing_beats ORDER BY at DESC LIMIT 100)"
            )

    def beats(self) -> list[Beat]:
        """See :meth:`State.beats`."""
        with self._transaction() as cursor:
            rows = cursor.execute("SELECT boot, uptime, at FROM immure_signing_beats").fetchall()
        return newest_first(Beat(*row) for row in rows)

    def fetched(self, fetches: Sequence[Fetch]) -> None:
        """See :meth:`State.fetched`."""
        with self._transaction() as cursor:
            counts: dict[str, int] = {}
            # always in the same order, so that two front ends never wait for one another
            for one in sorted(fetches, key=lambda one: (one.issuer, one.party, one.kids)):
                if one.issuer not in counts:
                    query = "SELECT count(*) FROM immure_signing_fetches WHERE issuer = %s"
                    counts[one.issuer] = int(_row(cursor.execute(query, (one.issuer,)))[0])
                counts[one.issuer] += 1
                party = one.party if counts[one.issuer] <= MOST_FETCHES else OTHERS
                cursor.execute(
                    "INSERT INTO immure_signing_fetches AS known VALUES (%s, %s, %s, %s, %s)"
                    " ON CONFLICT (issuer, party, kids) DO UPDATE SET"
                    " first = least(known.first, excluded.first), last = greatest(known.last, excluded.last)",
                    (one.issuer, party, one.kids, one.first, one.last),
                )

    def fetches(self, issuer: str) -> list[Fetch]:
        """See :meth:`State.fetches`."""
        query = "SELECT party, kids, first, last FROM immure_signing_fetches WHERE issuer = %s ORDER BY last"
        with self._transaction() as cursor:
            return [Fetch(issuer, *row) for row in cursor.execute(query, (issuer,)).fetchall()]

    # --- within ---

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            for connection in self._connections:
                with suppress(self._psycopg.Error):
                    connection.close()
            self._connections.clear()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except self._psycopg.Error as error:
            raise StateError(_words(error), path=self.path) from None  # libpq may quote the password

    def _connected(self) -> psycopg.Connection[Any]:
        """This thread's connection."""
        known: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if known is not None and not known.closed:
            return known
        if self._closed:
            raise StateError("is closed", path=self.path)
        options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
        made = self._psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=3,
            tcp_user_timeout=5000,  # a server that is gone without a word
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            options=options,
            application_name="immure",
        )
        with self._lock:
            self._connections = [one for one in self._connections if not one.closed]
            self._connections.append(made)
        self._local.connection = made
        return made


_REVOKE_FAMILY: Final = "UPDATE immure_signing_families SET revoked = true WHERE family = %s"


def _insert(cursor: psycopg.Cursor[Any], heir: Heir, family: bytes) -> None:
    cursor.execute(
        "INSERT INTO immure_signing_families AS known (family, until) VALUES (%s, %s)"
        " ON CONFLICT (family) DO UPDATE SET until = greatest(known.until, excluded.until)",
        (family, heir.until + OUTLIVES),
    )
    cursor.execute(
        "INSERT INTO immure_signing_kept (kind, digest, family, plain, until) VALUES (%s, %s, %s, %s, %s)",
        (heir.kind, digest_of(heir.secret), family, json.dumps(dict(heir.plain)), heir.until),
    )


def _kept(row: Any) -> Kept | None:
    return None if row is None else Kept(bytes(row[0]), json.loads(row[1]), row[2], row[3])


def _row(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    if row is None:
        raise StateError("the database gave no row where there must be one")
    return row


def _shown(url: str) -> str:
    """The URL without its password and its options.

    >>> _shown("postgresql://signing:secret@db.example:5433/immure?sslkey=x")
    'postgresql://signing@db.example:5433/immure'
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "postgresql:…"
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"


def _words(error: Exception) -> str:
    """What the server said; not what libpq says of a connection, in which the whole of it may be quoted."""
    message = getattr(getattr(error, "diag", None), "message_primary", None)
    if message:
        return f"the database refused: {str(message)[:200]} ({getattr(error, 'sqlstate', None)})"
    return f"the database cannot be reached ({type(error).__name__})"
