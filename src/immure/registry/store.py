"""A store of key records, and what every store does the same way: names, scopes, states.

:mod:`immure.registry.opening` opens one by its path.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Final

from immure import clock
from immure.registry.errors import DuplicateKeyError, RegistryError, UnknownKeyError
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

#: Keys of the largest registry.
MOST_KEYS: Final = 100_000
#: Characters of a thumbprint that are enough to name a key by, if no other begins so.
LEAST_PREFIX: Final = 8
_PREFIX = re.compile(rf"[A-Za-z0-9_-]{{{LEAST_PREFIX},43}}", re.ASCII)

Change = Callable[[KeyRecord], KeyRecord]


class Store(ABC):
    """Key records by thumbprint. Within one issuer, and among the keys of none, a kid names one key.

    Attributes:
        path: for messages.
    """

    path: str

    @abstractmethod
    def records(self) -> tuple[KeyRecord, ...]:
        """All of them, by issuer, kid and thumbprint.

        Raises:
            RegistryError: the store cannot be read or understood; then none of it is used.
        """

    @abstractmethod
    def add(self, records: Iterable[KeyRecord]) -> None:
        """Take up new keys, all or none.

        Raises:
            DuplicateKeyError: one is there, or its issuer has another key under this kid.
            RegistryError: the store cannot be written.
        """

    @abstractmethod
    def update(self, thumbprint: str, change: Change) -> KeyRecord:
        """Replace a record by what ``change`` makes of it, while nobody else writes. An exception out of
        ``change`` leaves it as it is.

        Raises:
            UnknownKeyError: there is no such key.
            RegistryError: the store cannot be written, or ``change`` took something out of the history.
        """

    @abstractmethod
    def stamp(self) -> tuple[int, ...]:
        """A value that differs once anything was changed: what was read before may be used while it stays."""

    def close(self) -> None:  # noqa: B027 - not every store holds something open
        """Let go of the file."""

    def get(self, thumbprint: str) -> KeyRecord:
        """The record of that thumbprint; raises UnknownKeyError."""
        for record in self.records():
            if record.thumbprint == thumbprint:
                return record
        raise self._unknown(thumbprint)

    def find(self, name: str, issuer: str | None = None) -> KeyRecord:
        """The record that a person means: by thumbprint, kid, or the first characters of a thumbprint.

        Raises:
            UnknownKeyError: there is none, or there are several.
        """
        records = [one for one in self.records() if issuer is None or one.issuer == issuer]
        is_prefix = _PREFIX.fullmatch(name) is not None
        for found in (
            [record for record in records if record.thumbprint == name],
            [record for record in records if record.kid == name],
            [record for record in records if is_prefix and record.thumbprint.startswith(name)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(record.thumbprint for record in found[:5])
                raise UnknownKeyError(f"{name[:80]!r} names {len(found)} keys: {names}", path=self.path)
        raise self._unknown(name)

    def change_state(
        self,
        thumbprint: str,
        state: KeyState,
        *,
        reason: str,
        by: str,
        since: datetime | None = None,
        now: clock.Clock = clock.now,
    ) -> KeyRecord:
        """Let a key become ``state``; raises TransitionError if it cannot."""
        return self.update(
            thumbprint, lambda record: record.become(state, reason=reason, by=by, at=now(), since=since)
        )

    def change_scope(
        self, thumbprint: str, change: Callable[[KeyScope | None], KeyScope | None]
    ) -> KeyRecord:
        """Replace a key's scope by what ``change`` makes of it; raises ScopeError if that does not fit."""
        return self.update(thumbprint, lambda record: record.with_scope(change(record.scope)))

    def _unknown(self, name: str) -> UnknownKeyError:
        return UnknownKeyError(f"no key {name[:80]!r}", path=self.path)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_path(path: str | os.PathLike[str]) -> str:
    """The path as a text; raises RegistryError if no file can have it."""
    text = os.fspath(path)
    if not text or "\0" in text:
        raise RegistryError("is no path", path=text[:80].replace("\0", "?"))
    return text


def in_order(records: Iterable[KeyRecord]) -> tuple[KeyRecord, ...]:
    """The records by issuer (those of none first), kid and thumbprint."""
    return tuple(sorted(records, key=lambda record: (record.issuer or "", record.kid, record.thumbprint)))


def check_unique(records: Iterable[KeyRecord], path: str) -> None:
    """See that no key is there twice, and no kid within one issuer; raises DuplicateKeyError."""
    thumbprints: dict[str, str] = {}
    kids: dict[tuple[str | None, str], str] = {}
    for record in records:
        if record.thumbprint in thumbprints:
            raise DuplicateKeyError(
                f"key {record.kid!r} is there already, as {thumbprints[record.thumbprint]!r}", path=path
            )
        place = (record.issuer, record.kid)
        if place in kids:
            whose = f"of {record.issuer}" if record.issuer else "without an issuer"
            raise DuplicateKeyError(f"kid {record.kid!r} names two keys {whose}", path=path)
        thumbprints[record.thumbprint] = record.kid
        kids[place] = record.thumbprint


def check_change(before: KeyRecord, after: KeyRecord, path: str) -> None:
    """See that a change keeps the key and its history; raises RegistryError."""
    if after.thumbprint != before.thumbprint:
        raise RegistryError("a record cannot become that of another key", path=path)
    if after.history[: len(before.history)] != before.history:
        raise RegistryError("what was once written into a history stays there", path=path)
