"""Who reads the key sets, and when: so that it can be told when the last one let go of a key.

A relying party that has read a key set keeps it for as long as the set allows (``max-age``). So one that
obeys accepts a key that was taken out until it reads the set again, or until that time is over.

A relying party is told apart by its address and its ``User-Agent``; behind a proxy by the latter only.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from immure import clock
from immure.introspection.asgi import Scope, header_values

#: Relying parties between two writings; more are not told apart.
_MOST: Final = 1024
OTHERS: Final = "(others)"
_UNFIT: Final = re.compile(rb"[^\x21-\x7e]+")
_MOST_AGENT: Final = 80


@dataclass(frozen=True, slots=True)
class Fetch:
    """A relying party and a key set that it read.

    Attributes:
        party: its address and what it calls itself.
        kids: of the keys in the set, with spaces between.
        first, last: when, seconds since 1970.
    """

    issuer: str
    party: str
    kids: str
    first: int
    last: int


class FetchLog:
    """Remembers fetches of this process until they are written down.

    Args:
        time: where the time is from.
    """

    def __init__(self, *, time: clock.Clock = clock.now) -> None:
        self._time = time
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], tuple[int, int]] = {}

    def note(self, issuer: str, scope: Scope, kids: str) -> None:
        """Somebody reads a key set."""
        now = int(self._time().timestamp())
        key = (issuer, party_of(scope), kids)
        with self._lock:
            if key not in self._seen and len(self._seen) >= _MOST:
                key = (issuer, OTHERS, kids)
            first, last = self._seen.get(key, (now, now))
            self._seen[key] = min(first, now), max(last, now)

    def drain(self) -> list[Fetch]:
        """All since the last time."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return [Fetch(*key, *times) for key, times in seen.items()]

    def put_back(self, fetches: Iterable[Fetch]) -> None:
        """They could not be written down; what there is no room for is lost."""
        with self._lock:
            for one in fetches:
                key = (one.issuer, one.party, one.kids)
                first, last = self._seen.get(key, (one.first, one.last))
                if key in self._seen or len(self._seen) < _MOST:
                    self._seen[key] = min(first, one.first), max(last, one.last)


def party_of(scope: Scope) -> str:
    """What a relying party is called here.

    >>> party_of({"client": ("192.0.2.7", 5000), "headers": [(b"user-agent", b"guard/1 (mail)")]})
    '192.0.2.7 guard/1 (mail)'
    """
    client = scope.get("client")
    address = str(client[0])[:60] if client else "local"
    agent = b" ".join(header_values(scope, b"user-agent"))[: 4 * _MOST_AGENT]
    return f"{address} {_UNFIT.sub(b' ', agent).decode('ascii').strip()[:_MOST_AGENT]}".strip()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Until when a relying party may have accepted a key that was taken out of the set.

    Attributes:
        had: when it last read a set with the key.
        without: when it first read one without, after that; None if it did not yet.
        until: then at the latest it does not accept the key any more, if it obeys ``max-age``.
    """

    party: str
    had: datetime
    without: datetime | None
    until: datetime


def acceptances(fetches: Sequence[Fetch], kid: str, max_age: int) -> list[Acceptance]:
    """Who had a key, and until when; the one that keeps it longest is last.

    Args:
        fetches: of one issuer.
        kid: of a key that is not in the set any more.
        max_age: seconds for which a set may be kept.
    """
    had: dict[str, int] = {}
    for one in fetches:
        if kid in one.kids.split(" "):
            had[one.party] = max(one.last, had.get(one.party, 0))
    found = []
    for party, last in had.items():
        # the last time, since another process may still have shown the key after the first one did not
        after = [
            max(one.first, last)
            for one in fetches
            if one.party == party and kid not in one.kids.split(" ") and one.last >= last
        ]
        without = min(after) if after else None
        until = last + max_age if without is None else min(without, last + max_age)
        found.append(
            Acceptance(party, _moment(last), None if without is None else _moment(without), _moment(until))
        )
    return sorted(found, key=lambda one: (one.until, one.party))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
