"""Members of zip archives (PKWARE APPNOTE 6.3): stored ones read in place, compressed ones through the
spool."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from immure.dumps.compression import MEMBER_CODECS, decompress_member
from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.tables import printable
from immure.errors import ImageError, LimitError

_MAX_DIRECTORY = 16 << 20  # the central directory is read whole
_LOCAL = struct.Struct("<4s22xHH")
_LOCAL_FIELDS = struct.Struct("<4xHHH4xIIIHH")  # from the version on
_HEADER, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_SIZES_FOLLOW, _IN_EXTRA = 8, 0xFFFFFFFF
_MAX_NAME = 4096
_MOST_SIGNATURES = 1_000_000
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
    crc: int | None
    problem: str | None = None
    skipped: bool = False


def detect(head: bytes) -> bool:
    """Whether a file begins with a local header, or is an empty archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def entries(path: str, reader: Reader) -> Iterator[Entry]:
    """The members that the central directory names; directories left out.

    Of an archive that is cut short this directory is missing, which stands at its end: then the members come
    first that are found by their own headers, one behind the other.

    Raises:
        ImageError: there is no usable central directory.
    """
    try:
        yield from _listed(path, reader)
    except ImageError as error:
        yield from _walk(reader)
        raise ImageError(f"{error.reason}: members were sought by their own headers", path=path) from error


def _listed(path: str, reader: Reader) -> Iterator[Entry]:
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
    problem, skipped = _obstacle(info.flag_bits, info.compress_type), False
    if info.create_system == 3 and kind not in (0, 8) and not info.flag_bits & 1:
        problem, skipped = "is a link or device: skipped", True
    name = printable(info.filename.encode("utf-8", "surrogateescape")) or "(no name)"
    return Entry(
        name, info.compress_type, info.header_offset, info.compress_size, info.file_size, info.CRC,
        problem, skipped,
    )  # fmt: skip


def _walk(reader: Reader) -> Iterator[Entry]:
    """Members by their local headers (APPNOTE 4.3.7), which stand before their bytes."""
    position: int | None = 0
    search = _Search(reader)
    while position is not None:
        raw = reader.read(position, _LOCAL_FIELDS.size)
        if len(raw) < _LOCAL_FIELDS.size or raw[:4] != _HEADER:
            return
        _, flags, method, crc, compressed, size, name_length, extra_length = _LOCAL_FIELDS.unpack(raw)
        name = printable(reader.read(position + len(raw), min(name_length, _MAX_NAME))) or "(no name)"
        data = position + len(raw) + name_length + extra_length
        entry = Entry(name, method, position, compressed, size, crc, _obstacle(flags, method))
        if flags & _SIZES_FOLLOW or _IN_EXTRA in (compressed, size):
            # the sizes stand behind the bytes, or in an extra field: nothing of them is needed but the end
            length = search.end_of_data(data) - data
            entry = replace(entry, compressed=length, size=length, crc=None)
        if not name.endswith("/"):
            yield entry
        position = next(search.places(_HEADER, data + entry.compressed), None)


class _Search:
    """Looks for signatures in an archive, so often and no more: foreign bytes may be full of them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = _MOST_SIGNATURES

    def places(self, needle: bytes, start: int) -> Iterator[int]:
        """Offsets of ``needle`` from ``start`` on."""
        step = 1 << 12  # little at first: the next member may be near
        while start < (self._reader.size or 0) and self._left > 0:
            piece = self._reader.read(start, step)
            at = piece.find(needle)
            while at >= 0 and self._left > 0:
                self._left -= 1
                yield start + at
                at = piece.find(needle, at + 1)
            if len(piece) < len(needle):
                return
            start += len(piece) - len(needle) + 1
            step = min(2 * step, 1 << 20)

    def end_of_data(self, data: int) -> int:
        """Where the bytes of a member end: before a descriptor that says how far it is to there (APPNOTE
        4.3.9), or with the file."""
        for at in self.places(_DESCRIPTOR, data):
            raw = self._reader.read(at + 8, 8)
            if at - data in (int.from_bytes(raw[:4], "little"), int.from_bytes(raw, "little")):
                return at
        return max(data, self._reader.size or 0)


def _obstacle(flags: int, method: int) -> str | None:
    if flags & 1:
        return "is encrypted: not opened"
    if method and method not in MEMBER_CODECS:
        return f"is compressed by method {method}, which is not supported"
    return None


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
    if entry.crc is not None and crc != entry.crc:
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
