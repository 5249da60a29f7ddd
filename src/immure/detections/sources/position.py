"""Where a reading goes on: opaque text for others, which also knows whether the file is still the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from immure.errors import InputError

_VERSION: Final = 1
_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """Place in a file.

    Attributes:
        source: name of the source.
        path: the file; not part of the text.
        offset, line: of the next record.
        inside: whether that is in an array.
    """

    source: str
    path: Path
    offset: int = 0
    line: int = 1
    inside: bool = False

    @classmethod
    def parse(cls, text: str, source: str, path: Path) -> Position:
        """The place that :meth:`at` has named; the beginning if ``text`` is empty.

        Raises:
            InputError: it is no position, one of another source, or the file was replaced.
        """
        if not text:
            return cls(source, path)
        try:
            version, named, offset, line, inside, length, digest = msgspec.json.decode(
                text, type=tuple[int, str, int, int, bool, int, str]
            )
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise InputError("is no position of a reading", path=str(path)) from None
        if version != _VERSION or named != source or offset < 0 or not 0 <= length <= _MOST:
            raise InputError(f"is no position in a log of kind {source}", path=str(path))
        if _head(path, length) != digest:
            raise InputError("is another file than when it was read last", path=str(path))
        return cls(source, path, offset, line, inside)

    def at(self, offset: int, line: int, *, inside: bool = False) -> str:
        """The text of another place in the same file."""
        made = replace(self, offset=offset, line=line, inside=inside)
        try:
            length = min(made.path.stat().st_size, _MOST)
        except OSError as error:
            raise InputError(error.strerror or "cannot be read", path=str(self.path)) from error
        length = min(length, 256) if length < _MOST else length  # a small file grows behind that
        fields = (_VERSION, self.source, offset, line, inside, length, _head(self.path, length))
        return msgspec.json.encode(fields).decode()


def _head(path: Path, length: int) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read(length)).hexdigest()[:32]
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", path=str(path)) from error
