"""What a validator asks for each token: the deny-list that is in force, looked at again a few times a second.

    guard = DenyListGuard(store, url="https://login.example/deny-list.jwt", on_expiry="refuse")
    policy = Policy(…, deny_list=guard)

A list comes in one of three ways: somebody pushes it (:meth:`DenyListGuard.offer`), a thread fetches it from
a URL every few seconds, or it is put into the file. Whichever it is, all processes that share the file go by
it within :data:`LOOK` seconds.

When the list has run out, or there never was one, nobody knows what was burnt since. ``on_expiry`` says what
then: ``refuse`` gives no verdict on any token, ``keep`` goes on with what was known. What a list has refused
stays refused either way.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Literal

from immure.errors import InputError
from immure.tokens.deny_list import DenyList
from immure.tokens.deny_list_errors import DenyListError, DenyListStaleError, KeyDeniedError, TokenEpochError
from immure.tokens.deny_list_store import DenyListStore, Stamp
from immure.tokens.fork_lock import ForkLock
from immure.tokens.prepared import PreparedKey
from immure.tokens.sources.fetch import Fetcher, HttpsPages

OnExpiry = Literal["refuse", "keep"]
#: Seconds from one look at the file to the next.
LOOK: Final = 0.2
#: Seconds from one fetch to the next, if nothing else is said.
EVERY: Final = 5.0
#: Keys that are remembered as not on the list.
_MOST_CLEAN: Final = 4096


@dataclass(frozen=True, slots=True)
class _Held:
    """A list, and keys of which it was seen that it does not name them: never those of another list."""

    list: DenyList
    clean: dict[tuple[str, int], PreparedKey] = field(default_factory=dict)


class DenyListGuard:
    """See the module. One guard serves any number of threads. Nothing is fetched before it is first asked.

    Args:
        store: the file.
        url: where the list is fetched from; None if it is pushed, or put into the file.
        fetcher: gets it.
        every: seconds from one fetch to the next.
        on_expiry: see the module.
        ticks: seconds from any beginning; for tests.

    Attributes:
        fetches, failures: how often it was fetched, and how often that failed.
    """

    def __init__(
        self,
        store: DenyListStore,
        *,
        url: str | None = None,
        fetcher: Fetcher | None = None,
        every: float = EVERY,
        on_expiry: OnExpiry = "refuse",
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self.store, self.url, self.every, self.on_expiry = store, url, every, on_expiry
        self.fetches = self.failures = 0
        self._failed: str | None = None  # of the last fetch
        self._fetcher = fetcher or HttpsPages()
        self._ticks = ticks
        self._lock = ForkLock()
        self._held: _Held | None = None
        self._stamp: Stamp | None = None
        self._broken: DenyListError | None = None
        self._next = float("-inf")
        self._process = 0
        self._read()

    # --- for each token ---

    def check_key(self, issuer: str, key: PreparedKey, moment: float) -> None:
        """Whether a key may be used for an issuer's tokens.

        Args:
            moment: now, in seconds since 1970.

        Raises:
            KeyDeniedError: the list names it.
            DenyListError: there is no list that counts, and ``on_expiry`` is ``refuse``.
        """
        if self._ticks() >= self._next:
            self.look()
        held = self._held
        if held is None or moment >= held.list.expires or self._broken is not None:
            self._stale(held)
            if held is None:
                return
        if held.clean.get((issuer, id(key))) is key:
            return
        scoped = key.scoped
        if held.list.names(issuer, scoped.kid, scoped.key.thumbprint):
            raise KeyDeniedError(f"{key.name} is on the deny-list")
        if len(held.clean) >= _MOST_CLEAN:
            held.clean.clear()
        held.clean[issuer, id(key)] = key  # which keeps it alive, so that no other has its id

    def check_claims(self, claims: Mapping[str, Any]) -> None:
        """Whether a token whose signature holds is from a time that counts; raises TokenEpochError."""
        held = self._held
        if held is None or not held.list.epochs:
            return
        epoch = held.list.epoch(claims["iss"])
        if epoch is None:
            return
        issued = claims.get("iat")
        if issued is None:
            raise TokenEpochError("iat is not there, and tokens of this issuer count from some time on")
        if issued < epoch:
            raise TokenEpochError(f"issued {epoch - issued:.0f} s before tokens of this issuer count")

    def _stale(self, held: _Held | None) -> None:
        if self.on_expiry == "keep":
            return
        if self._broken is not None:
            raise type(self._broken)(self._broken.reason, path=self._broken.path)
        words = "there is no deny-list yet" if held is None else "the deny-list has run out"
        if self.last_error is not None:
            words = f"{words} ({self.last_error})"
        raise DenyListStaleError(words, path=self.store.name)

    # --- the list ---

    @property
    def last_error(self) -> str | None:
        """What is wrong with the file, or was with the last fetch; None if nothing is."""
        return str(self._broken) if self._broken is not None else self._failed

    @property
    def current(self) -> DenyList | None:
        """The list that is in force, as of the last look."""
        held = self._held
        return None if held is None else held.list

    def offer(self, text: bytes) -> tuple[DenyList, bool]:
        """As :meth:`DenyListStore.offer`; this process goes by it when it returns."""
        made = self.store.offer(text, self.current)
        self.look(now=True)
        return made

    def look(self, *, now: bool = False) -> None:
        """See whether the file is another; the first time in a process, also have somebody fetch the list
        from now on. While one thread looks, others go on."""
        if not self._lock.acquire(blocking=now):
            return
        try:
            self._next = self._ticks() + LOOK
            if self._process != os.getpid():  # the first time, or a fork, which has no threads
                self._process = os.getpid()
                if self.url is not None:
                    job = (weakref.ref(self), self.every)
                    threading.Thread(target=_follow, args=job, name="immure deny-list", daemon=True).start()
            self._read()
        finally:
            self._lock.release()

    def _read(self) -> None:
        try:
            stamp = self.store.stamp()
            if stamp == self._stamp and self._broken is None:
                return
            found = self.store.read()
        except DenyListError as error:
            self._broken = error
            return
        known = self.current
        if found is None or (known is not None and found.sequence < known.sequence):
            self._broken = None
            if known is None:
                return
            # what this process has seen counts, also when somebody took the file away or put an old one there
            words = "the file was taken away" if found is None else "the file was put back to an older list"
            self._broken = DenyListError(words, path=self.store.path)
            return
        self._held, self._stamp, self._broken = _Held(found), stamp, None

    # --- fetching ---

    def fetch(self) -> None:
        """Fetch the list once, and go by it if it is newer. Raises nothing: counters and ``last_error`` say
        what is wrong."""
        if self.url is None:
            return
        self.fetches += 1
        try:
            self.offer(self._fetcher.fetch(self.url).data)
            self._failed = None
        except InputError as error:
            self.failures += 1
            self._failed = str(error)
        except Exception as error:  # noqa: BLE001 - a foreign fetcher may raise anything; the thread must live
            self.failures += 1
            self._failed = f"{self.url}: cannot be fetched ({type(error).__name__})"


def _follow(whose: weakref.ref[DenyListGuard], every: float) -> None:
    """Fetch again and again; ends with the process, or when nobody has the guard any more."""
    pause, process = threading.Event(), os.getpid()
    while os.getpid() == process:
        guard = whose()
        if guard is None:
            return
        guard.fetch()
        del guard
        pause.wait(every)
