"""Archives of ``ar``: Debian packages (deb(5)), static libraries.

Layout: ``ar.h``: a header of 60 bytes in ASCII before each member, members at even offsets; GNU's table of
long names (``//``) and BSD's names in front of the bytes (``#1/LENGTH``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.tables import printable
from immure.dumps.unreadable import Unreadable
from immure.watching.containers.part import Container, Part

MAGIC: Final = b"!<arch>\n"
_HEADER: Final = 60
_MOST_NAME: Final = 1024
_MOST_TABLE: Final = 1 << 20


def detect(head: bytes) -> bool:
    """Whether a file begins as such an archive does."""
    return head.startswith(MAGIC)


def parts(shared: SharedReader, limits: Limits) -> Iterator[Part | Unreadable]:
    """The members. One that is cut off is given as far as it goes."""
    reader = shared.reader
    reader.wait()
    size = reader.size or 0
    position, table = len(MAGIC), b""
    for _ in range(limits.max_members):
        if position >= size:
            return
        header = reader.read(position, _HEADER)
        length = _decimal(header[48:58])
        if len(header) < _HEADER or header[58:60] != b"`\n" or length is None:
            yield Unreadable("", f"no ar header at offset {position:#x}: the rest is not opened")
            return
        data, name = position + _HEADER, header[:16].rstrip(b" ")
        position = data + length + length % 2
        if name == b"//":
            table = reader.read(data, min(length, _MOST_TABLE))
        elif name not in (b"/", b"/SYM64/"):  # tables of symbols
            yield _member(shared, name, table, data, length)
    yield Unreadable("", f"holds more than {limits.max_members} members: the rest is not opened")


def _member(shared: SharedReader, name: bytes, table: bytes, data: int, length: int) -> Part:
    reader = shared.reader
    if name.startswith(b"#1/"):
        width = min(_decimal(name[3:]) or 0, length, _MOST_NAME)
        name, data, length = reader.read(data, width).rstrip(b"\0"), data + width, length - width
    elif name.startswith(b"/"):
        at = _decimal(name[1:])
        name = table[at : at + _MOST_NAME].split(b"\n", 1)[0] if at is not None else name
    held = max(0, min(length, (reader.size or 0) - data))
    fault = "the archive ends before the end of this member" if held < length else None
    return Part(printable(name.removesuffix(b"/")) or "(no name)", _piece(shared, data, held, fault))


def _piece(shared: SharedReader, data: int, length: int, fault: str | None) -> Reader:
    return PiecesReader(shared, ((0, data, length),) if length else (), length, fault)


def _decimal(text: bytes) -> int | None:
    text = text.strip(b" ")
    return int(text) if text.isdigit() and len(text) < 16 else None


CONTAINER: Final = Container("ar", detect, parts, covers=True)
