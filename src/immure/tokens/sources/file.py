"""Keys in a file that may be replaced while we run; a broken or half written one changes nothing."""

from __future__ import annotations

import os
import stat
import time
from typing import Any, Final

from immure.errors import KeySourceError
from immure.tokens.keyset import KeySet
from immure.tokens.sources.documents import key_set
from immure.tokens.sources.watched import WatchedSource

#: Bytes of the largest file.
MOST_BYTES: Final = 64 << 20
#: A file that was changed so recently may change again without its times showing it (ns).
_RECENT: Final = 2_000_000_000

_Signature = tuple[int, ...]


class FileSource(WatchedSource):
    """The keys of a JWK Set in a file.

    Args:
        path: the file; it is read at once.
        issuer: what keys may sign for that do not say it themselves; without it they may sign for nothing.
        options: those of :class:`~immure.tokens.sources.watched.WatchedSource`.

    Raises:
        KeySourceError: it cannot be read, or is no JWK Set.
        DuplicateKeyError: an id means two keys.
    """

    def __init__(self, path: str | os.PathLike[str], *, issuer: str | None = None, **options: Any) -> None:
        self.path = os.fspath(path)
        self._issuer = issuer
        self._address = os.path.realpath(self.path) if "\0" not in self.path else self.path
        self._data: bytes | None = None  # of the last good file
        self._seen: _Signature | None = None
        super().__init__(self.path, **options)

    @property
    def address(self) -> str:
        """See :attr:`KeySource.address`; links are followed as they were when the source was made."""
        return self._address

    def _changed(self) -> bool:
        seen, self._seen = self._seen, None
        if seen is None:
            return True
        try:
            now = _signature(os.stat(self.path))
        except OSError as error:
            raise KeySourceError(f"cannot be read ({error.strerror})", path=self.path) from None
        self._seen = seen
        return now != seen

    def _read(self) -> KeySet:
        self._seen = None
        data, status = _content(self.path)
        if status.st_mtime_ns < time.time_ns() - _RECENT:
            self._seen = _signature(status)  # also if it is broken: it is read again when it is another
        keys = self._keys if data == self._data else key_set(data, self.path, self._issuer)
        self._data = data
        return keys


def _content(path: str) -> tuple[bytes, os.stat_result]:
    """The bytes of a file and what it was when they were read."""
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeySourceError("is not a regular file", path=path)
            data = b"" if status.st_size > MOST_BYTES else stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise KeySourceError(f"cannot be read ({error.strerror})", path=path) from None
    except ValueError:
        raise KeySourceError("is not the name of a file", path=ascii(path)) from None
    if max(len(data), status.st_size) > MOST_BYTES:
        raise KeySourceError(f"more than {MOST_BYTES} bytes", path=path)
    return data, status


def _without_waiting(path: str, flags: int) -> int:
    """Opens without waiting for somebody to write to it, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _signature(status: os.stat_result) -> _Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
