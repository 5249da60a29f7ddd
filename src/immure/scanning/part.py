"""A part of an image that is searched on its own, by somebody who has the rest searched elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from immure.scanning.chunks import Chunk
from immure.scanning.plan import Counts


@dataclass(frozen=True, slots=True)
class Part:
    """Which chunks of an image are searched: those that begin in [start, stop), in bytes.

    Of parts that lie side by side each chunk is in exactly one, and each finding in one chunk.

    Attributes:
        start, stop: the range.
        counts: windows of the *whole* image, by which the plan is made; None to count those of the part.
        text_bytes: decoded text of the whole image, likewise.
    """

    start: int
    stop: int
    counts: Counts | None = None
    text_bytes: int = 0

    def of(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Those that belong to the part; they come in order of offset."""
        for chunk in chunks:
            if chunk.start >= self.stop:
                return
            if chunk.start >= self.start:
                yield chunk


def joined(chunks: Iterable[Chunk]) -> list[tuple[int, int]]:
    """The bytes of chunks as (start, stop), neighbours taken together."""
    spans: list[tuple[int, int]] = []
    for chunk in chunks:
        if spans and spans[-1][1] == chunk.start:
            spans[-1] = (spans[-1][0], chunk.stop)
        else:
            spans.append((chunk.start, chunk.stop))
    return spans
