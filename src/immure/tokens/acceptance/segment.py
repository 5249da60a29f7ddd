"""One file of the log while it is written: a line that is in it is whole, or was never acknowledged.

Its name ends in ``.open`` as long as it may grow; its writer holds a lock on it (``flock``), so that others
can tell a segment in use from one that a killed writer has left. Sealing gives it a digest beside it and its
last name.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from immure.clock import to_rfc3339
from immure.files import sync_directory, write_whole
from immure.tokens.acceptance.errors import AcceptanceLogError

SUFFIX: Final = ".jsonl"
OPEN: Final = ".jsonl.open"
SEAL: Final = ".sha256"
SCHEMA: Final = "https://immure.example/schemas/acceptance-log-1.json"
_MODE: Final = 0o640


class Segment:
    """An open file of rows.

    Args:
        directory: of the log.
        moment: when it begins, in seconds since 1970.

    Attributes:
        rows: lines in it, without the first.
        size: its bytes.
        began: ``moment``.

    Raises:
        AcceptanceLogError: it cannot be made.
    """

    def __init__(self, directory: Path, moment: float) -> None:
        self.rows = self.size = 0
        self.began = moment
        self._torn = False
        self._sha = hashlib.sha256()
        stem = f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{secrets.token_hex(4)}"
        self.path = directory / f"{stem}{OPEN}"
        try:
            self._fd = _create(self.path)
        except OSError as error:
            raise _failed("cannot be made", error, self.path) from error

    def begin(self, previous: str | None) -> None:
        """Write the first line, which names the segment that the same writer had before by its SHA-256.

        Raises:
            AcceptanceLogError: it cannot be written; the file is gone.
        """
        try:
            self._write(_head(self.began, previous))
        except OSError as error:
            self.abandon()
            raise _failed("cannot be begun", error, self.path) from error

    def append(self, line: bytes) -> None:
        """Write one row; when this returns, the system has it, though a disk may not.

        Raises:
            AcceptanceLogError: it cannot be written; nothing of it stays.
        """
        try:
            self._write(line)
        except OSError as error:
            raise _failed("a row cannot be written", error, self.path) from error
        self.rows += 1

    def _write(self, line: bytes) -> None:
        if self._torn:
            self._cut()
        written = os.write(self._fd, line)
        if written != len(line):
            self._torn = True
            self._cut()
            raise OSError(28, "No space left on device")
        self.size += written
        self._sha.update(line)

    def _cut(self) -> None:
        """Take away what was written of a line that is not whole."""
        os.ftruncate(self._fd, self.size)
        self._torn = False

    @property
    def digest(self) -> str:
        """SHA-256 of what is in it, in hexadecimal."""
        return self._sha.hexdigest()

    def sync(self) -> None:
        """Have the disk keep all that was written.

        Raises:
            AcceptanceLogError: it did not; then nobody knows which of the rows it has.
        """
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise _failed("rows may be lost: the disk did not take them", error, self.path) from error

    def seal(self) -> None:
        """Close it for good, with its digest beside it. Its rows have been synced, and no more will come.

        Raises:
            AcceptanceLogError: it cannot be sealed; the next writer in the directory will try.
        """
        try:
            if self._torn:
                self._cut()
                os.fdatasync(self._fd)
            finish(self.path, self.digest)
        except OSError as error:
            raise _failed("cannot be sealed", error, self.path) from error
        finally:
            os.close(self._fd)

    def close(self) -> None:
        """Leave it as it is."""
        os.close(self._fd)

    def abandon(self) -> None:
        """Close it and take it away: there is no row in it."""
        self.close()
        self.path.unlink(missing_ok=True)


def finish(path: Path, digest: str) -> Path:
    """Give a segment that is whole its digest and its last name; raises OSError."""
    target = path.with_name(path.name.removesuffix(OPEN) + SUFFIX)
    write_whole(target.with_name(target.name + SEAL), f"{digest}  {target.name}\n".encode(), mode=_MODE)
    os.rename(path, target)
    sync_directory(path.parent)
    return target


def _create(path: Path) -> int:
    """A new file, locked before it has its name, so that nobody takes it for one that was left."""
    part = path.with_name(f".{path.name}.part")
    fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(part, path)
        sync_directory(path.parent)
    except OSError:
        os.close(fd)
        part.unlink(missing_ok=True)
        raise
    return fd


def _head(moment: float, previous: str | None) -> bytes:
    began = to_rfc3339(datetime.fromtimestamp(moment, UTC))
    line = {"schema": SCHEMA, "began": began, "writer": os.getpid(), "previous": previous}
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _failed(what: str, error: OSError, path: Path) -> AcceptanceLogError:
    return AcceptanceLogError(f"{what}: {error.strerror or error}", path=str(path))
