"""The bytes of a log: compression taken off by content, UTF-16 brought to UTF-8, byte order marks removed.

Offsets of all readers are in what is read here.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from immure.dumps.compression import decompress, detect_codec
from immure.dumps.readers import FileReader
from immure.errors import ImageError, InputError

_PIECE: Final = 1 << 16
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Stream:
    """See the module.

    Args:
        path: of a regular file.

    Attributes:
        offset: of the byte that is read next.
        broken: why the compressed bytes end before their end; empty if they do not.
        compressed: whether there are any.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.offset, self.broken = str(path), 0, ""
        try:
            self._reader = FileReader.open(self.path)
        except ImageError as error:
            raise InputError(error.reason, path=self.path) from error
        codec = detect_codec(self._reader.read(0, 1024))
        self.compressed = codec is not None
        self._pieces = decompress(self._reader, codec) if codec is not None else None
        self._place = 0
        self._held = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begin()

    def _begin(self) -> None:
        head = b""
        while len(head) < 4 and (more := self._raw(4)):
            head += more
        encoding = _UTF16.get(head[:2])
        plain = head.removeprefix(head[:2]) if encoding is not None else head.removeprefix(codecs.BOM_UTF8)
        encoding = encoding or _guessed(head)
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)("replace")
            plain = self._decoder.decode(plain).encode("utf-8", "replace")
        self._held = plain

    def read(self, size: int) -> bytes:
        """Some bytes, about ``size``; none at the end. See ``broken``."""
        made, self._held = self._held, b""
        made = made or self._more(size)
        self.offset += len(made)
        return made

    def skip(self, to: int) -> None:
        """Go forward to an offset.

        Raises:
            InputError: the file is shorter than that.
        """
        if self._pieces is None and self._decoder is None and to > self.offset + len(self._held):
            self._place += to - self.offset - len(self._held)
            self._held, self.offset = b"", to
            if self._place > (self._reader.size or 0):
                raise InputError("is shorter than when it was read last", path=self.path, offset=to)
        while self.offset < to:
            piece = self.read(_PIECE)
            if not piece:
                raise InputError("is shorter than when it was read last", path=self.path, offset=self.offset)
            if self.offset > to:
                keep = self.offset - to
                self._held, self.offset = piece[-keep:] + self._held, to

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _more(self, size: int) -> bytes:
        if self._decoder is None:
            return self._raw(size)
        while True:
            raw = self._raw(size)
            made = self._decoder.decode(raw, final=not raw).encode("utf-8", "replace")
            if made or not raw:
                return made

    def _raw(self, size: int) -> bytes:
        if self._pieces is None:
            made = self._plain(size)
            self._place += len(made)
            return made
        return self._next(self._pieces)

    def _plain(self, size: int) -> bytes:
        """Bytes as they are; in one go, since the reader's own way copies them twice."""
        try:
            return os.pread(self._reader.fileno(), size, self._place)
        except OSError:  # an unreadable sector: what the reader makes of it
            return self._reader.read(self._place, size)

    def _next(self, pieces: Iterator[bytes]) -> bytes:
        try:
            return next(pieces, b"")
        except ImageError as error:
            self.broken = error.reason
            return b""


def _guessed(head: bytes) -> str | None:
    """UTF-16 without a mark: a text in which every other byte of the first is zero."""
    if len(head) >= 4 and head[0] and head[2] and head[1] == head[3] == 0:
        return "utf-16-le"
    if len(head) >= 4 and head[1] and head[3] and head[0] == head[2] == 0:
        return "utf-16-be"
    return None
