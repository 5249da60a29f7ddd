"""What a receiver does with tokens: verify, take each once, hand it on.

    inbox = Inbox("inbox.db", keys, issuer="https://login.example/", audience="mail")
    app = PushReceiver(inbox, token=sha256_of_bearer_token)     # RFC 8935
    inbox.poll(url, Sender(), authorization="Bearer …")           # RFC 8936

A token counts as received when its row is on the disk. What is done about it (``heed``) may be done twice
after a crash, and never not at all: the row says that it is done only afterwards.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from immure import clock
from immure.response.events.errors import EventError, EventFormError, EventStoreError
from immure.response.events.http import Sender
from immure.response.events.polling import poll
from immure.response.events.set_token import Received, parse_kept, verify_event
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction
from immure.tokens.keyset import KeySet
from immure.tokens.source import KeySource

APPLICATION_ID: Final = 0x494D5349  # "IMSI"
_CREATE: Final = (
    """CREATE TABLE received (
        jti TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        heeded INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE INDEX received_heeded ON received (heeded)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_LAYOUT: Final = Layout(APPLICATION_ID, 0, _CREATE)
#: Answers that are fetched in one go: a transmitter that never ends is asked again the next time.
_MOST_ROUNDS: Final = 1000
Heed = Callable[[Received], None]


def _nothing(_: Received) -> None:
    """Does nothing about it."""


class Inbox:
    """See the module. Any number of threads and processes.

    Args:
        path: of an SQLite file.
        keys: of the transmitter.
        issuer: the transmitter.
        audience: whoever we are.
        heed: what is done about an event; called once it is on the disk, and again until it returns.
        time: where the time is from.

    Raises:
        EventStoreError: the file cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        keys: KeySource | KeySet,
        *,
        issuer: str,
        audience: str,
        heed: Heed = _nothing,
        time: clock.Clock = clock.now,
    ) -> None:
        self.path = os.fspath(path)
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._heed, self._time = heed, time
        self._lock = threading.RLock()
        try:
            with self._explained():
                self._database = open_database(self.path, _LAYOUT, patience=10.0)
        except ForeignDatabaseError as error:
            raise EventStoreError("is a database, but no inbox of events", path=self.path) from error
        except (OSError, ValueError) as error:
            raise EventStoreError(getattr(error, "strerror", None) or "is no path", path=self.path) from error

    def take(self, text: str) -> tuple[Received, bool]:
        """Take a token in.

        Returns:
            The event, and whether it is new.

        Raises:
            EventError: it is refused.
            KeySourceError: the transmitter's keys cannot be had.
            EventStoreError: it cannot be kept.
        """
        now = self._time().timestamp()
        event = verify_event(text, self._keys, issuer=self._issuer, audience=self._audience, now=now)
        with self._lock, self._transaction() as database:
            known = database.execute("SELECT text FROM received WHERE jti = ?", (event.jti,)).fetchone()
            if known is None:
                database.execute(
                    "INSERT INTO received (jti, kind, text, at) VALUES (?, ?, ?, ?)",
                    (event.jti, event.kind, text, int(now)),
                )
        self._settle(event)
        return event, known is None

    def catch_up(self) -> int:
        """See to events that were taken, and not seen to because of a crash; how many."""
        with self._lock, self._explained():
            rows = self._database.execute("SELECT text FROM received WHERE heeded = 0").fetchall()
        for (text,) in rows:
            self._settle(parse_kept(text))  # it was verified when it was taken; the key may be gone since
        return len(rows)

    def _settle(self, event: Received) -> None:
        with self._lock, self._explained():
            query = "SELECT heeded FROM received WHERE jti = ?"
            if self._database.execute(query, (event.jti,)).fetchone()[0]:
                return
            self._heed(event)
            with self._transaction() as database:
                database.execute("UPDATE received SET heeded = 1 WHERE jti = ?", (event.jti,))

    def names(self) -> list[str]:
        """Names of all tokens that were taken, in order."""
        with self._lock, self._explained():
            return [str(row[0]) for row in self._database.execute("SELECT jti FROM received ORDER BY rowid")]

    def poll(self, url: str, sender: Sender, *, authorization: str = "") -> int:
        """Fetch all that waits in a stream, and acknowledge it; how many tokens were new.

        Raises:
            SendError: the transmitter does not answer.
            KeySourceError, EventStoreError: as :meth:`take`; what was taken is acknowledged the next time.
        """
        acks: list[str] = []
        errors: dict[str, dict[str, str]] = {}
        new = 0
        for _ in range(_MOST_ROUNDS):
            sets = poll(url, sender, authorization=authorization, acks=acks, errors=errors)
            acks, errors = [], {}
            for name, text in sets.items():
                try:
                    event, is_new = self.take(text)
                    if event.jti != name:
                        raise EventFormError("its name is another one than that of the token")
                except EventError as error:
                    errors[name] = {"err": error.err, "description": error.reason[:200]}
                else:
                    acks.append(name)
                    new += is_new
            if not acks and not errors:
                break
        return new

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._explained():
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), transaction(self._database) as database:
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EventStoreError(f"{error}", path=self.path) from error


def refusal(error: EventError) -> bytes:
    """The body of an answer that refuses a token (RFC 8935, section 2.3)."""
    return json.dumps({"err": error.err, "description": error.reason[:200]}).encode("ascii")
