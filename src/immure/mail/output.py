"""The mail-access log as a file that one writer appends to, and can cut back to where it was."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from immure.mail.access import Access, encode_access
from immure.mail.errors import FollowError


class Output:
    """The file, locked for as long as it is open.

    Args:
        path: where; it is made (mode 0600) if it is not there.

    Raises:
        FollowError: it cannot be opened, or another writer has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failed("cannot be opened", error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise FollowError("another process writes it", path=str(path)) from error
        self.size = os.lseek(self._handle, 0, os.SEEK_END)

    @property
    def inode(self) -> int:
        """Of the file."""
        return os.fstat(self._handle).st_ino

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def cut(self, size: int) -> None:
        """Make it as long as it was; raises FollowError if it has become shorter."""
        if size > self.size:
            raise FollowError(
                f"has {self.size} bytes, and {size} had been written; rename it and begin another",
                path=str(self._path),
            )
        try:
            os.ftruncate(self._handle, size)
        except OSError as error:
            raise self._failed("cannot be cut", error) from error
        self.size = size

    def append(self, records: Iterable[Access]) -> None:
        """Write records at the end: all of them, or none."""
        data = b"".join(encode_access(one) for one in records)
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._handle, data[done:], self.size + done)
        except OSError as error:
            os.ftruncate(self._handle, self.size)
            raise self._failed("cannot be written", error) from error
        self.size += len(data)

    def sync(self) -> None:
        """Wait until the disk has it."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise self._failed("cannot be synced", error) from error

    def _failed(self, what: str, error: OSError) -> FollowError:
        return FollowError(f"{what}: {error.strerror or error}", path=str(self._path))
