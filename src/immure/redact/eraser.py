"""Finds every piece of known secrets in an image, however it is aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from immure.dumps.dump import Image, Region
from immure.errors import RedactionError
from immure.redact.needles import Needle, short_writings
from immure.redact.options import NamedSecret
from immure.redact.span import Span, disjoint
from immure.scanning.chunks import Chunk, for_each_chunk, load, plan_chunks
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import Workspace

_LEAST: Final = 8
#: Bytes of a piece that are not zero: where a number ends in the midst of a word, its words say little.
_LEAST_OTHER: Final = 7
_WORD: Final = 8
#: Bytes of headers and notes that are searched at every alignment: registers stand there, eight bytes each,
#: where no pointer would.
MOST_LOOSE_BYTES: Final = 64 << 20
_PIECE: Final = 1 << 20


class Eraser:
    """Finds what is to be erased of some secrets; used by all threads."""

    def __init__(self, needles: Sequence[Needle], secrets: Sequence[NamedSecret] = ()) -> None:
        self._needles = list(needles)
        self._sweep = Sweep([needle.data for needle in needles], [False] * len(needles)) if needles else None
        self._short = [(s.name, encoding, data) for s in secrets for encoding, data in short_writings(s)]

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return self._sweep is None and not self._short

    def examine(self, space: Workspace, chunk: Chunk) -> list[Span]:
        """Spans that start in the chunk's core; the chunk is in the workspace."""
        found = [*self._pieces(space, chunk.read_start), *self._wholes(space, chunk)]
        return [
            Span(span.offset, min(span.length, chunk.read_stop - span.offset), *_what(span))
            for span in found
            if chunk.start <= span.offset < chunk.stop
        ]

    def _pieces(self, space: Workspace, base: int) -> Iterator[Span]:
        if self._sweep is None:
            return
        for index, at, inside, length in self._sweep.find(space, min_bytes=_LEAST):
            needle = self._needles[index]
            length = min(length, needle.length - inside)  # not the padding of a short one
            zeros = needle.data.count(0, inside, inside + length)
            if length >= needle.least and length - zeros >= _LEAST_OTHER:
                yield Span(base + at, length, needle.kind, needle.encoding, needle.key)

    def _wholes(self, space: Workspace, chunk: Chunk) -> Iterator[Span]:
        """Short secrets, at any place."""
        length = chunk.read_stop - chunk.read_start
        for name, encoding, data in self._short:
            at = space.buffer.find(data, 0, length)
            while at >= 0:
                yield Span(chunk.read_start + at, len(data), "secret", encoding, name)
                at = space.buffer.find(data, at + 1, length)

    def shifted(self, data: bytes, offset: int) -> Iterator[Span]:
        """Pieces in a short range of bytes, with words at every alignment."""
        for phase in range(1, min(_WORD, len(data) - _LEAST + 1)):
            space = Workspace(len(data) + _WORD)
            space.view[: len(data) - phase] = data[phase:]
            space.set_length(len(data) - phase)
            for span in self._pieces(space, offset + phase):
                if span.end <= offset + len(data):
                    yield span
            space.wipe()


def _what(span: Span) -> tuple[str, str, str | None]:
    return span.kind, span.encoding, span.key


Examine = Callable[[Workspace, Chunk], list[Span]]


def find_spans(
    image: Image,
    examiners: Sequence[Examine],
    *,
    threads: int,
    chunk_bytes: int,
    most: int,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Span]:
    """What the examiners find in an image, not yet made disjoint.

    Raises:
        RedactionError: a part of the image could not be read, or more than ``most`` places are found.
    """
    reader, spans = image.reader, []

    def examine(space: Workspace, chunk: Chunk) -> list[Span]:
        unreadable = load(reader, chunk, space)
        if unreadable:
            offset, length = unreadable[0]
            raise RedactionError(f"{length} bytes cannot be read", path=image.path, offset=offset)
        return [span for one in examiners for span in one(space, chunk)]

    for chunk, found in for_each_chunk(plan_chunks(image, chunk_bytes), chunk_bytes, examine, threads):
        spans += disjoint(found)
        if len(spans) > most:
            raise RedactionError(f"holds more than {most} places to erase: the limit", path=image.path)
        advance(chunk.stop - chunk.start)
    return spans


def loose_spans(image: Image, eraser: Eraser) -> list[Span]:
    """Single words of secrets in headers and notes, where registers are, at every alignment.

    Raises:
        RedactionError: there is more of these than :data:`MOST_LOOSE_BYTES`.
    """
    regions = [region for region in image.regions if _holds_registers(image, region)]
    if sum(region.length for region in regions) > MOST_LOOSE_BYTES:
        raise RedactionError(
            f"holds more than {MOST_LOOSE_BYTES} bytes of headers and notes", path=image.path
        )
    return [span for region in regions for span in _loose(image, eraser, region)]


def _holds_registers(image: Image, region: Region) -> bool:
    return region.kind in ("header", "notes") or (image.format == "minidump" and region.kind == "data")


def _loose(image: Image, eraser: Eraser, region: Region) -> Iterator[Span]:
    for start in range(region.offset, region.end, _PIECE):
        stop = min(start + _PIECE + _WORD, region.end)
        yield from eraser.shifted(image.reader.read(start, stop - start), start)
