"""Some records of JSON that stand one behind the other: lines, or elements of an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from immure.detections.sources.gathering import Where

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Block:
    """See the module.

    Attributes:
        body: the bytes; of an array without its brackets, and with the commas between its elements.
        offset, line: of its first byte; ``line`` is 0 in arrays.
        array: whether it is of an array.
        breaks: line breaks that are in it.
        torn: whether it is a last line without its end, which may be half a record.
    """

    body: bytes
    offset: int
    line: int = 0
    array: bool = False
    breaks: int = 0
    torn: bool = False

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.offset + len(self.body)

    def pieces(self) -> Iterator[tuple[Where, bytes]]:
        """The records that are in it, with their places; empty lines are none."""
        if self.array:
            yield from self._elements()
            return
        offset = self.offset
        for number, line in enumerate(self.body.split(b"\n"), self.line):
            if line and not line.isspace():
                yield Where(offset, number), line
            offset += len(line) + 1

    def _elements(self) -> Iterator[tuple[Where, bytes]]:
        place = 0
        for raw in _ELEMENTS.decode(b"[%b]" % self.body):
            piece = bytes(raw)
            place = self.body.index(piece, place)
            yield Where(self.offset + place), piece
            place += len(piece)
