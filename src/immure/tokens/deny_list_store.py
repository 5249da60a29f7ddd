"""The newest deny-list in a file: what is older takes its place in no process, and after no crash.

    store = DenyListStore(path, name="https://login.example/deny-list", keys=pinned)
    taken = store.offer(text)

The file holds the signed list itself, and is verified each time that it is read: nobody needs to be believed
who can write there, except that he can take it away. Several processes share it: whoever offers a list holds
a lock on the file beside it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.files import write_whole
from immure.tokens.deny_list import MOST_BYTES, DenyList, verify_deny_list
from immure.tokens.deny_list_errors import DenyListError, DenyListForkError, DenyListRollbackError
from immure.tokens.keyset import KeySet

_MODE: Final = 0o644
Stamp = tuple[int, ...]


class DenyListStore:
    """See the module.

    Args:
        path: of the file; it need not be there.
        name, keys: what is pinned of the list.
    """

    def __init__(self, path: str | os.PathLike[str], *, name: str, keys: KeySet) -> None:
        self.path = os.fspath(path)
        self.name = name
        self._keys = keys

    def verify(self, text: bytes) -> DenyList:
        """The list that a text is; raises as :func:`~immure.tokens.deny_list.verify_deny_list`."""
        return verify_deny_list(text, self._keys, self.name)

    def offer(self, text: bytes, known: DenyList | None = None) -> tuple[DenyList, bool]:
        """Take a list over if it is newer than what is in force.

        Args:
            text: of the list.
            known: a list that the caller has seen: counts as in force also if somebody took the file away.

        Returns:
            The list, and whether it was taken now; False means that it was in force already.

        Raises:
            DenyListRollbackError: it is older.
            DenyListForkError: it has the same number and says something else.
            DenyListError: it is no list, or the file cannot be read or written.
        """
        made = self.verify(text)
        with self._alone():
            held = self.read()
            if known is not None and (held is None or held.sequence < known.sequence):
                held = known if made != known else None  # who offers what is known puts the file back
            if held is not None and made.sequence <= held.sequence:
                if made == held:
                    return held, False
                if made.sequence == held.sequence:
                    words = f"two lists have the number {made.sequence}: both are signed, and differ"
                    raise DenyListForkError(words, path=self.name)
                words = f"has the number {made.sequence}; {held.sequence} is in force"
                raise DenyListRollbackError(words, path=self.name)
            try:
                write_whole(Path(self.path), text.strip() + b"\n", mode=_MODE)
            except OSError as error:
                raise DenyListError(f"cannot be written: {error.strerror}", path=self.path) from error
        return made, True

    def read(self) -> DenyList | None:
        """The list that is in force; None if there never was one.

        Raises:
            DenyListError: the file is there, and is none.
        """
        text = self.text()
        if text is None:
            return None
        try:
            return self.verify(text)
        except DenyListError as error:
            raise type(error)(error.reason, path=self.path) from None

    def text(self) -> bytes | None:
        """The file as it stands; None if there is none. Raises DenyListError."""
        try:
            with open(self.path, "rb", opener=_without_waiting) as stream:
                return stream.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "not the name of a file"
            raise DenyListError(f"cannot be read: {words}", path=self.path) from error

    def stamp(self) -> Stamp | None:
        """A value that differs once the file was replaced; None if there is none. Raises DenyListError."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "not the name of a file"
            raise DenyListError(f"cannot be read: {words}", path=self.path) from error
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else offers a list meanwhile; the lock goes with the process that holds it."""
        try:
            handle = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "not the name of a file"
            raise DenyListError(f"cannot be locked: {words}", path=self.path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            # closing is not enough: a process that was forked meanwhile has the handle, too
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def _without_waiting(path: str, flags: int) -> int:
    """Opens without waiting for somebody to write to it, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)
