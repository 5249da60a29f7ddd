"""Whether nothing but the spans was changed, and they are filled as they should be."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from immure.errors import RedactionError
from immure.redact.prove.kernels.probe import count_differences
from immure.redact.prove.reading import Piece
from immure.redact.prove.report import Change

#: The bytes that stand in [offset, offset + length) of a span, or of any part of one.
Fill = Callable[[int, int], bytes]


class Comparison:
    """Compares pieces of the original with the redacted image; used by all threads."""

    def __init__(self, spans: Sequence[tuple[int, int]], fill: Fill) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._fill = fill

    def examine(self, piece: Piece) -> list[Change]:
        """What is not as it should be; overwrites the original in the piece's room."""
        room, at = piece.original, piece.start - piece.low
        if room is None:
            return []
        inside = list(self._within(piece.start, piece.stop))
        for start, stop in inside:
            data = self._fill(start, stop - start)
            if len(data) != stop - start:
                raise RedactionError(f"the fill is {len(data)} bytes long", offset=start)
            room.view[start - piece.start : stop - piece.start] = data
        length = piece.stop - piece.start
        wrong, _ = count_differences(piece.redacted, at, room, 0, length)
        return list(self._where(piece, inside)) if wrong else []

    def _within(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._spans) and self._spans[index][0] < stop:
            first, last = self._spans[index]
            if last > start:
                yield max(first, start), min(last, stop)
            index += 1

    @staticmethod
    def _where(piece: Piece, inside: list[tuple[int, int]]) -> Iterator[Change]:
        """The first wrong byte of every span, and of every stretch between spans."""
        edges = [piece.start, *(edge for span in inside for edge in span), piece.stop]
        for number, (start, stop) in enumerate(pairwise(edges)):
            if piece.original is None or start == stop:
                continue
            ours, theirs = start - piece.low, start - piece.start
            wrong, first = count_differences(piece.redacted, ours, piece.original, theirs, stop - start)
            if wrong:
                yield Change(start + first, wrong, inside=number % 2 == 1)
