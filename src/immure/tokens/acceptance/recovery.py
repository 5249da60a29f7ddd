"""Segments that a killed writer has left: their last line, if it is torn, is cut off, and they are sealed."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.segment import OPEN, finish

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Recovered:
    """A segment that was left open, by its last name; how many bytes of a torn line were cut off."""

    path: Path
    torn: int


def recover(directory: Path) -> list[Recovered]:
    """Repair and seal all segments in a directory that no writer holds any more.

    Raises:
        AcceptanceLogError: one cannot be repaired.
    """
    made = []
    for path in sorted(directory.glob(f"*{OPEN}")):
        try:
            found = _recover(path)
        except OSError as error:
            raise AcceptanceLogError(f"cannot be repaired: {error.strerror}", path=str(path)) from error
        if found is not None:
            made.append(found)
    return made


def _recover(path: Path) -> Recovered | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # its writer has just sealed it
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not path.exists():
            return None
        whole, size, digest = _whole_lines(fd)
        if whole != size:
            os.ftruncate(fd, whole)
        os.fsync(fd)
        return Recovered(finish(path, digest), size - whole)
    finally:
        os.close(fd)


def _whole_lines(fd: int) -> tuple[int, int, str]:
    """Bytes up to the end of the last whole line, bytes in all, and the SHA-256 of the whole lines."""
    sha, whole, position = hashlib.sha256(), 0, 0
    rest = b""
    while chunk := os.pread(fd, _CHUNK, position):
        position += len(chunk)
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        sha.update(data[:end])
        whole += end
        rest = data[end:]
    return whole, position, sha.hexdigest()
