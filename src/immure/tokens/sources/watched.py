"""What sources have in common whose keys lie on this machine, where somebody may change them while we run.

They are looked at before they are used, at most once a second, and read again if they have changed. What is
broken takes nothing away: the keys of the last good look stay, and the counters say so.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from immure.errors import InputError, KeySourceError
from immure.registry.scope import ScopedKey
from immure.tokens.fork_lock import ForkLock
from immure.tokens.keyset import KeySet
from immure.tokens.source import KeySource
from immure.tokens.sources.cache import ticks_since_boot

FOR_EVER: Final = float("inf")


class WatchedSource(KeySource):
    """A source that looks whether its keys have changed; they are read for the first time at once.

    Args:
        name: for messages.
        every: seconds from one look to the next.
        limit: seconds after which keys are gone if looking fails all the time.
        ticks: seconds from any beginning; for tests.

    Attributes:
        looks: how often it was looked.
        reads: how often the keys were read.
        failures: how often one or the other failed.
        last_error: what is wrong since the last good look; None if nothing is.

    Raises:
        InputError: the keys cannot be read the first time.
    """

    def __init__(
        self,
        name: str,
        *,
        every: float = 1.0,
        limit: float = FOR_EVER,
        ticks: Callable[[], float] = ticks_since_boot,
    ) -> None:
        self.name = name
        self.looks, self.reads, self.failures = 0, 1, 0
        self.last_error: str | None = None
        self._every, self._limit, self._ticks = every, limit, ticks
        self._lock = ForkLock()
        begun = ticks()
        self._keys = self._read()
        self._next, self._gone_at = begun + every, begun + limit

    @abstractmethod
    def _changed(self) -> bool:
        """Whether the keys must be read again. Raises InputError."""

    @abstractmethod
    def _read(self) -> KeySet:
        """The keys as they are now. Raises InputError."""

    def find(self, kid: str | None) -> ScopedKey:
        """See :meth:`KeySource.find`."""
        now = self._ticks()
        if now >= self._next:
            self.refresh()
        if now >= self._gone_at and self.last_error is not None:
            raise KeySourceError(self.last_error, path=self.name)
        return self._keys.find(kid)

    async def afind(self, kid: str | None) -> ScopedKey:
        """As :meth:`find`; files are read in a thread."""
        if self._ticks() >= self._next:
            await asyncio.to_thread(self.refresh)
        return self.find(kid)

    def refresh(self) -> None:
        """Look now. While one thread does it, others go on with the keys that there are."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._look(self._ticks())
        except InputError as error:
            self.failures += 1
            self.last_error = str(error).removeprefix(f"{self.name}: ")
        finally:
            self._lock.release()

    def _look(self, now: float) -> None:
        self.looks += 1
        self._next = now + self._every
        if self._changed():
            self.reads += 1
            self._keys = self._read()
            self.last_error = None
        if self.last_error is None:
            self._gone_at = now + self._limit
