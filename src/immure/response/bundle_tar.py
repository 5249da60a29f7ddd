"""Bundles as archives: ustar (POSIX.1-1988), regular files only, read strictly from foreign bytes.

Of what tar archives can be, bundles need little: no links, no devices, no extended headers, no sparse files,
no name twice. All of that is refused, so that reading takes bounded memory, and nothing is ever unpacked to a
place that the archive names.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from immure.response.errors import BundleError

MOST_FILES: Final = 100_000
_BLOCK: Final = 512
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)


class Box(Protocol):
    """Files by name."""

    path: str

    def names(self) -> tuple[str, ...]:
        """All of them."""

    def pieces(self, name: str) -> Iterator[bytes] | None:
        """The bytes of one; None if it is not there."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a bundle: where its bytes are."""

    name: str
    offset: int
    size: int


class TarBox:
    """A bundle, to read from.

    Raises:
        BundleError: it cannot be read, or is no such archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        try:
            self._stream: BinaryIO = path.open("rb")
        except OSError as error:
            raise BundleError(error.strerror or str(error), path=self.path) from error
        try:
            self._members = {one.name: one for one in _members(self._stream, self.path)}
        except OSError as error:
            self.close()
            raise BundleError(error.strerror or str(error), path=self.path) from error
        except BundleError:
            self.close()
            raise

    def names(self) -> tuple[str, ...]:
        """All files in it."""
        return tuple(self._members)

    def pieces(self, name: str) -> Iterator[bytes] | None:
        """The bytes of a file; None if it is not there."""
        member = self._members.get(name)
        return None if member is None else self._read(member)

    def _read(self, member: Member) -> Iterator[bytes]:
        left = member.size
        offset = member.offset
        while left:
            piece = os.pread(self._stream.fileno(), min(left, 1 << 20), offset)
            if not piece:
                raise BundleError(f"{member.name} is cut short", path=self.path, offset=offset)
            yield piece
            left, offset = left - len(piece), offset + len(piece)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


class FolderBox:
    """The directory of an incident, to read from as from a bundle."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder)
        self._folder = folder

    def names(self) -> tuple[str, ...]:
        """All files in the rooms of evidence and work, and of the log."""
        found = []
        for room in ("log", "evidence", "work"):
            found += [str(one.relative_to(self._folder)) for one in (self._folder / room).rglob("*")
                      if one.is_file() and not one.is_symlink() and not one.name.startswith(".")]  # fmt: skip
        return tuple(sorted(found))

    def pieces(self, name: str) -> Iterator[bytes] | None:
        """The bytes of a file; None if it is not there."""
        path = self._folder / name
        return self._read(path) if path.is_file() and not path.is_symlink() else None

    def _read(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    yield piece
        except OSError as error:
            raise BundleError(error.strerror or str(error), path=str(path)) from error

    def close(self) -> None:
        """Nothing is held."""


def copy_out(box: Box, name: str, target: Path, *, most: int) -> bool:
    """Copy a file out of a box, piece by piece; whether it is there.

    Raises:
        BundleError: it cannot be read, or is longer than ``most`` bytes.
    """
    pieces = box.pieces(name)
    if pieces is None:
        return False
    with target.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
            if stream.tell() > most:
                raise BundleError(f"{name} is longer than {most:,} bytes", path=box.path)
    return True


class TarWriter:
    """Writes a bundle: every file with the same owner and time, so that equal contents give equal bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, name: str, stream: BinaryIO, size: int) -> None:
        """A file of so many bytes; raises BundleError if it has fewer or cannot be named so."""
        facts = tarfile.TarInfo(name)
        facts.size, facts.mode = size, 0o400
        try:
            self._tar.addfile(facts, stream)
        except ValueError as error:
            raise BundleError(f"{name} cannot be put into a bundle: {error}") from error

    def add_bytes(self, name: str, data: bytes) -> None:
        """A small file."""
        self.add(name, io.BytesIO(data), len(data))

    def finish(self) -> None:
        """Write the end."""
        self._tar.close()


def _members(stream: BinaryIO, path: str) -> Iterator[Member]:
    end, offset, seen = os.fstat(stream.fileno()).st_size, 0, set[str]()
    while True:
        block = os.pread(stream.fileno(), _BLOCK, offset)
        if len(block) < _BLOCK:
            raise BundleError("is no bundle, or cut short", path=path, offset=offset)
        if not any(block):
            return
        member = _header(block, path, offset)
        if member.name in seen:
            raise BundleError(f"has {member.name} twice", path=path, offset=offset)
        if len(seen) >= MOST_FILES:
            raise BundleError(f"has more than {MOST_FILES:,} files", path=path, offset=offset)
        if member.offset + member.size > end:
            raise BundleError(f"{member.name} is cut short", path=path, offset=offset)
        seen.add(member.name)
        yield member
        offset = member.offset + -(-member.size // _BLOCK) * _BLOCK


def _header(block: bytes, path: str, offset: int) -> Member:
    """A header of POSIX.1-1988: name 0, size 124, checksum 148, type 156, magic 257, prefix 345."""
    plain = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    if _octal(block[148:156]) != plain or block[257:263] != b"ustar\0":
        raise BundleError("is no bundle: there is no header of ustar", path=path, offset=offset)
    if block[156:157] not in (b"0", b"\0"):
        raise BundleError("holds something that is no regular file", path=path, offset=offset)
    size = _octal(block[124:136])
    parts = [part.split(b"\0", 1)[0] for part in (block[345:500], block[:100])]
    name = b"/".join(part for part in parts if part).decode("latin-1")
    if size is None or not _NAME.fullmatch(name):
        raise BundleError("has a file with an odd name or size", path=path, offset=offset)
    return Member(name, offset + _BLOCK, size)


def _octal(field: bytes) -> int | None:
    text = field.strip(b" \0")
    return int(text, 8) if text and all(0x30 <= one <= 0x37 for one in text) else None
