"""Who has signed in to the console. Sessions are in memory: a console that starts again asks everybody anew.

What a browser has is 32 random bytes; what is kept here is their SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from immure.access.texts import decode, encode
from immure.clock import Clock, now
from immure.errors import InputError

#: The cookie: only this host gets it, only over TLS, no script, and only from our own pages.
COOKIE: Final = "__Host-console"
MOST: Final = 10_000
#: Sessions of one person; the oldest ends when there is one more.
MOST_OF_ONE: Final = 16
#: Seconds until whoever vouched for a person is asked again.
_ASK_AGAIN: Final = timedelta(seconds=5)
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A session.

    Attributes:
        person: by the name that roles are given to.
        how: ``hardware key`` or ``issuer``.
        begun, seen: when it began, and when something was done in it last.
        asked: when ``stands`` was asked last.
        stands: whether the person may still act, for whoever signed them in.
        ended: is told when it is over.
    """

    person: str
    how: str
    begun: datetime
    seen: datetime
    asked: datetime
    stands: Callable[[], bool]
    ended: Callable[[], None]


class Sessions:
    """All sessions.

    Args:
        idle, most: after which a session ends that does nothing, and any session.
        clock: tells the time.
    """

    def __init__(self, idle: timedelta, most: timedelta, clock: Clock = now) -> None:
        self._idle, self._most, self._clock = idle, most, clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._mutex = threading.Lock()

    def begin(
        self,
        person: str,
        how: str,
        *,
        stands: Callable[[], bool] = lambda: True,
        ended: Callable[[], None] = lambda: None,
    ) -> str:
        """Begin a session; the value of the cookie."""
        secret, at = secrets.token_bytes(_BYTES), self._clock()
        with self._mutex:
            own = [key for key, one in self._sessions.items() if one.person == person]
            gone = [self._sessions.pop(key) for key in own[: max(0, len(own) - MOST_OF_ONE + 1)]]
            self._sessions[_digest(secret)] = Session(person, how, at, at, at, stands, ended)
            while len(self._sessions) > MOST:
                gone.append(self._sessions.popitem(last=False)[1])
        for one in gone:
            one.ended()
        return encode(secret)

    def find(self, cookie: str | None, *, use: bool = True) -> Session | None:
        """The session of a cookie, if it has not ended. ``use`` keeps it from ending for doing nothing.

        Raises:
            ImmureError: whoever vouched for the person cannot be asked.
        """
        key, at = _key(cookie), self._clock()
        with self._mutex:
            session = self._sessions.get(key) if key else None
        if session is None:
            return None
        if at - session.begun > self._most or at - session.seen > self._idle:
            self.end(cookie)
            return None
        if at - session.asked > _ASK_AGAIN:
            if not session.stands():
                self.end(cookie)
                return None
            session = replace(session, asked=at)
        if use:
            session = replace(session, seen=at)
        with self._mutex:
            if key not in self._sessions:  # it was ended meanwhile
                return None
            self._sessions[key] = session
        return session

    def is_due(self, cookie: str | None) -> bool:
        """Whether :meth:`find` would ask whoever vouched for the person, or end the session: that may take a
        while."""
        key, at = _key(cookie), self._clock()
        with self._mutex:
            session = self._sessions.get(key) if key else None
        return session is not None and (
            at - session.asked > _ASK_AGAIN
            or at - session.begun > self._most
            or at - session.seen > self._idle
        )

    def of(self, people: Collection[str]) -> list[Session]:
        """Sessions of these people that may still be there, the newest first."""
        at = self._clock()
        with self._mutex:
            found = [one for one in self._sessions.values() if one.person in people]
        open_ones = [one for one in found if at - one.begun <= self._most and at - one.seen <= self._idle]
        return sorted(open_ones, key=lambda one: one.begun, reverse=True)

    def end_all(self, person: str) -> int:
        """End all sessions of a person; how many there were."""
        with self._mutex:
            keys = [key for key, one in self._sessions.items() if one.person == person]
            gone = [self._sessions.pop(key) for key in keys]
        for one in gone:
            one.ended()
        return len(gone)

    def end(self, cookie: str | None) -> None:
        """End the session of a cookie, if there is one."""
        key = _key(cookie)
        with self._mutex:
            session = self._sessions.pop(key, None) if key else None
        if session is not None:
            session.ended()


def _key(cookie: str | None) -> str:
    try:
        secret = decode(cookie or "")
    except InputError:
        return ""
    return _digest(secret) if len(secret) == _BYTES else ""


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
