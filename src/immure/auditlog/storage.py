"""The files of a log: how they are read, and how they are written so that nothing acknowledged is lost.

In the log's directory:

``entries.jsonl``
    the entries, one line each; only ever written at its end.
``hashes``
    32 bytes for each leaf of the tree and for each complete subtree, in the order in which they came to be
    (:mod:`immure.auditlog.tree`). It follows from the entries.
``checkpoint``
    the signed state. It is replaced as a whole, and decides: what it does not count is not in the log.
``lock``
    held (flock) by whoever appends.

Every failure of the operating system becomes a LogError whose cause is the OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from immure.errors import LogError
from immure.files import replacing, sync_directory

ENTRIES = "entries.jsonl"
HASHES = "hashes"
CHECKPOINT = "checkpoint"
LOCK = "lock"

#: O_NONBLOCK: a pipe under one of these names must not make us wait for somebody who writes into it.
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_POLL_SECONDS = 0.002
#: A directory that can only be read, or has nothing to sync, loses nothing either.
_NOT_OURS_TO_SYNC = (errno.EINVAL, errno.EROFS, errno.EACCES, errno.EPERM)


class Storage:
    """A directory with the files of one log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        """The path of a file, for messages."""
        return str(self.directory / name)

    # --- reading ---

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.lexists(self.directory / name)

    def size(self, name: str) -> int:
        """Bytes in a file."""
        with self._opened(name, os.O_RDONLY) as handle:
            return os.fstat(handle).st_size

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file; fewer if it ends before."""
        with self.stream(name) as stream:
            stream.seek(offset)
            return stream.read(length)

    @contextmanager
    def stream(self, name: str) -> Iterator[BinaryIO]:
        """A file, to read it from its beginning."""
        with self._opened(name, os.O_RDONLY) as handle, open(handle, "rb", 1 << 18, closefd=False) as stream:
            yield stream

    def settle(self) -> None:
        """Make the checkpoint that was just read last. Its writer may have been killed between renaming it
        and syncing the directory: a power failure would then bring back an older one than somebody has
        seen."""
        try:
            sync_directory(self.directory)
        except OSError as error:
            if error.errno not in _NOT_OURS_TO_SYNC:
                raise LogError(_words(error), path=str(self.directory)) from error

    # --- writing, under the lock ---

    def create(self) -> None:
        """Make the directory and empty files, if they are not there."""
        with _explained(str(self.directory)):
            self.directory.mkdir(parents=True, exist_ok=True)
            sync_directory(self.directory.parent)
        for name in (LOCK, ENTRIES, HASHES):
            with self._opened(name, os.O_RDWR | os.O_CREAT) as handle:
                os.fsync(handle)

    def extend(self, name: str, offset: int, data: bytes) -> None:
        """Let a file go on with ``data`` at ``offset``; what stood there is cut off. On the disk when this
        returns.

        Raises:
            LogError: the file is shorter than that, or it cannot be written.
        """
        with self._opened(name, os.O_RDWR) as handle:
            size = os.fstat(handle).st_size
            if size < offset:
                raise LogError(f"the file was cut short, it should have {offset} bytes", path=self.path(name),
                               offset=size)  # fmt: skip
            if size > offset:
                os.ftruncate(handle, offset)
            rest = memoryview(data)
            while rest:
                written = os.pwrite(handle, rest, offset)
                rest, offset = rest[written:], offset + written
            os.fsync(handle)

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        """A stream whose bytes replace a file, whole or not at all; that has come to last when the block
        ends."""
        with _explained(self.path(name)), replacing(self.directory / name) as stream:
            yield stream

    def publish(self, name: str, data: bytes) -> None:
        """Replace a file by ``data``."""
        with self.replacing(name) as stream:
            stream.write(data)

    def sweep(self) -> None:
        """Remove what a killed writer has left of a file that was to be replaced."""
        with _explained(str(self.directory)):
            for left in self.directory.glob(".*.part"):
                with suppress(FileNotFoundError):
                    left.unlink()

    @contextmanager
    def exclusive(self, seconds: float) -> Iterator[None]:
        """Keep all others, threads and processes, from writing.

        Raises:
            LogError: somebody else held the lock for so many seconds.
        """
        with self._opened(LOCK, os.O_RDWR | os.O_CREAT) as handle:
            deadline = time.monotonic() + seconds
            while not _locked(handle):
                if time.monotonic() > deadline:
                    raise LogError(
                        f"another writer has held the lock for {seconds:g} s", path=self.path(LOCK)
                    )
                time.sleep(_POLL_SECONDS)
            yield  # the lock goes with the handle

    @contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        path = self.path(name)
        with _explained(path):
            handle = os.open(path, flags | _FLAGS, 0o666)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise LogError("not a regular file", path=path)
                yield handle
            finally:
                os.close(handle)


def is_unreadable(error: BaseException | None) -> bool:
    """Whether an error came about because the operating system refused something, and not because of what was
    read."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error is not None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogError(_words(error), path=path) from error


def _words(error: OSError) -> str:
    return error.strerror or str(error)
