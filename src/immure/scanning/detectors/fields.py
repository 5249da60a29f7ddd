"""Where scalars stand in Java heap dumps: at the beginning of arrays, at any byte.

In an HPROF file objects follow one another without padding, so that numbers stand at words' boundaries by
chance only. But each primitive array says how long it is: four bytes of length and one of type stand in front
of its elements (HPROF binary format 1.0.2, ``GC_PRIM_ARRAY_DUMP``).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from immure.scanning.kernels.strings import Anchors
from immure.scanning.kernels.workspace import Workspace

_BYTE, _INT = 8, 10  # element types
_OCTET_STRING: Final = 4


class ArrayStarts:
    """Finds arrays that may hold a number of one of some widths, in bytes."""

    def __init__(self, widths: Iterable[int]) -> None:
        self._heads = sorted({head for width in widths for head in _heads(width)})
        self._anchors = Anchors([head for head, _ in self._heads])

    def find(self, space: Workspace, start: int, stop: int) -> array[int]:
        """Offsets in the workspace of where the numbers would begin; the arrays begin in [start, stop)."""
        found = array("q")
        for at, index in self._anchors.find_between(space, start, stop):
            head, skip = self._heads[index]
            found.append(at + len(head) + skip)
        return found


def _heads(width: int) -> Iterator[tuple[bytes, int]]:
    """What stands in front of a number of so many bytes, and how many more bytes of zeros."""
    yield struct.pack(">IB", width, _BYTE), 0
    yield struct.pack(">IBB", width + 1, _BYTE, 0), 0  # BigInteger.toByteArray: a byte for the sign
    yield struct.pack(">IBBB", width + 2, _BYTE, _OCTET_STRING, width), 0  # as PKCS#8 wraps it
    words = -(-width // 4)
    yield struct.pack(">IB", words, _INT), 4 * words - width  # BigInteger.mag
