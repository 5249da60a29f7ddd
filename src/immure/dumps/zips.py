"""Members of zip archives (PKWARE APPNOTE 6.3): stored ones read in place, compressed ones through the
spool."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from immure.dumps.compression import MEMBER_CODECS, decompress_member
from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.tables import printable
from immure.errors import ImageError, LimitError

_MAX_DIRECTORY = 16 << 20  # the central directory is read whole
_LOCAL = struct.Struct("<4s22xHH")
#: what the standard library raises on foreign bytes, found by fuzzing
_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, struct.error, OverflowError,
    IndexError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the central directory has it. ``problem`` says why it is not to be opened."""

    name: str
    method: int
    header_offset: int
    compressed: int
    size: int
    crc: int
    problem: str | None = None
    skipped: bool = False


def detect(head: bytes) -> bool:
    """Whether a file begins with a local header, or is an empty archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def entries(path: str, reader: Reader) -> Iterator[Entry]:
    """The members that the central directory names; directories left out.

    Raises:
        ImageError: there is no usable central directory.
    """
    try:
        with zipfile.ZipFile(_File(reader)) as archive:
            found = archive.infolist()
    except LimitError as error:
        raise ImageError(f"the zip directory cannot be read: {error.reason}", path=path) from error
    except _BROKEN as error:
        raise ImageError(f"the zip directory cannot be read: {error}", path=path) from error
    for info in found:
        if not info.filename.endswith("/"):
            yield _entry(info)


def _entry(info: zipfile.ZipInfo) -> Entry:
    kind = info.external_attr >> 28  # the file type of Unix modes
    problem = None
    skipped = False
    if info.flag_bits & 1:
        problem = "is encrypted: not opened"
    elif info.create_system == 3 and kind not in (0, 8):
        problem, skipped = "is a link or device: skipped", True
    elif info.compress_type and info.compress_type not in MEMBER_CODECS:
        problem = f"is compressed by method {info.compress_type}, which is not supported"
    name = printable(info.filename.encode("utf-8", "surrogateescape")) or "(no name)"
    return Entry(
        name, info.compress_type, info.header_offset, info.compress_size, info.file_size, info.CRC,
        problem, skipped,
    )  # fmt: skip


def open_entry(path: str, shared: SharedReader, entry: Entry, limits: Limits) -> Reader:
    """The bytes of a member. What is wrong with it is among the reader's faults."""
    reader = shared.reader
    raw = reader.read(entry.header_offset, _LOCAL.size) if entry.header_offset >= 0 else b""
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
        return PiecesReader(shared, (), 0, "the member's local header is broken")
    _, name_length, extra_length = _LOCAL.unpack(raw)
    data = entry.header_offset + _LOCAL.size + name_length + extra_length
    held = max(0, min(entry.compressed, (reader.size or 0) - data))
    fault = None if held == entry.compressed else "the archive ends before the end of this member"
    source = PiecesReader(shared, ((0, data, held),), held, fault)
    if entry.method == 0:
        return source
    return SpoolReader(_checked(source, entry), path, limits, source.close)


def _checked(source: Reader, entry: Entry) -> Iterator[bytes]:
    crc = 0
    for piece in decompress_member(source, entry.method):
        crc = zlib.crc32(piece, crc)
        yield piece
    if crc != entry.crc:
        raise ImageError("the member's checksum differs: its bytes are damaged")


class _File(io.RawIOBase):
    """A reader as a file object that gives only so much at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._size = reader.size or 0
        self._position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, self._size)[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size > _MAX_DIRECTORY:
            raise LimitError(f"{size} bytes where at most {_MAX_DIRECTORY} are read")
        data = self._reader.read(self._position, size)
        self._position += len(data)
        return data
