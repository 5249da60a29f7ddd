"""What a source is, and how the many that are lines or arrays of JSON, or CSV, are read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from immure.detections.sources import lines
from immure.detections.sources.block import Block
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.decoding import UndecodableError, decode, unwrapped
from immure.detections.sources.documents import ENVELOPES, Documents, is_array
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.limits import Limits
from immure.detections.sources.position import Position
from immure.detections.sources.rows import Rows
from immure.detections.sources.stream import Stream
from immure.detections.sources.tables import records_of_tables
from immure.errors import InputError

#: Bytes by which a source is recognised.
HEAD: Final = 1 << 16
#: Rows of CSV that are held at once.
_PAGE: Final = 1024
_NAMES: Final = re.compile(rb'"([A-Za-z@_$][\w.@$\- ()]{0,63})\\?"\s*:')
_COLUMNS: Final = re.compile(rb'"(?:name|ColumnName)"\s*:\s*"([\w.@$\-]{1,64})"', re.IGNORECASE)
_DEFAULT: Final = Limits()


class Source(ABC):
    """A kind of log.

    Attributes:
        name: how it is called in the column ``source``.
    """

    name: ClassVar[str]

    @abstractmethod
    def detect(self, head: bytes, name: str) -> float:
        """How sure it is that a file that begins so, and is called so, is of this kind: 0 to 1."""

    @abstractmethod
    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """The chunks of a file, from a position on.

        Args:
            position: of a chunk that was read before; "" for the beginning.
            ended: whether the file grows no more; otherwise a record that is not whole is left for next time.

        Raises:
            InputError: it cannot be read, or is not the file of which the position is.
        """


class TextSource(Source):
    """A log whose records are JSON or rows of CSV. Says what a record means, not how it is found.

    Attributes:
        most: bytes of a block, if that is less than the limit.
    """

    most: ClassVar[int] = 1 << 30

    @abstractmethod
    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """Bring one record into ``out``: a row, or why there is none.

        Args:
            plain: the record; texts in it may be JSON again.
            raw: its bytes, or something as good to name it.
        """

    def block(self, block: Block, out: Gathering) -> bool:
        """Take a whole block at once; False (and nothing taken) if that cannot be done."""
        return False

    def is_array(self, body: bytes, out: Gathering) -> bool:
        """Whether this is, in brackets, an array of JSON; then it is the next that :meth:`block` gets."""
        return is_array(body)

    def rows(self, found: list[tuple[Where, dict[str, str]]], out: Gathering) -> None:
        """Bring rows of CSV, which were counted as read, into ``out``."""
        for where, row in found:
            self.record(dict(row), where, "\x1f".join(row.values()), out)

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`."""
        out, stream = Gathering(self.name, str(path), limits), Stream(path)
        try:
            start = Position.parse(position, self.name, path)
            form = _form(path)
            if form == "csv":
                yield from self._read_csv(stream, start, out, ended)
            elif form == "lines":
                yield from self._read_lines(stream, start, out, ended)
            else:
                yield from self._read_documents(stream, start, out)
        finally:
            stream.close()

    # --- the three forms ---

    def _read_lines(self, stream: Stream, start: Position, out: Gathering, ended: bool) -> Iterator[Chunk]:
        stream.skip(start.offset)
        place, line = start.offset, max(start.line, 1)
        taken = place
        for block in lines.blocks(stream, out, line=line, ended=ended, most=self.most):
            self._take(block, out)
            place, line = block.end, block.line + block.breaks
            if out.rows >= out.limits.rows or place - taken >= out.limits.chunk:
                yield out.take(start.at(place, line))
                taken = place
        self._end(stream, out)
        yield out.take(start.at(place, line))

    def _read_documents(self, stream: Stream, start: Position, out: Gathering) -> Iterator[Chunk]:
        stream.skip(start.offset)
        documents = Documents(
            stream, out, inside=start.inside, most=self.most, check=lambda body: self.is_array(body, out)
        )
        taken = start.offset
        for block in documents.blocks():
            self._take(block, out)
            if out.rows >= out.limits.rows or block.end - taken >= out.limits.chunk:
                yield out.take(start.at(documents.place, 0, inside=documents.inside))
                taken = block.end
        self._end(stream, out)
        yield out.take(start.at(documents.place, 0, inside=documents.inside))

    def _read_csv(self, stream: Stream, start: Position, out: Gathering, ended: bool) -> Iterator[Chunk]:
        rows = Rows(stream, out, ended=ended)
        if start.offset:
            rows.skip(start.offset, start.line)
        taken = rows.place
        for page in _pages(rows, out.limits.block):
            self.rows(page, out)
            if out.rows >= out.limits.rows or rows.place - taken >= out.limits.chunk:
                yield out.take(start.at(rows.place, rows.line))
                taken = rows.place
        self._end(stream, out)
        yield out.take(start.at(rows.place, rows.line))

    def _end(self, stream: Stream, out: Gathering) -> None:
        if stream.broken:
            out.read += 1
            out.lost("torn", Where(stream.offset), stream.broken)

    # --- records ---

    def _take(self, block: Block, out: Gathering) -> None:
        if not block.torn and self.block(block, out):
            return
        for where, piece in block.pieces():
            self.take(piece, where, out, torn=block.torn)

    def take(self, piece: bytes, where: Where, out: Gathering, *, torn: bool = False) -> None:
        """One piece of JSON, which may hold several records."""
        try:
            value = unwrapped(decode(piece), out.limits.encoded)
        except UndecodableError as error:
            out.read += 1
            out.lost("torn" if torn and error.code == "syntax" else error.code, where)
            return
        inner = _several(value)
        if inner is None:
            self._one(value, where, piece, out)
            return
        for one in inner:
            self._one(one, where, b"", out)

    def _one(self, value: Any, where: Where, raw: bytes, out: Gathering) -> None:
        out.read += 1
        try:
            value = unwrapped(value, out.limits.encoded)
        except UndecodableError as error:
            out.lost(error.code, where)
            return
        if isinstance(value, dict):
            self.record(value, where, raw or repr(value), out)
        else:
            out.lost("shape", where)


