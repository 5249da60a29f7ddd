"""What a redaction makes: a file, or a view of the original in which the spans are filled."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from immure.dumps.dump import Image, Missing, Reader
from immure.dumps.readers import FileReader
from immure.redact.apply import Digest, fill_spans, write_redacted
from immure.redact.opening import open_one
from immure.redact.span import Span
from immure.scanning.options import Progress


class Copy(ABC):
    """The image without the spans, made anew in each round of a proof."""

    def __init__(self, path: str, image: Image, progress: Progress) -> None:
        self._path = path
        self._image = image
        self._progress = progress

    @abstractmethod
    def make(self, spans: Sequence[Span], before: Digest | None) -> Digest:
        """Make it, and give the digest of its bytes; ``before`` is given those of the original."""

    @abstractmethod
    def reopened(self) -> Image:
        """What was made, read anew; close it."""


class FileCopy(Copy):
    """A copy in a file that is open for writing and reading, compressed by ``codec`` if there is one."""

    def __init__(self, path: str, image: Image, progress: Progress, out: BinaryIO, codec: str | None) -> None:
        super().__init__(path, image, progress)
        self._out = out
        self._codec = codec

    def make(self, spans: Sequence[Span], before: Digest | None) -> Digest:
        """See :meth:`Copy.make`."""
        self._progress.phase("write")
        self._out.seek(0)
        self._out.truncate()
        size, advance = self._image.reader.size or 0, self._progress.advance
        return write_redacted(
            self._image.reader, size, spans, self._out, self._codec, self._path, advance, before
        )

    def reopened(self) -> Image:
        """The bytes of this very file, whatever its name leads to."""
        return open_one(self._path, FileReader(os.dup(self._out.fileno()), self._path))


class ViewCopy(Copy):
    """No copy at all: whoever reads it reads the original, with the spans filled on the way."""

    def __init__(self, path: str, image: Image, progress: Progress) -> None:
        super().__init__(path, image, progress)
        self.reader: Reader = image.reader

    def make(self, spans: Sequence[Span], before: Digest | None) -> Digest:
        """See :meth:`Copy.make`; the bytes are read once for their digest."""
        self._progress.phase("write")
        self.reader = FilledReader(self._image.reader, spans)
        size, advance = self._image.reader.size or 0, self._progress.advance
        nowhere: Any = _Nowhere()
        return write_redacted(self._image.reader, size, spans, nowhere, None, self._path, advance, before)

    def reopened(self) -> Image:
        """The view, parsed as any image is."""
        return open_one(self._path, self.reader)


class FilledReader(Reader):
    """The bytes of another reader with the spans filled; that one stays open."""

    def __init__(self, reader: Reader, spans: Sequence[Span]) -> None:
        self._reader = reader
        self._spans = tuple(spans)
        self._starts = [span.offset for span in spans]
        self.size = reader.size

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`."""
        got = self._reader.read_into(offset, view)
        fill_spans(view[:got], offset, self._spans, self._starts)
        return got

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Those of the other reader, and the spans: fill may stand where there was a hole."""
        ranges = [*self._reader.extents(start, stop), *self._filled(start, stop)]
        begun: tuple[int, int] | None = None
        for first, last in sorted(ranges):
            if begun is not None and first <= begun[1]:
                begun = begun[0], max(begun[1], last)
                continue
            if begun is not None:
                yield begun
            begun = first, last
        if begun is not None:
            yield begun

    def _filled(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._spans)):
            first, last = max(start, self._spans[index].offset), min(stop, self._spans[index].end)
            if first >= stop:
                return
            if first < last:
                yield first, last

    def faults(self) -> tuple[Missing, ...]:
        """See :meth:`Reader.faults`."""
        return self._reader.faults()


class _Nowhere:
    """Takes what is written and keeps nothing."""

    def seek(self, offset: int) -> None:
        pass

    def write(self, data: Any) -> None:
        pass

    def flush(self) -> None:
        pass

    def truncate(self, size: int) -> None:
        pass
