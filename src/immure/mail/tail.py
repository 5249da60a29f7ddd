"""A file that grows and is rotated, read in whole lines.

Rotation is by renaming: a new file has the old name, and the old one stays beside it under another that
begins alike (``events.jsonl.1``). The old one is read to its end before the new one is begun. What could not
be read is told as a reason (``replaced``, ``truncated``, ``overlong``), since a gap must not look like
silence.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from immure.mail.errors import FollowError
from immure.mail.events import MOST_BYTES

_CHUNK: Final = 1 << 20
#: Bytes at the beginning of a file that tell it from another.
HEAD: Final = 512
_PACKED: Final = (".gz", ".xz", ".bz2", ".zst", ".lz4")
_MOST_NAMES: Final = 10_000


class Tail:
    """The file, from a place on.

    Args:
        path: its name.
        gap: is told the reason for each gap.
    """

    def __init__(self, path: Path, gap: Callable[[str], object]) -> None:
        self._path = path
        self._gap = gap
        self._stream: BinaryIO | None = None
        self._rest = b""
        self._skipping = False
        self.inode = 0
        #: Bytes that have been handed out, to the end of a line.
        self.offset = 0
        self.head = ""
        self.head_bytes = 0

    def begin(self) -> bool:
        """Open the file from its beginning; False if it is not there yet."""
        return self._open(self._path, 0)

    def resume(self, inode: int, offset: int, head: str, head_bytes: int) -> bool:
        """Open the file that was read before, wherever it is now, and go on; False if no file is there yet.

        If it is gone, that is a gap, and what has its name is read from the beginning.
        """
        for path in self._family():
            if _inode(path) == inode and _head(path, head_bytes) == head:
                if offset > path.stat().st_size:
                    break
                return self._open(path, offset)
        found = self.begin()
        same = found and self.inode == inode and _head(self._path, head_bytes) == head
        self._gap("truncated" if same else "replaced")
        return found

    def batches(self) -> Iterator[list[bytes]]:
        """Lines without LF, as many as are there now, about 1 MiB at a time; then on to the next file."""
        while True:
            yield from self._lines()
            later = self._later()
            if later:
                yield from self._lines()  # what was written between the last look and the renaming
            if not self._next(later):
                return

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _lines(self) -> Iterator[list[bytes]]:
        while self._stream is not None:
            chunk = self._read()
            if not chunk:
                return
            lines = self._cut(chunk)
            if lines:
                yield lines

    def _read(self) -> bytes:
        stream = self._stream
        if stream is None:
            return b""
        try:
            if os.fstat(stream.fileno()).st_size < self.offset + len(self._rest):
                self._gap("truncated")
                stream.seek(0)
                self.offset, self._rest, self._skipping = 0, b"", False
            chunk = stream.read(_CHUNK)
        except OSError as error:
            raise FollowError(f"cannot be read: {error.strerror or error}", path=str(self._path)) from error
        if self.head_bytes < HEAD and chunk:
            self._know_head(stream)
        return chunk

    def _cut(self, chunk: bytes) -> list[bytes]:
        data = self._rest + chunk
        *lines, self._rest = data.split(b"\n")
        if lines:
            self.offset += len(data) - len(self._rest)
            if self._skipping:  # the end of a line that was too long
                lines, self._skipping = lines[1:], False
        if len(self._rest) > MOST_BYTES:
            if not self._skipping:
                self._gap("overlong")
            self.offset += len(self._rest)
            self._rest, self._skipping = b"", True
        return lines

    def _next(self, later: list[Path]) -> bool:
        """Whether the file has been renamed and there is another to go on with, which is then open."""
        if self._stream is None:
            return self.begin()
        if not later:
            return False
        if self._rest:
            self._gap("truncated")  # the old file ends within a line
        if any(path.suffix in _PACKED for path in later[:-1]):
            self._gap("replaced")
        plain = [path for path in later if path.suffix not in _PACKED]
        self.close()
        return bool(plain) and self._open(plain[0], 0)

    def _later(self) -> list[Path]:
        """Files of the family that were written to after the open one, oldest first; none if it is still the
        newest. The one that has the name is the last of them."""
        if self._stream is None or _inode(self._path) in (None, self.inode):
            return []
        mine = os.fstat(self._stream.fileno()).st_mtime_ns
        others = [path for path in self._family() if path != self._path and _inode(path) != self.inode]
        dated = sorted((time, path) for path in others if (time := _mtime(path)) is not None and time > mine)
        return [*(path for _, path in dated), self._path]

    def _family(self) -> list[Path]:
        try:
            names = sorted(os.listdir(self._path.parent))[:_MOST_NAMES]
        except OSError as error:
            raise FollowError(
                f"cannot be listed: {error.strerror or error}", path=str(self._path.parent)
            ) from error
        beside = self._path.parent
        return [
            beside / name for name in names if name.startswith(self._path.name) and (beside / name).is_file()
        ]

    def _open(self, path: Path, offset: int) -> bool:
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise FollowError(f"cannot be read: {error.strerror or error}", path=str(path)) from error
        stream.seek(offset)
        self._stream, self.offset = stream, offset
        self._rest, self._skipping = b"", False
        self.inode = os.fstat(stream.fileno()).st_ino
        self.head, self.head_bytes = "", 0
        self._know_head(stream)
        return True

    def _know_head(self, stream: BinaryIO) -> None:
        data = os.pread(stream.fileno(), HEAD, 0)
        self.head, self.head_bytes = hashlib.sha256(data).hexdigest(), len(data)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _head(path: Path, size: int) -> str | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(size)
    except OSError:
        return None
    return hashlib.sha256(data).hexdigest() if len(data) == size else None
