"""Rows of CSV with a header, however broken: the byte offset of each is known, so that reading can go on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.stream import Stream

_DELIMITERS: Final = ",;\t|"


class Rows:
    """Reads a stream of CSV.

    A title that is there twice (exports that were joined) gets its first value, unless that is empty. A
    header in the midst of the file, as where files were joined, is passed over.

    Attributes:
        header: the titles.
        place, line: of what follows the row that was given last.
    """

    def __init__(self, stream: Stream, out: Gathering, *, ended: bool = True) -> None:
        self._stream, self._out, self._whole = stream, out, ended
        self.place, self.line = stream.offset, 1
        self._buffer, self._taken = b"", 0
        self._delimiter = ","
        self._broken = False
        self.header = self._read_header()

    def skip(self, to: int, line: int) -> None:
        """Go on at an offset behind the header; see :attr:`place`."""
        there = self._stream.offset - len(self._buffer)
        if to <= self._stream.offset:
            self._taken = max(self._taken, to - there)
        else:
            self._buffer, self._taken = b"", 0
            self._stream.skip(to)
        self.place, self.line = to, line

    def rows(self) -> Iterator[tuple[Where, dict[str, str]]]:
        """The rows, as titles and values; the places are those of the rows' beginnings."""
        csv.field_size_limit(max(csv.field_size_limit(), self._out.limits.record))
        while True:
            where = Where(self.place, self.line)
            cells = self._one()
            if cells is None:
                return
            if not cells or cells == self.header:
                self._out.read += bool(cells)
                if cells:
                    self._out.passed("header")
                continue
            self._out.read += 1
            if len(cells) < len(self.header) and self._broken:
                self._out.lost("torn", where)
                continue
            row: dict[str, str] = {}
            for title, cell in zip(self.header, cells, strict=False):
                if cell or title not in row:
                    row[title] = row.get(title) or cell
            if len(cells) > len(self.header):
                self._out.partly("field", where, "(more cells than titles)")
            yield where, row

    def _read_header(self) -> list[str]:
        line = self._line()
        text = line.decode("utf-8", "replace").strip("\r\n")
        if text.lower().startswith("sep="):  # for Excel
            return self._read_header()
        if text.startswith("#TYPE "):  # Export-Csv of PowerShell 5
            return self._read_header()
        self._delimiter = max(_DELIMITERS, key=text.count)
        try:
            cells = next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:  # a carriage return in the middle, or a title without end
            cells = text.split(self._delimiter)
        return [cell.strip() for cell in cells]

    def _one(self) -> list[str] | None:
        """The cells of the next row; None at the end."""
        self._broken = False
        reader = csv.reader(self._texts(), delimiter=self._delimiter)
        begun, line = self.place, self.line
        try:
            cells = next(reader, None)
        except csv.Error:
            self._out.read += 1
            self._out.lost("too-long", Where(begun, line))
            return []
        if cells is not None and self._broken and not self._whole:
            self.place, self.line, cells = begun, line, None  # the rest of it may come yet
        return cells

    def _texts(self) -> Iterator[str]:
        """Lines as the reader wants them: as many as a row has."""
        size = 0
        while line := self._line():
            size += len(line)
            if size > 2 * self._out.limits.record:
                raise csv.Error("a row that does not end")
            yield line.decode("utf-8", "replace")
        self._broken = size > 0

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n", self._taken)) < 0:
            piece = self._stream.read(self._out.limits.block)
            if not piece or len(self._buffer) - self._taken > 2 * self._out.limits.record:
                end = len(self._buffer) - 1
                break
            self._buffer, self._taken = self._buffer[self._taken :] + piece, 0
        line = self._buffer[self._taken : end + 1]
        if not line.endswith(b"\n") and not self._whole and len(line) <= self._out.limits.record:
            return b""
        self._taken = end + 1
        self.place += len(line)
        self.line += 1
        return line
