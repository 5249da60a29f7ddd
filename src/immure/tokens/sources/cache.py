"""A value that is fetched, kept for a while, and fetched again: by one at a time, and not too often.

>>> cache = Cache(lambda: ("keys", 600.0), "https://keys.example/set", start=lambda job: job())
>>> cache.get() is None and cache.ask().done()
True
>>> cache.get(), cache.ask(), cache.fetches, cache.refused
('keys', None, 1, 1)

The life of a value: *fresh* as long as its server says (within bounds), then *stale*: still given out while
a fetch goes on in the background, and while fetches fail; then *gone*, whatever happens: who asks gets
nothing, and fails closed. Its age counts from before it was asked for.

Fetches begin at least a cooldown apart, whoever wants them and whatever came of them, so that nobody can
make us a flood upon an issuer. Time is that of the machine since it started, sleep included, which nobody
can turn back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from immure.errors import InputError, KeySourceError
from immure.tokens.fork_lock import ForkLock

T = TypeVar("T")
#: Done when a fetch has ended, well or not.
Flight = Future[None]
#: Runs a job, now or elsewhere.
Start = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """When keys are fetched; all in seconds.

    Attributes:
        cooldown: between the beginnings of two fetches.
        shortest, longest: bounds of what servers say on how long an answer is good.
        assumed: that time if they say nothing.
        limit: age at which keys are gone if they could not be fetched again. They are stale at half of it at
            the latest, so that there is time to fetch them.
        patience: for a fetch that one waits for.
        waiting: how many may wait for a key that is not known, lest a flood of ids takes all threads.
    """

    cooldown: float = 30.0
    shortest: float = 60.0
    longest: float = 86_400.0
    assumed: float = 300.0
    limit: float = 86_400.0
    patience: float = 15.0
    waiting: int = 64

    def __post_init__(self) -> None:
        if self.cooldown <= 0 or not 0 < self.shortest <= self.longest or self.limit <= 0:
            raise ValueError("times must be positive, and the shortest not above the longest")

    def fresh_for(self, max_age: float | None) -> float:
        """For how long an answer is fresh."""
        said = self.assumed if max_age is None else max_age
        return min(max(said, self.shortest), self.longest, self.limit / 2)


def ticks_since_boot() -> float:
    """Seconds since the machine started; unlike ``time.monotonic`` they go on while it sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def in_thread(job: Callable[[], None]) -> None:
    """Runs a job in a thread of its own, which does not hold up the end of the program."""
    threading.Thread(target=job, name="immure key source", daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    value: T
    fresh_until: float
    gone_at: float


class Cache(Generic[T]):
    """See the module.

    Args:
        load: fetches the value and says for how many seconds it is good, None if nobody said.
        name: for messages.
        ticks: seconds from any beginning, never going back.
        start: runs a fetch.

    Attributes:
        fetches: fetches that were begun.
        failures: fetches that failed.
        refused: fetches that were wanted, and not begun because of the cooldown.
        last_error: what the last fetch failed of, None if it went well.
    """

    def __init__(
        self,
        load: Callable[[], tuple[T, float | None]],
        name: str,
        timing: Timing | None = None,
        *,
        ticks: Callable[[], float] = ticks_since_boot,
        start: Start = in_thread,
    ) -> None:
        self.timing = timing or Timing()
        self.name = name
        self.fetches = self.failures = self.refused = 0
        self.last_error: str | None = None
        self._load = load
        self._ticks = ticks
        self._start = start
        self._lock = ForkLock()
        self._held: _Held[T] | None = None
        self._flight: Flight | None = None
        self._process = os.getpid()
        self._next = float("-inf")  # when a fetch may begin

    def get(self) -> T | None:
        """The value if it is not gone; asks for a new one if it is stale. Never waits."""
        held = self._held
        if held is None:
            return None
        now = self._ticks()
        if now >= held.gone_at:
            return None
        if now >= held.fresh_until:
            self.ask()
        return held.value

    def ask(self) -> Flight | None:
        """The fetch that is under way, else one that is begun now, else (it is too early) None."""
        with self._lock:
            if self._process != os.getpid():  # a fork copies a fetch, but not the thread that does it
                self._process, self._flight = os.getpid(), None
            if self._flight is not None:
                return self._flight
            now = self._ticks()
            if now < self._next:
                self.refused += 1
                return None
            self._next = now + self.timing.cooldown
            self.fetches += 1
            flight = self._flight = Flight()
            flight.set_running_or_notify_cancel()  # so that nobody who waits can cancel it for the others
        try:
            self._start(lambda: self._fetch(flight, now))
        except RuntimeError:
            self._land(flight, "no thread can be started to fetch it")
        return flight

    def unavailable(self) -> KeySourceError:
        """The error for those who need the value when there is none."""
        reason = self.last_error or "no answer in time"
        return KeySourceError(reason, path=self.name)

    def _fetch(self, flight: Flight, begun: float) -> None:
        error: str | None = "the fetch was broken off"
        try:
            value, max_age = self._load()
            fresh = self.timing.fresh_for(max_age)
            self._held = _Held(value, begun + fresh, begun + self.timing.limit)
            error = None
        except InputError as problem:
            error = str(problem).removeprefix(f"{self.name}: ")
        except Exception as problem:  # noqa: BLE001 - a foreign fetcher may raise anything; nobody must hang
            error = f"cannot be fetched ({type(problem).__name__})"
        finally:
            self._land(flight, error)

    def _land(self, flight: Flight, error: str | None) -> None:
        with self._lock:
            self.last_error = error
            self.failures += error is not None
            if self._flight is flight:
                self._flight = None
        flight.set_result(None)
