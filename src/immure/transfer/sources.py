"""Where a dump comes from. It is opened once and sealed; after that only the sealed copy is read."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final, cast

from immure.clock import Clock
from immure.errors import AttestationError, UsageError
from immure.transfer.interfaces import Store
from immure.vault.records import Sealed

#: Longest envelope or grant that is read.
MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Arrived:
    """A dump that is sealed, and when it was made, as far as can be told."""

    sealed: Sealed
    taken: datetime


class Source(ABC):
    """A dump that somebody wants to release."""

    #: What it is called, for messages.
    path: str

    @abstractmethod
    def seal_into(self, store: Store, clock: Clock) -> Arrived:
        """Seal its bytes. Called once.

        Raises:
            UsageError: it cannot be opened, or is no regular file.
            VaultError: it cannot be read to its end, or not be sealed.
        """


class FileSource(Source):
    """A regular file, opened by its name once.

    Args:
        path: where it is.
        follow: whether the name may be a symbolic link.
    """

    def __init__(self, path: str, *, follow: bool = True) -> None:
        self.path = path
        self._follow = follow

    def seal_into(self, store: Store, clock: Clock) -> Arrived:
        """See :meth:`Source.seal_into`."""
        with self._open() as stream:
            modified = os.fstat(stream.fileno()).st_mtime
            sealed = store.seal(stream, name=os.path.basename(self.path), clock=clock)
        try:
            return Arrived(sealed, min(datetime.fromtimestamp(modified, UTC), sealed.sealed_at))
        except (OverflowError, ValueError, OSError):  # no time that a calendar has: it was not made then
            return Arrived(sealed, sealed.sealed_at)

    def _open(self) -> BinaryIO:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            handle = os.open(self.path, flags | (0 if self._follow else os.O_NOFOLLOW))
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"cannot be opened: {words}", path=self.path) from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise UsageError("is not a regular file", path=self.path)
        return cast(BinaryIO, open(handle, "rb", buffering=0))


class VaultSource(Source):
    """A dump that is in the vault already, by its id."""

    def __init__(self, identity: str) -> None:
        self.path = identity

    def seal_into(self, store: Store, clock: Clock) -> Arrived:
        """See :meth:`Source.seal_into`."""
        sealed = store.get(self.path)
        return Arrived(sealed, sealed.sealed_at)


class ClearanceFile:
    """An envelope in a file; read once."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            AttestationError: it cannot be read.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise AttestationError("is not a regular file", path=self.path)
                with open(handle, "rb", closefd=False) as stream:
                    data = stream.read(MOST_BYTES + 1)
            finally:
                os.close(handle)
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise AttestationError(f"cannot be read: {words}", path=self.path) from error
        if len(data) > MOST_BYTES:
            raise AttestationError(f"is longer than {MOST_BYTES} bytes", path=self.path)
        return data
