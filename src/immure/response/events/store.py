"""Streams, and the tokens that wait for their receivers, in an SQLite file.

A token is signed once and kept as it is: sent again, after a crash or an error, it is the same to the byte,
and has the same ``jti``, by which its receiver knows it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, Literal, NamedTuple

from immure.response.events.errors import EventStoreError
from immure.response.events.streams import Stream
from immure.response.events.subjects import Subject, Subjects, as_text
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction

APPLICATION_ID: Final = 0x494D5345  # "IMSE"
_LAYOUT: Final = 1
_PATIENCE: Final = 10.0
_CREATE: Final = (
    """CREATE TABLE streams (
        id TEXT PRIMARY KEY,
        receiver TEXT NOT NULL,
        plain TEXT NOT NULL,
        verified INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE TABLE unwanted (stream TEXT, subject TEXT, PRIMARY KEY (stream, subject)) STRICT",
    """CREATE TABLE tokens (
        number INTEGER PRIMARY KEY,
        stream TEXT NOT NULL,
        jti TEXT NOT NULL,
        text TEXT NOT NULL,
        made INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting',
        tries INTEGER NOT NULL DEFAULT 0,
        detail TEXT NOT NULL DEFAULT '',
        UNIQUE (stream, jti)
    ) STRICT""",
    "CREATE INDEX tokens_state ON tokens (stream, state, number)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {_LAYOUT}",
)
#: Tokens that are read at a time.
_PAGE: Final = 1000
Settled = Literal["delivered", "refused"]
#: Subjects that one stream may exclude.
MOST_UNWANTED: Final = 10_000


class Waiting(NamedTuple):
    """A token that its receiver does not have yet."""

    jti: str
    text: str


class Refused(NamedTuple):
    """A token that its receiver has refused for good, and the receiver's words."""

    jti: str
    text: str
    detail: str


