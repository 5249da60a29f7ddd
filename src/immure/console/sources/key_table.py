"""All keys of a registry, read beside the pages that show them, and what comes next for each."""

from __future__ import annotations

import heapq
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from immure.console.sources.key_facts import KeyFacts, keep, kept
from immure.errors import ImmureError
from immure.registry.errors import RegistryError, UnknownKeyError
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.registry.store import Store

#: Audience classes that have a column; the others are counted in one.
MOST_COLUMNS: Final = 8
#: Keys whose turn comes next, listed beside the matrix.
MOST_NEXT: Final = 8
#: Seconds that a page waits for the registry, and that anybody does.
PATIENCE: Final = 0.4
_WHOLE: Final = 600.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What should happen to a key next, by the plan of its issuer."""

    words: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long keys of an issuer sign, and stay published afterwards."""

    lifetime: timedelta
    overlap: timedelta


@dataclass(frozen=True)
class Table:
    """All keys as they were at one revision of the registry."""

    keys: tuple[KeyFacts, ...]
    plans: Mapping[str, Lifetimes] = field(default_factory=dict)
    trouble: str = ""

    def made(self) -> Table:
        """The same, with all that is the same for every page already made."""
        _ = self.columns, self.states, self.issuers, self.searched, self.turns
        return self

    @cached_property
    def turns(self) -> Sequence[KeyFacts]:
        """Keys whose turn comes soonest, those that are late first."""
        found = [
            (turn.at, number)
            for number, one in enumerate(self.keys)
            if (turn := turn_of(one, self.plans.get(one.issuer or "")))
        ]
        return [self.keys[number] for _, number in heapq.nsmallest(MOST_NEXT, found)]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Audience classes, the one of most keys first."""
        found = Counter(one for key in self.keys for one in key.classes)
        names = sorted(found, key=lambda name: (-found[name], name))
        return tuple(names[:MOST_COLUMNS])

    @cached_property
    def states(self) -> Mapping[str, int]:
        """How many keys are in each state."""
        found = Counter(key.state for key in self.keys)
        return {state.value: found[state] for state in KeyState}

    @cached_property
    def issuers(self) -> tuple[str, ...]:
        """All issuers, by name."""
        return tuple(sorted({key.issuer for key in self.keys if key.issuer}))

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """Of each record what a search looks into."""
        return tuple(f"{one.kid} {one.thumbprint} {one.issuer or ''}".lower() for one in self.keys)


class Keys:
    """Reads the registry again when it has changed. Ten thousand keys take some seconds, as each is verified
    to be a key: meanwhile pages show what was there before.

    Args:
        place: of the registry.
        signing: settings of the signing service, for its plans.
        file: keeps what was read, for the next console that starts; None if nothing does.
    """

    def __init__(self, place: str, signing: Path | None, file: Path | None = None) -> None:
        self._place, self._signing, self._file = place, signing, file
        self._store: Store | None = None
        self._table: Table | None = None
        self._stamp: Any = None
        self._reading: Future[Table] | None = None
        self._mutex = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "keys")
        before = None if file is None else kept(file, place)
        if before is not None:
            (*stamp, _), keys = before
            # plans are read anew below, unless nothing about them has changed
            self._table, self._stamp = Table(keys, *_plans(signing)).made(), (*stamp, _mtime(signing))

    def stamp(self) -> tuple[Any, ...]:
        """Differs once there may be news, and again when they have been read."""
        return (*self._now(), id(self._table))

    def _now(self) -> tuple[Any, ...]:
        return (*self._opened().stamp(), _inode(self._place), _mtime(self._signing))

    def current(self, patience: float = PATIENCE) -> tuple[Table | None, bool]:
        """All keys as they were read last, None if they were not yet; and whether that is how they are now.

        Args:
            patience: seconds to wait for a reading that is under way.

        Raises:
            RegistryError: the registry cannot be read.
        """
        with self._mutex:
            stamp = self._now()
            if self._table is not None and stamp == self._stamp:
                return self._table, True
            if self._reading is None:
                self._reading = self._worker.submit(self._read, stamp)
            reading = self._reading
        try:
            return reading.result(patience), True
        except FutureTimeout:
            return self._table, False
        finally:
            with self._mutex:
                if self._reading is reading and reading.done():
                    self._reading = None

    def table(self) -> Table:
        """All keys as they are now, however long that takes; raises as :meth:`current`."""
        table, _ = self.current(_WHOLE)
        if table is None:
            raise RegistryError(f"was not read within {_WHOLE:.0f} seconds", path=self._place)
        return table

    def one(self, thumbprint: str) -> tuple[Table, KeyRecord] | None:
        """One key, and a table of it alone; None if there is none of that name."""
        try:
            record = self._opened().get(thumbprint)
        except UnknownKeyError:
            return None
        return Table((KeyFacts.of(record),), *_plans(self._signing)), record

    def close(self) -> None:
        """Close the registry."""
        self._worker.shutdown()
        if self._store is not None:
            self._store.close()

    def _read(self, stamp: tuple[Any, ...]) -> Table:
        # a store of its own: who asks whether there is news must not wait for this
        with open_store(self._place) as store:
            keys = tuple(KeyFacts.of(record) for record in store.records())
        table = Table(keys, *_plans(self._signing)).made()
        with self._mutex:
            self._table, self._stamp = table, stamp
        if self._file is not None:
            with suppress(OSError):  # it would only have saved time
                keep(self._file, self._place, stamp, keys)
        return table

    def _opened(self) -> Store:
        if self._store is None:
            self._store = open_store(self._place)
        return self._store


def turn_of(key: KeyFacts, plan: Lifetimes | None) -> Turn | None:
    """The next step of a rotation (:mod:`immure.signing.rotation`); or the end of the key's scope."""
    if plan is not None:
        if key.state is KeyState.ACTIVE and key.activated is not None:
            return Turn("the next key takes over", key.activated + plan.lifetime)
        if key.state is KeyState.DEACTIVATED:
            return Turn("is destroyed", key.since + plan.overlap)
    if key.not_after is not None and key.state.verifies:
        return Turn("nothing is accepted any more", key.not_after)
    return None


def _plans(path: Path | None) -> tuple[Mapping[str, Lifetimes], str]:
    """Plans by issuer, and why there are none."""
    if path is None:
        return {}, ""
    from immure.signing.settings_file import read_settings

    try:
        settings = read_settings(path)
    except ImmureError as error:
        return {}, f"when keys are rotated cannot be read: {error}"
    return {one.url: Lifetimes(one.plan.lifetime, one.plan.overlap) for one in settings.issuers.values()}, ""


def _inode(place: str) -> int:
    """Which file it is: another one may have come to the same revision by another way."""
    try:
        return os.stat(place).st_ino
    except (OSError, ValueError):  # a database elsewhere, or none: reading it says so
        return 0


def _mtime(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:  # the page says what is wrong with it
        return -1
