"""Mail as files: messages (RFC 5322, ``.eml``) and mailboxes (RFC 4155, ``.mbox``), with their attachments.

Parts that stand in the file as they are need no decoding, the search of the file itself finds what is in
them; only what is in base64 or quoted-printable, and attachments that may be archives, are given. Read line
by line: the standard library's parser would keep all of a message in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.tables import printable
from immure.dumps.unreadable import Unreadable
from immure.watching.containers.base64_stream import base64, quoted_printable
from immure.watching.containers.part import Container, Part

#: Bytes of a line; the rest of a longer one counts as a line of its own, which is none that matters.
_LINE: Final = 1 << 12
#: Bytes of the header of one part that are looked at.
_MOST_HEADER: Final = 1 << 18
_MOST_BOUNDARIES: Final = 64
_STEP: Final = 1 << 20
#: What a line begins with that ends a body.
_MARK: Final = re.compile(rb"(?m)^(?:--|From )")
_LONGEST_MARK: Final = 8
_FIELD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,76}:[ \t]")
_KNOWN: Final = re.compile(
    rb"(?im)^(mime-version|message-id|received|return-path|subject|date|from|content-type):"
)
_PARAMETER: Final = rb"(?is);\s*%s\*?=\s*(?:\"([^\"]{0,512})\"|([^\s;\"]{1,512}))"
_BOUNDARY: Final = re.compile(_PARAMETER % b"boundary")
_FILE_NAME: Final = re.compile(_PARAMETER % rb"(?:file)?name(?:\*0)?")


@dataclass(slots=True)
class _Body:
    """What a header says of the body behind it."""

    kind: bytes = b"text/plain"
    encoding: bytes = b""
    boundary: bytes | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A body, and the bytes that it takes up."""

    body: _Body
    start: int
    stop: int


def detect(head: bytes) -> bool:
    """Whether a file begins with header fields of a message, or as a mailbox does."""
    if head.startswith(b"From "):
        head = head.partition(b"\n")[2]
    return _FIELD.match(head) is not None and len(_KNOWN.findall(head)) >= 2


def parts(shared: SharedReader, limits: Limits) -> Iterator[Part | Unreadable]:
    """Attachments and encoded texts, in the order of the file."""
    shared.reader.wait()
    for number, found in enumerate(_bodies(shared.reader), 1):
        if number > limits.max_members:
            yield Unreadable("", f"holds more than {limits.max_members} parts: the rest is not opened")
            return
        reader = _open(shared, found, limits)
        if reader is not None:
            yield Part(found.body.name or f"part {number}", reader)


def _open(shared: SharedReader, found: _Found, limits: Limits) -> Reader | None:
    """The bytes of a body; None if the file's own bytes are the same."""
    body, start, stop = found.body, found.start, found.stop
    decode = {b"base64": base64, b"quoted-printable": quoted_printable}.get(body.encoding)
    if decode is None:
        plain = body.kind.startswith((b"text/", b"multipart/"))
        return None if plain else PiecesReader(shared, ((0, start, stop - start),), stop - start)
    return SpoolReader(decode(shared.acquire(), start, stop), "mail", limits, shared.release)


def _bodies(reader: Reader) -> Iterator[_Found]:
    walk, position, size = _Walk(), 0, reader.size or 0
    while position < size:
        if walk.header is None:
            position = _next_mark(reader, position)
            walk.blank = reader.read(max(0, position - 2), 2).endswith(b"\n\n") or (
                reader.read(max(0, position - 4), 4) == b"\r\n\r\n"
            )
        line = reader.read(position, _LINE)
        line = line[: line.find(b"\n") + 1 or len(line)]
        if not line:
            break
        found = walk.take(position, line)
        if found is not None:
            yield found
        position += len(line)
    found = walk.finish(size)
    if found is not None:
        yield found


def _next_mark(reader: Reader, position: int) -> int:
    """Where, from the beginning of a line on, the next line begins that may end a body; or the end of all."""
    while data := reader.read(position, _STEP):
        found = _MARK.search(data)
        if found is not None:
            return position + found.start()
        if len(data) < _STEP:
            return position + len(data)
        position += data.rfind(b"\n") + 1 or len(data) - _LONGEST_MARK
    return position


@dataclass(slots=True)
class _Walk:
    """Where in a message a line stands."""

    boundaries: list[bytes] = field(default_factory=list)
    header: bytearray | None = field(default_factory=bytearray)  # None in a body
    body: _Body | None = None  # None between parts
    start: int = 0
    blank: bool = True  # the line before was empty
    begins: bool = True  # the line before had an end

    def take(self, at: int, line: bytes) -> _Found | None:
        """Take a line; the body that it ends, if it ends one."""
        blank, begins = self.blank, self.begins
        self.blank, self.begins = line in (b"\n", b"\r\n"), line.endswith(b"\n")
        if begins and line.startswith(b"From ") and blank:
            found = self.finish(at)
            self.boundaries, self.header = [], bytearray()
            return found
        if begins and line.startswith(b"--") and (depth := self._bounded(line)) is not None:
            return self._bound(at, line, depth)
        if self.header is not None:
            if self.blank and begins:
                self._body(at + len(line))
            elif len(self.header) + len(line) <= _MOST_HEADER:
                self.header += line
        return None

    def finish(self, at: int) -> _Found | None:
        """The body that ends here."""
        body, self.body = self.body, None
        return _Found(body, self.start, at) if body is not None and at > self.start else None

    def _bounded(self, line: bytes) -> int | None:
        """Which boundary this line is."""
        text = line.rstrip()[2:]
        for depth in range(len(self.boundaries) - 1, -1, -1):
            if text in (self.boundaries[depth], self.boundaries[depth] + b"--"):
                return depth
        return None

    def _bound(self, at: int, line: bytes, depth: int) -> _Found | None:
        found = self.finish(at)
        closes = line.rstrip() != b"--" + self.boundaries[depth]
        del self.boundaries[depth if closes else depth + 1 :]
        self.header = None if closes else bytearray()
        return found

    def _body(self, at: int) -> None:
        body = _read_header(bytes(self.header or b""))
        self.header = None
        if body.boundary is not None and len(self.boundaries) < _MOST_BOUNDARIES:
            self.boundaries.append(body.boundary)
        elif body.kind == b"message/rfc822" and not body.encoding:
            self.header = bytearray()
        else:
            self.body, self.start = body, at


def _read_header(header: bytes) -> _Body:
    body = _Body()
    for line in re.sub(rb"\r?\n[ \t]+", b" ", header).splitlines():
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-type":
            body.kind = value.partition(b";")[0].strip().lower()
            body.boundary = _parameter(_BOUNDARY, value) if body.kind.startswith(b"multipart/") else None
        elif name == b"content-transfer-encoding":
            encoding = value.lower()
            body.encoding = encoding if encoding not in (b"7bit", b"8bit", b"binary") else b""
        if name in (b"content-type", b"content-disposition"):
            body.name = printable(_parameter(_FILE_NAME, value) or b"", 256) or body.name
    return body


def _parameter(pattern: re.Pattern[bytes], value: bytes) -> bytes | None:
    found = pattern.search(value)
    return (found[1] or found[2]) if found else None


CONTAINER: Final = Container("mail", detect, parts)
