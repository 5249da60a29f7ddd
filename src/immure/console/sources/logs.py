"""Logs: their checkpoints as they stand, and the whole verification of one, which somebody asks for.

A verification reads every entry, so it runs beside, one at a time for each tenant. What it has found is kept
while the console runs. The checkpoint of one that held is kept in the console's own directory, so that the
next one also sees whether the log goes on from there, or was put back.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from immure.auditlog import Checkpoint, NoteKey, Verified, parse_checkpoint, verify_log
from immure.auditlog.keyfile import MAX_KEY_BYTES, parse_key
from immure.auditlog.log import read_checkpoint
from immure.auditlog.report import verdict
from immure.auditlog.storage import CHECKPOINT, Storage, is_unreadable
from immure.clock import Clock, now
from immure.console.settings import LogPlace
from immure.errors import LogError, UsageError
from immure.files import write_whole

_MOST_NOTE: Final = 1 << 16
_UNSAFE: Final = re.compile(r"[^a-z0-9.-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Standing:
    """The checkpoint of a log as it stands.

    Attributes:
        name: of the log, in the settings.
        directory: where it is.
        checkpoint: None if it cannot be read.
        since: when it was put there.
        signed: whether the key in the settings has signed it; None if there is no key.
        error: why the checkpoint cannot be read, or the signature does not hold; empty if neither.
    """

    name: str
    directory: str
    checkpoint: Checkpoint | None
    since: datetime | None
    signed: bool | None
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verification has come to.

    Attributes:
        at: when it ended.
        seconds: how long it took.
        held: whether the log is what was signed; None if a file could not be read, so that nobody knows.
        words: the verdict in a line.
        size: entries that were read, if it held.
    """

    at: datetime
    seconds: float
    held: bool | None
    words: str
    size: int | None


@dataclass(frozen=True, slots=True)
class State:
    """A log, what its last verification has come to, and since when one runs."""

    standing: Standing
    outcome: Outcome | None
    running: datetime | None


class Logs:
    """The logs of a tenant.

    Args:
        places: of them.
        kept: directory for checkpoints that held; None if none are kept.
        clock: tells the time.
    """

    def __init__(self, places: tuple[LogPlace, ...], kept: Path | None, clock: Clock = now) -> None:
        self._places = {one.name: one for one in places}
        self._kept, self._clock = kept, clock
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[str, tuple[datetime, Future[None]]] = {}
        self._mutex = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "immure-verify")

    def states(self) -> list[State]:
        """All of them, by name."""
        return [self._state(place) for _, place in sorted(self._places.items())]

    def state(self, name: str) -> State | None:
        """One of them; None if there is none of that name."""
        place = self._places.get(name)
        return None if place is None else self._state(place)

    def stamp(self) -> object:
        """What changes when a log grows, or a verification begins or ends."""
        with self._mutex:
            outcomes = tuple(sorted((name, one.at) for name, one in self._outcomes.items()))
            running = tuple(sorted(self._running))
        return outcomes, running, [_since(one.directory) for one in self._places.values()]

    def verify(self, name: str, *, patience: float) -> None:
        """Begin to verify a log, unless that is being done; wait so many seconds for the end.

        Raises:
            UsageError: the settings name no key for it, so that there is nothing to verify it with.
        """
        place = self._places[name]
        if place.key is None:
            raise UsageError("the settings name no key for this log: nobody knows who must have signed it")
        with self._mutex:
            if name not in self._running:
                self._running[name] = self._clock(), self._worker.submit(self._verify, place)
            done = self._running[name][1]
        try:
            done.result(patience)
        except NotYet:
            return

    def _verify(self, place: LogPlace) -> None:
        begun = self._clock()
        outcome = Outcome(begun, 0.0, None, "NOT VERIFIED  the verification itself has failed", None)
        try:
            outcome = self._verified(place, begun)
        finally:  # also what is a fault of ours is seen on the page
            with self._mutex:
                self._outcomes[place.name] = outcome
                self._running.pop(place.name, None)

    def _verified(self, place: LogPlace, begun: datetime) -> Outcome:
        found, held = self._found(place)
        at = self._clock()
        words = f"NOT VERIFIED  {found}" if held is None else verdict(str(place.directory), found)
        size = found.checkpoint.size if isinstance(found, Verified) else None
        return Outcome(at, (at - begun).total_seconds(), held, words, size)

    def _found(self, place: LogPlace) -> tuple[Verified | LogError, bool | None]:
        try:
            key = _key(place)
            kept = self._kept_path(place, key)
            known = _known(kept)
        except LogError as error:  # a key that cannot be read says nothing against the log
            return error, None
        try:
            verified = verify_log(place.directory, public_key=key, known=known)
        except LogError as error:
            return error, None if is_unreadable(error) else False
        try:
            _keep(kept, verified.checkpoint)
        except LogError as error:
            return error, None
        return verified, True

    def _kept_path(self, place: LogPlace, key: NoteKey | bytes) -> Path | None:
        """Where the checkpoint is kept; that of another key, or of a log elsewhere, is another one."""
        if self._kept is None:
            return None
        which = hashlib.sha256(f"{place.directory.absolute()}\n{key!r}".encode()).hexdigest()[:16]
        return self._kept / f"{_UNSAFE.sub('_', place.name)}-{which}.checkpoint"

    def _state(self, place: LogPlace) -> State:
        with self._mutex:
            outcome, running = self._outcomes.get(place.name), self._running.get(place.name)
        return State(_standing(place), outcome, None if running is None else running[0])

    def close(self) -> None:
        """Wait for the verification that runs; those that wait are dropped."""
        self._worker.shutdown(wait=True, cancel_futures=True)


def _known(path: Path | None) -> Checkpoint | None:
    if path is None or not path.exists():
        return None
    try:
        return parse_checkpoint(path.read_bytes()[:_MOST_NOTE], path=str(path))
    except OSError as error:
        raise LogError(error.strerror or "cannot be read", path=str(path)) from error


def _keep(path: Path | None, checkpoint: Checkpoint) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, checkpoint.note, mode=0o600)
    except OSError as error:
        raise LogError(f"it held, but cannot be kept: {error.strerror}", path=str(path)) from error


def _standing(place: LogPlace) -> Standing:
    name, directory, since = place.name, str(place.directory), _since(place.directory)
    try:
        checkpoint = read_checkpoint(Storage(place.directory))
    except LogError as error:
        return Standing(name, directory, None, since, None, error.reason)
    if place.key is None:
        return Standing(name, directory, checkpoint, since, None, "")
    try:
        checkpoint.verify(_key(place))
    except LogError as error:
        return Standing(name, directory, checkpoint, since, False, error.reason)
    return Standing(name, directory, checkpoint, since, True, "")


def _key(place: LogPlace) -> NoteKey | bytes:
    path = str(place.key)
    try:
        with open(path, "rb") as stream:
            return parse_key(stream.read(MAX_KEY_BYTES + 1), path=path)
    except OSError as error:
        raise LogError(error.strerror or "cannot be read", path=path) from error


def _since(directory: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(os.stat(directory / CHECKPOINT).st_mtime, UTC)
    except (OSError, ValueError, OverflowError):  # a log that is not there: why is said by who reads it
        return None
