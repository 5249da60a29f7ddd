"""Where numbers begin that stand behind their length, at any byte.

Quick mode visits the ends of runs of words, and words are eight bytes long. What a program has written into a
buffer of bytes stands at any byte of it, with other fields around: but most formats say how long a field is,
and that stands right in front. So the places behind such lengths are visited besides.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from immure.scanning.kernels.strings import Anchors
from immure.scanning.kernels.workspace import Workspace

#: What stands in front of a number, and how many more bytes of zeros.
Head: TypeAlias = tuple[bytes, int]

_BYTE, _INT = 8, 10  # element types of HPROF
_OCTET_STRING: Final = 4
#: Bytes in front of a run in which a field's length may begin: all of it may be zeros and small numbers.
_PAD: Final = 16
#: Fields of one chunk that are followed up.
FIELD_LIMIT: Final = 1 << 16


def java_heads(width: int) -> Iterator[Head]:
    """Of arrays in a heap dump: four bytes of length and one of type (HPROF binary format 1.0.2,
    ``GC_PRIM_ARRAY_DUMP``). Objects follow one another there without padding."""
    yield struct.pack(">IB", width, _BYTE), 0
    yield struct.pack(">IBB", width + 1, _BYTE, 0), 0  # BigInteger.toByteArray: a byte for the sign
    yield struct.pack(">IBBB", width + 2, _BYTE, _OCTET_STRING, width & 255), 0  # as PKCS#8 wraps it
    words = -(-width // 4)
    yield struct.pack(">IB", words, _INT), 4 * words - width  # BigInteger.mag


def scalar_heads(width: int) -> Iterator[Head]:
    """Of scalars and seeds: strings and numbers of SSH (RFC 4251, section 5), octet strings of EC private
    keys (RFC 5915) and of Edwards curves (RFC 8410), S-expressions as libgcrypt writes and keeps them."""
    yield struct.pack(">I", width), 0
    yield struct.pack(">IB", width + 1, 0), 0
    if width == 32:
        yield struct.pack(">I", 64), 0  # a seed with the public key behind it
    yield bytes((2, 1, 1, _OCTET_STRING, width)), 0
    yield bytes((_OCTET_STRING, width + 2, _OCTET_STRING, width)), 0
    yield b"1:d%d:" % width, 0
    yield b"1:d%d:\0" % (width + 1), 0
    yield b"d\x01" + struct.pack("<H", width), 0
    yield b"d\x01" + struct.pack("<HB", width + 1, 0), 0


class Fields:
    """Finds numbers of some widths, in bytes, behind what ``heads`` says.

    Args:
        everywhere: also where no run of words is near.
    """

    def __init__(
        self, widths: Iterable[int], heads: Callable[[int], Iterable[Head]], *, everywhere: bool = False
    ) -> None:
        self._heads = sorted({head for width in widths for head in heads(width)})
        self._anchors = Anchors([head for head, _ in self._heads])
        self._everywhere = everywhere

    def find(self, space: Workspace, start: int, stop: int) -> array[int]:
        """Offsets in the workspace of where the numbers would begin; their heads begin in [start, stop)."""
        found = array("q")
        for at, index in self._places(space, start, stop):
            head, skip = self._heads[index]
            found.append(at + len(head) + skip)
        return found

    def _places(self, space: Workspace, start: int, stop: int) -> Iterator[tuple[int, int]]:
        if self._everywhere:
            return self._anchors.find_between(space, start, stop)
        places, _ = self._anchors.find(space, pad=_PAD, limit=FIELD_LIMIT)
        return (place for place in places if start <= place[0] < stop)
