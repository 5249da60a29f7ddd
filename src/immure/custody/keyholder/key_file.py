"""The key file on the disk, and the lock that lets one holder have it.

All names are looked up from the directory, which is opened before the holder gives up its privileges: so
its own user needs a way into that directory only, not into those above it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Final

from immure.custody.keyholder.errors import HolderBusyError, HolderFileError
from immure.custody.keyholder.sealed import MOST_BYTES

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class KeyFile:
    """A key file; the lock is held as long as this is there.

    Raises:
        HolderFileError: the directory cannot be used, or others may write into it.
        HolderBusyError: another process holds the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        directory, self._name = os.path.split(path)
        try:
            self._directory = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is no path"
            raise HolderFileError(f"its directory: {reason}", path=path) from error
        status = os.fstat(self._directory)
        if status.st_mode & 0o022:
            raise HolderFileError("others may write into its directory", path=path)
        self.owner = status.st_uid, status.st_gid
        self._lock = self._take_lock()

    def _take_lock(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            handle = os.open(f"{self._name}.lock", flags, 0o600, dir_fd=self._directory)
            if os.geteuid() == 0:
                os.fchown(handle, *self.owner)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HolderBusyError("another process holds this key file", path=self.path) from error
        except OSError as error:
            raise HolderFileError(f"cannot be locked: {error.strerror}", path=self.path) from error
        return handle

    @property
    def directory(self) -> int:
        """The directory's descriptor."""
        return self._directory

    def exists(self) -> bool:
        """Whether there is a file of that name."""
        try:
            os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read(self) -> bytes:
        """All of it; raises HolderFileError."""
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self._name, flags, dir_fd=self._directory)
            with open(handle, "rb", buffering=0) as stream:
                data = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise HolderFileError(error.strerror or "cannot be read", path=self.path) from error
        return data or b""

    def replace(self, data: bytes) -> None:
        """Put a new file in its place: written aside, synced, renamed.

        Raises:
            HolderFileError: it cannot be written; the old one is still there.
        """
        aside = f".{self._name}.part"
        try:
            with suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=self._directory)  # of a holder that was killed; we have the lock
            handle = os.open(aside, _NEW, 0o600, dir_fd=self._directory)
            with open(handle, "wb", buffering=0) as stream:
                view = memoryview(data)
                while view:
                    view = view[stream.write(view) :]
                os.fsync(handle)
            os.rename(aside, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
        except OSError as error:
            raise HolderFileError(f"cannot be written: {error.strerror}", path=self.path) from error
