"""What all sources have in common that fetch their keys from elsewhere.

Who asks for a key that is in the set gets it from memory. Only a kid that the set does not have may lead to a
fetch, and for it one waits: issuers sign with a new key before everybody has heard of it. A kid that was
looked for in vain is looked for again after a longer and longer time, so that a forgotten client which sends
it for ever does not make us fetch for ever; should the key come with another fetch, it is found at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Generator
from concurrent.futures import wait
from typing import Final

from immure.registry.scope import ScopedKey
from immure.tokens.errors import UnknownKeyError
from immure.tokens.fork_lock import ForkLock
from immure.tokens.keyset import KeySet
from immure.tokens.source import KeySource
from immure.tokens.sources.cache import Cache, Flight, Start, Timing, in_thread, ticks_since_boot
from immure.tokens.sources.fetch import Fetcher, HttpsPages

#: Kids looked for in vain that are remembered, and the longest time until one is looked for again.
REMEMBERED: Final = 1024
LONGEST_BREAK: Final = 600.0


class RemoteSource(KeySource):
    """A source whose keys are fetched and kept; see the module, and :mod:`immure.tokens.sources.cache`.

    Args:
        name: URL or issuer, for messages.
        fetcher: gets the documents; by default over HTTPS from public addresses.
        timing: cooldown, freshness, limits.
        ticks, start: see :class:`~immure.tokens.sources.cache.Cache`; for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        fetcher: Fetcher | None = None,
        timing: Timing | None = None,
        ticks: Callable[[], float] = ticks_since_boot,
        start: Start = in_thread,
    ) -> None:
        self.name = name
        self._fetcher = fetcher or HttpsPages()
        self._ticks = ticks
        self._cache: Cache[KeySet] = Cache(self._load, name, timing, ticks=ticks, start=start)
        self._missing = _Missing(self._cache.timing.cooldown)
        self._waiting = 0
        self._lock = ForkLock()

    @abstractmethod
    def _load(self) -> tuple[KeySet, float | None]:
        """Fetch the keys; also for how many seconds they are good, if that is said.

        Raises:
            InputError: they cannot be had.
        """

    # --- for whoever watches ---

    @property
    def fetches(self) -> int:
        """Fetches that were begun."""
        return self._cache.fetches

    @property
    def failures(self) -> int:
        """Fetches that failed."""
        return self._cache.failures

    @property
    def refused(self) -> int:
        """Fetches that were wanted and not made: cooldown, a kid known to be missing, too many waiting."""
        return self._cache.refused + self._missing.refused

    @property
    def last_error(self) -> str | None:
        """What the last fetch failed of; None if it went well."""
        return self._cache.last_error

    # --- finding keys ---

    def find(self, kid: str | None) -> ScopedKey:
        """See :meth:`KeySource.find`. Waits only if there are no keys yet, or not this one."""
        keys = self._cache.get()
        if keys is not None and kid in keys:
            return keys.find(kid)
        steps = self._steps(kid)
        try:
            while True:
                wait([next(steps)], self._cache.timing.patience)
        except StopIteration as found:
            key: ScopedKey = found.value
            return key

    async def afind(self, kid: str | None) -> ScopedKey:
        """As :meth:`find`, without blocking the event loop: fetches go on in threads of their own."""
        keys = self._cache.get()
        if keys is not None and kid in keys:
            return keys.find(kid)
        steps = self._steps(kid)
        try:
            while True:
                await asyncio.wait([asyncio.wrap_future(next(steps))], timeout=self._cache.timing.patience)
        except StopIteration as found:
            key: ScopedKey = found.value
            return key

    def refresh(self) -> bool:
        """Have the keys fetched again, as when one is said to be burnt. Does not wait.

        Returns:
            Whether a fetch is under way; it is not if the last one began within the cooldown.
        """
        return self._cache.ask() is not None

    def _steps(self, kid: str | None) -> Generator[Flight, None, ScopedKey]:
        """The way to a key; yields what has to be waited for, in whatever way the caller waits."""
        keys = self._cache.get()
        if keys is None:
            keys = yield from self._fetched()
        elif kid is not None and kid not in keys:
            keys = yield from self._looked_again(kid, keys)
        return self._found(kid, keys)

    def _fetched(self) -> Generator[Flight, None, KeySet]:
        flight = self._cache.ask()
        if flight is not None:
            yield flight
        keys = self._cache.get()
        if keys is None:
            raise self._cache.unavailable()
        return keys

    def _looked_again(self, kid: str, keys: KeySet) -> Generator[Flight, None, KeySet]:
        with self._lock:
            crowded = self._waiting >= self._cache.timing.waiting
            if crowded or not self._missing.may_ask(kid, self._ticks()):
                self._missing.refused += 1
                return keys
            self._waiting += 1
        try:
            flight = self._cache.ask()
            if flight is None:
                return keys
            yield flight
        finally:
            with self._lock:
                self._waiting -= 1
        latest = self._cache.get()
        if latest is None:
            raise self._cache.unavailable()
        if kid not in latest and self._cache.last_error is None:
            with self._lock:
                self._missing.remember(kid, self._ticks())
        return latest

    def _found(self, kid: str | None, keys: KeySet) -> ScopedKey:
        try:
            return keys.find(kid)
        except UnknownKeyError as error:
            if self.last_error is None:
                raise
            raise UnknownKeyError(
                f"{error.reason} (and the last fetch failed: {self.last_error})", path=self.name
            ) from None


class _Missing:
    """Kids that a fresh set did not have, and when one may look for them again."""

    def __init__(self, cooldown: float) -> None:
        self.refused = 0
        self._cooldown = cooldown
        self._until: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def may_ask(self, kid: str, now: float) -> bool:
        """Whether the kid is worth a fetch."""
        until, _ = self._until.get(_digest(kid), (now, 0.0))
        return now >= until

    def remember(self, kid: str, now: float) -> None:
        """It was not there, again; several who waited together count as one."""
        digest = _digest(kid)
        until, pause = self._until.get(digest, (now, self._cooldown))
        if now < until:
            return
        pause = min(2 * pause, max(LONGEST_BREAK, self._cooldown))
        self._until[digest] = now + pause, pause
        self._until.move_to_end(digest)
        while len(self._until) > REMEMBERED:
            self._until.popitem(last=False)


def _digest(kid: str) -> bytes:
    """Of fixed size, as kids come from whoever sends tokens."""
    return hashlib.sha256(kid.encode("utf-8", "surrogatepass")).digest()[:16]
