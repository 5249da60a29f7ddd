"""What a destination must do: take bytes where nobody sees them, and show all of them in one step."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, Self

from immure.errors import TransferError

#: ``new``, or ``present``: the same bytes were there under that name already.
Placed = Literal["new", "present"]


class Stage(ABC):
    """A dump on its way: written, then committed or abandoned. As a context manager it abandons what was not
    committed."""

    @abstractmethod
    def write(self, piece: bytes) -> None:
        """Take the next bytes. They are not visible under the dump's name.

        Raises:
            TransferError: they cannot be taken.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Called once behind the last byte: do all that may take long, so that :meth:`commit` does not.

        Raises:
            TransferError: the bytes are not safely there.
        """

    @abstractmethod
    def commit(self, sha256: str) -> Placed:
        """Show all bytes under the dump's name, in one step. Another file of that name is never replaced.

        Args:
            sha256: of the bytes that were written, in hex; tells whether a file that is there is the same.

        Raises:
            TransferError: nothing is visible, or it says that this cannot be known.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Forget what was not committed. Idempotent; raises nothing for what is gone already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()


class Destination(ABC):
    """Somewhere dumps may go.

    Attributes:
        url: which place it is, as policies, logs and receipts have it; for a directory the one that is open,
            not the name by which it was found.
    """

    url: str

    @abstractmethod
    def stage(self, name: str, size: int) -> Stage:
        """Begin to put a dump of ``size`` bytes down under ``name``.

        Raises:
            TransferError: the destination cannot be reached, or has another file of that name.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of it. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_same(pieces: Iterable[bytes], sha256: str, path: str) -> Placed:
    """``present``, if these pieces of a file that is there have that digest.

    Raises:
        TransferError: they have not.
    """
    seen = hashlib.sha256()
    for piece in pieces:
        seen.update(piece)
    if seen.hexdigest() != sha256:
        raise TransferError("another file of that name is there; it is not replaced", path=path)
    return "present"