def _pages(rows: Rows, most: int) -> Iterator[list[tuple[Where, dict[str, str]]]]:
    """Rows of CSV, some at a time, of about so many bytes."""
    page: list[tuple[Where, dict[str, str]]] = []
    begun = rows.place
    for one in rows.rows():
        page.append(one)
        if len(page) == _PAGE or rows.place - begun >= most:
            yield page
            page, begun = [], rows.place
    if page:
        yield page


def _several(value: Any) -> Iterable[Any] | None:
    """The records of an array or an envelope; None if this is one record."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and len(value) <= 16:
        if isinstance(value.get("tables"), list):
            return records_of_tables(value["tables"])
        for key, inner in value.items():
            if key.lower() in ENVELOPES and isinstance(inner, list) and inner and isinstance(inner[0], dict):
                return inner
    return None


def head_of(path: Path) -> bytes:
    """The first bytes of a file, without compression.

    Raises:
        InputError: it cannot be opened.
    """
    stream = Stream(path)
    try:
        head = b""
        while len(head) < HEAD and (piece := stream.read(HEAD)):
            head += piece
        return head[:HEAD]
    finally:
        stream.close()


def _form(path: Path) -> str:
    return form_of(head_of(path))


def form_of(head: bytes) -> str:
    """``lines`` of JSON, ``documents`` of JSON (arrays, envelopes, or over several lines), or ``csv``."""
    text = head.lstrip(b" \t\r\n\x1e")
    if text[:1] == b"[":
        return "documents"
    if text[:1] == b"{":
        line = text.split(b"\n", 1)[0]
        if len(line) == len(text) and len(head) == HEAD:
            return "documents"  # one very long line: whatever it is, it is read piece by piece
        try:
            value = decode(line)
        except UndecodableError:
            return (
                "documents"
                if line.rstrip() in (b"{", b"{[") or (b"\n" in text[len(line) + 1 :] and _opens(line))
                else "lines"
            )
        return "documents" if _several(value) is not None and len(line) > HEAD // 2 else "lines"
    first = text.split(b"\n", 1)[0]
    return "lines" if b"{" in first and first.rstrip()[-1:] == b"}" and b'":' in first else "csv"


def _opens(line: bytes) -> bool:
    """Whether a line leaves a bracket open outside of texts, so that its record goes on in the next."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*+"', b"", line)
    return bare.count(b"{") + bare.count(b"[") > bare.count(b"}") + bare.count(b"]")


def names_in(head: bytes) -> frozenset[str]:
    """Names of members (in small letters) in a piece of JSON or in the header of CSV."""
    if form_of(head) == "csv":
        first = head.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")
        if first.startswith(("#TYPE", "sep=")):
            first = head.lstrip().split(b"\n", 2)[1].decode("utf-8", "replace")
        return frozenset(cell.strip().strip('"').lower() for cell in re.split(r"[,;\t|]", first))
    found = _NAMES.findall(head)
    if b'"columns"' in head.lower():  # tables of Log Analytics name their members so
        found += _COLUMNS.findall(head)
    return frozenset(name.decode().lower() for name in found)


def missing(path: Path) -> InputError:
    """The error for a file that no source knows."""
    return InputError("is no log that is known; see docs/reference/detection-sources.md", path=str(path))
