"""Reading tar archives at random: where each member's bytes stand.

POSIX ustar and pax (IEEE 1003.1-2017, pax, "ustar Interchange Format"), GNU long names, sparse files (type
``S`` and pax sparse format 1.0) and base-256 numbers. Not the standard library's ``tarfile``: that one
reads pax headers of any length into memory and has looped on negative sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from immure.dumps.dump import Reader
from immure.dumps.tables import FAR, printable
from immure.errors import ImageError

BLOCK = 512
_MAX_EXTENSION = 1 << 20  # bytes of a long name, pax header or sparse map
_MAX_PIECES = 1 << 16
_KINDS = {"1": "a hard link", "2": "a symbolic link", "3": "a character device", "4": "a block device",
          "6": "a FIFO"}  # fmt: skip

Pieces = list[tuple[int, int, int]]


@dataclass(slots=True)
class Entry:
    """A member: ``stored`` bytes at ``offset`` in the archive make a file of ``size`` bytes.

    ``pieces`` are (offset in the file, offset in the archive, length). ``problem`` says why it is not to
    be opened; ``skipped`` that it has no bytes of its own.
    """

    name: str
    size: int
    offset: int
    stored: int
    pieces: Pieces = field(default_factory=list)
    problem: str | None = None
    skipped: bool = False


@dataclass(slots=True)
class _Extension:
    """What extension headers say of the member that follows them."""

    name: str | None = None
    size: int | None = None
    sparse: dict[str, str] = field(default_factory=dict)


def detect(head: bytes) -> bool:
    """Whether a file begins with a ustar header whose checksum holds."""
    return head[257:262] == b"ustar" and len(head) >= BLOCK and _checksum_holds(head[:BLOCK])


def walk(path: str, reader: Reader) -> Iterator[Entry]:
    """The members in their order, directories left out. Concatenated archives are one.

    A header that is broken ends the walk with an entry that has a ``problem``.
    """
    position = 0
    extension = _Extension()
    while True:
        header = reader.read(position, BLOCK)
        try:
            if not header.strip(b"\0"):
                following = _next_header(path, reader, position)
                if following is None:
                    return
                position = following
                continue
            position, entry = _member(path, reader, position, header, extension)
        except ImageError as error:
            yield Entry(f"(offset {position:#x})", 0, 0, 0, problem=f"{error.reason}: the rest is not opened")
            return
        if entry is not None:
            extension = _Extension()
            if entry.name or entry.problem:
                yield entry


def _next_header(path: str, reader: Reader, position: int) -> int | None:
    """Pass over blocks of zeros, and over holes at once; None at the end."""
    step = 1 << 20
    for first, last in reader.extents(position, FAR if reader.size is None else reader.size):
        while first < last:
            raw = reader.read(first, min(step, last - first))
            stripped = raw.lstrip(b"\0")
            if stripped:
                found = first + len(raw) - len(stripped)
                return found - (found - position) % BLOCK
            if not raw:
                raise ImageError("the archive cannot be read from here on", path=path, offset=first)
            first += len(raw)
    return None


def _member(
    path: str, reader: Reader, position: int, header: bytes, extension: _Extension
) -> tuple[int, Entry | None]:
    """The position behind this member, and its entry (None for extensions, nameless for directories)."""
    if len(header) < BLOCK or not _checksum_holds(header):
        raise ImageError("no tar header where one is due", path=path, offset=position)
    kind = header[156:157].decode("latin-1")
    stored = _number(header[124:136], path, position)
    data = position + BLOCK
    if kind in "xgLK":
        if kind in "xL":
            _extend(reader, data, stored, kind, extension, path)
        return data + _padded(stored), None
    if extension.size is not None:
        stored = extension.size
    name = extension.name or _name(header)
    if kind == "5":
        return data, Entry("", 0, data, 0)
    if kind in _KINDS:
        problem = f"is {_KINDS[kind]}: skipped"
        return data, Entry(name, 0, data, 0, problem=problem, skipped=True)
    entry = Entry(name, stored, data, stored, [(0, data, stored)])
    if kind == "S":
        entry.size = _number(header[483:495], path, position)
        entry.offset = _gnu_sparse(reader, header, data, entry, path)
    elif extension.sparse:
        _pax_sparse(reader, extension.sparse, entry, path)
    return entry.offset + _padded(stored), entry


def _extend(reader: Reader, data: int, length: int, kind: str, extension: _Extension, path: str) -> None:
    if length > _MAX_EXTENSION:
        raise ImageError(f"an extension header of {length} bytes", path=path, offset=data)
    raw = reader.read(data, length)
    if kind == "L":
        extension.name = printable(raw.split(b"\0")[0])
        return
    while raw:
        size, _, _ = raw.partition(b" ")
        if not size.isdigit() or not len(size) + 1 < int(size[:8]) <= len(raw):
            raise ImageError("a broken pax header", path=path, offset=data)
        record, raw = raw[len(size) + 1 : int(size)], raw[int(size) :]
        key, _, value = record.rstrip(b"\n").partition(b"=")
        if key in (b"path", b"GNU.sparse.name"):
            extension.name = printable(value)
        elif key == b"size" and value.isdigit() and len(value) < 20:
            extension.size = min(int(value), FAR)
        elif key.startswith(b"GNU.sparse."):
            extension.sparse[printable(key[11:])] = printable(value)


def _gnu_sparse(reader: Reader, header: bytes, data: int, entry: Entry, path: str) -> int:
    """Fill in the pieces of a type ``S`` member; where its data begin."""
    table, more = header[386:482], header[482]
    pairs: list[tuple[int, int]] = []
    while True:
        for at in range(0, len(table), 24):
            if table[at]:
                pairs.append(
                    (_number(table[at : at + 12], path, data), _number(table[at + 12 : at + 24], path, data))
                )
        if not more or len(pairs) > _MAX_PIECES:
            break
        block = reader.read(data, BLOCK)
        if len(block) < BLOCK:
            raise ImageError("a sparse map is cut short", path=path, offset=data)
        table, more, data = block[:504], block[504], data + BLOCK
    _place(pairs, data, entry, path)
    return data


def _pax_sparse(reader: Reader, sparse: dict[str, str], entry: Entry, path: str) -> None:
    """Fill in the pieces of a pax sparse 1.0 member: its data begin with the map, in decimal lines."""
    size = sparse.get("realsize", "")
    if sparse.get("major") != "1" or not size.isdigit() or len(size) > 19:
        entry.problem = "is a sparse file in a form that is not understood"
        return
    raw = reader.read(entry.offset, min(entry.stored, _MAX_EXTENSION))
    lines = raw.split(b"\n", 2 * _MAX_PIECES + 2)
    count = int(lines[0]) if lines[0].isdigit() and len(lines[0]) < 7 else -1
    numbers = lines[1 : 2 * count + 1]
    if not 0 <= count <= _MAX_PIECES or len(lines) < 2 * count + 2:
        raise ImageError("a broken sparse map", path=path, offset=entry.offset)
    if not all(line.isdigit() and len(line) < 20 for line in numbers):
        raise ImageError("a broken sparse map", path=path, offset=entry.offset)
    values = [int(line) for line in numbers]
    entry.size = int(size)
    length = sum(len(line) + 1 for line in lines[: 2 * count + 1])
    _place(list(zip(values[::2], values[1::2], strict=True)), entry.offset + _padded(length), entry, path)


def _place(pairs: list[tuple[int, int]], data: int, entry: Entry, path: str) -> None:
    """Turn (offset, length) pairs into pieces, which must be in order and inside the file."""
    entry.pieces = []
    end, there = 0, data
    for here, length in pairs:
        if here < end or here + length > entry.size or len(entry.pieces) >= _MAX_PIECES:
            raise ImageError(
                "a sparse map that overlaps, is too long or leaves its file", path=path, offset=data
            )
        if length:
            entry.pieces.append((here, there, length))
        end, there = here + length, there + length


def _number(field_: bytes, path: str, position: int) -> int:
    """An octal or base-256 number."""
    if field_[0] & 0x80:
        value = int.from_bytes(field_, "big") & ~(0x80 << (8 * (len(field_) - 1)))
    else:
        text = field_.strip(b" \0")
        if text.strip(b"01234567"):
            raise ImageError("a tar header with a broken number", path=path, offset=position)
        value = int(text or b"0", 8)
    if value > FAR - position - BLOCK:
        raise ImageError("a tar header with a size beyond any file", path=path, offset=position)
    return value


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return printable(prefix + b"/" + name if prefix else name) or "(no name)"


def _checksum_holds(header: bytes) -> bool:
    text = header[148:156].strip(b" \0")
    if not text or text.strip(b"01234567"):
        return False
    return int(text, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20


def _padded(length: int) -> int:
    return (length + BLOCK - 1) // BLOCK * BLOCK