class EventStore:
    """An SQLite file; ``:memory:`` for trials. Any number of threads and processes.

    Raises:
        EventStoreError: (every method) it cannot be opened, read or written, or is something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._lock = threading.RLock()
        try:
            with self._explained():
                layout = Layout(APPLICATION_ID, _LAYOUT, _CREATE)
                self._database = open_database(self.path, layout, patience=_PATIENCE)
        except ForeignDatabaseError as error:
            raise EventStoreError("is a database, but not one of events", path=self.path) from error
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "is no path"
            raise EventStoreError(words, path=self.path) from error

    # --- streams ---

    def put_stream(self, stream: Stream, *, most: int | None = None) -> bool:
        """Keep a stream, new or changed; False if it is new and its receiver has ``most`` already."""
        with self._transaction() as database:
            known = database.execute("SELECT 1 FROM streams WHERE id = ?", (stream.id,)).fetchone()
            query = "SELECT count(*) FROM streams WHERE receiver = ?"
            (count,) = database.execute(query, (stream.receiver,)).fetchone()
            if known is None and most is not None and count >= most:
                return False
            database.execute(
                "INSERT INTO streams (id, receiver, plain) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET receiver = excluded.receiver, plain = excluded.plain",
                (stream.id, stream.receiver, json.dumps(asdict(stream))),
            )
            if stream.status == "disabled":
                database.execute("DELETE FROM tokens WHERE stream = ? AND state = 'waiting'", (stream.id,))
            return True

    def streams(self, receiver: str | None = None) -> list[Stream]:
        """All streams, or those of one receiver, by their ids."""
        if receiver is None:
            rows = self._all("SELECT plain FROM streams ORDER BY id")
        else:
            rows = self._all("SELECT plain FROM streams WHERE receiver = ? ORDER BY id", receiver)
        return [_stream(row[0]) for row in rows]

    def stream(self, name: str) -> Stream | None:
        """The stream of that id."""
        rows = self._all("SELECT plain FROM streams WHERE id = ?", name)
        return _stream(rows[0][0]) if rows else None

    def delete_stream(self, name: str) -> None:
        """Forget a stream with all that waits for it."""
        with self._transaction() as database:
            for table, column in (("tokens", "stream"), ("unwanted", "stream"), ("streams", "id")):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608 - our own names

    def may_verify(self, name: str, now: int, every: int) -> bool:
        """Whether a verification was not asked for within so many seconds; from now on it was."""
        with self._transaction() as database:
            made = database.execute(
                "UPDATE streams SET verified = ? WHERE id = ? AND (verified <= ? OR verified > ?)",
                (now, name, now - every, now),
            )
            return made.rowcount == 1

    # --- subjects ---

    def exclude(self, name: str, subject: Subject) -> bool:
        """Send nothing about a subject any more; False if there are too many such."""
        with self._transaction() as database:
            (count,) = database.execute("SELECT count(*) FROM unwanted WHERE stream = ?", (name,)).fetchone()
            if count >= MOST_UNWANTED:
                return False
            database.execute("INSERT OR IGNORE INTO unwanted VALUES (?, ?)", (name, as_text(subject)))
            return True

    def include(self, name: str, subject: Subject) -> None:
        """Send what is about a subject again."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM unwanted WHERE stream = ? AND subject = ?", (name, as_text(subject))
            )

    def unwanted(self, name: str) -> Subjects:
        """Those about whom a stream gets nothing."""
        rows = self._all("SELECT subject FROM unwanted WHERE stream = ?", name)
        return Subjects(json.loads(row[0]) for row in rows)

    # --- tokens ---

    def knows(self, name: str, jti: str) -> bool:
        """Whether a token of that name was put into a stream before."""
        return bool(self._all("SELECT 1 FROM tokens WHERE stream = ? AND jti = ?", name, jti))

    def put(self, name: str, tokens: Mapping[str, str], made: int) -> int:
        """Let tokens, by their names, wait for their receiver. One of which there was one of that name before
        is not put there: that one stays. How many are new."""
        with self._transaction() as database:
            done = database.executemany(
                "INSERT OR IGNORE INTO tokens (stream, jti, text, made) VALUES (?, ?, ?, ?)",
                [(name, jti, text, made) for jti, text in tokens.items()],
            )
            return done.rowcount

    def waiting(self, name: str, most: int) -> list[Waiting]:
        """Tokens that a receiver does not have, the oldest first."""
        query = "SELECT jti, text FROM tokens WHERE stream = ? AND state = 'waiting' ORDER BY number"
        return [Waiting(*row) for row in self._all(f"{query} LIMIT ?", name, most)]

    def settle(self, name: str, jti: str, state: Settled, detail: str = "") -> bool:
        """A receiver has taken a token, or refused it for good; False if there is no such that waits."""
        with self._transaction() as database:
            done = database.execute(
                "UPDATE tokens SET state = ?, detail = ?, tries = tries + 1"
                " WHERE stream = ? AND jti = ? AND state = 'waiting'",
                (state, detail[:500], name, jti),
            )
            return done.rowcount == 1

    def failed(self, name: str, jti: str, detail: str) -> None:
        """A token could not be handed over; it waits on."""
        with self._transaction() as database:
            database.execute(
                "UPDATE tokens SET tries = tries + 1, detail = ? WHERE stream = ? AND jti = ?",
                (detail[:500], name, jti),
            )

    def counts(self, name: str) -> dict[str, int]:
        """How many tokens of a stream are in which state."""
        rows = self._all("SELECT state, count(*) FROM tokens WHERE stream = ? GROUP BY state", name)
        return {"waiting": 0, "delivered": 0, "refused": 0} | {str(state): count for state, count in rows}

    def refused(self, name: str) -> Iterator[Refused]:
        """Tokens that a receiver has refused for good, the oldest first; not all at once in memory."""
        query = (
            "SELECT number, jti, text, detail FROM tokens"
            " WHERE stream = ? AND state = 'refused' AND number > ? ORDER BY number LIMIT ?"
        )
        last = -1
        while rows := self._all(query, name, last, _PAGE):
            yield from (Refused(*row[1:]) for row in rows)
            last = rows[-1][0]

    # --- within ---

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._explained():
            self._database.close()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
            raise EventStoreError(f"{error}", path=self.path) from error


def _stream(text: str) -> Stream:
    plain = json.loads(text)
    requested = plain.pop("requested")
    return Stream(**plain, requested=None if requested is None else tuple(requested))
