"""One sketch, ready to be searched for: which pieces of its secrets stand in a chunk.

The kernel says where a window's digest is in a sketch. Here that is made certain: from the window on the
neighbouring bytes are digested, one byte further each time, as far as the sketch agrees. So what is found is
exactly the longest piece of the secret that stands there; less than two windows, 17 bytes, is no finding
unless it is all of the secret.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from immure.keymaterial.sketch import WINDOW, Sketch, SketchString, whole_digest
from immure.scanning.chunks import Chunk
from immure.scanning.kernels.sketch import DigestTable, Hit
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.sketch_text import WRITINGS, Writing, bytes_around
from immure.secret import Secret

#: Agreements of one chunk that are followed up; an image that is full of a secret has them everywhere.
MOST_HITS: Final = 1 << 16
#: Windows that must agree, unless they are all there are: 128 bits of digests.
LEAST_WINDOWS: Final = 2
_PLAIN_FORMS: Final = frozenset({"raw", "text", "hex", "base64"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a secret in the image.

    Attributes:
        offset, length: where, in bytes of the image.
        sketch, secret, string: which of them, by number.
        encoding: how it is written.
        count: bytes of the string that it is.
        whole: whether that is all of it.
        data: the bytes of the string.
    """

    offset: int
    length: int
    sketch: int
    secret: int
    string: int
    encoding: str
    count: int
    whole: bool
    data: Secret[bytes] = field(compare=False, repr=False)


#: What one sketch shows in one chunk: pieces that begin in its core, digests that were made, and the offset
#: from which on there was too much to follow.
Seen = tuple[list[Piece], int, int | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    secret: int
    number: int
    string: SketchString
    first: int  # number of its first window among all of the sketch


class SketchTable:
    """One sketch, ready to be searched for by any number of threads."""

    def __init__(self, sketch: Sketch, number: int) -> None:
        self._sketch = sketch
        self._number = number
        self._entries: list[_Entry] = []
        self._digests = array("Q")
        for at, secret in enumerate(sketch.secrets):
            for index, string in enumerate(secret.strings):
                self._entries.append(_Entry(at, index, string, len(self._digests)))
                self._digests.frombytes(string.windows)
        self._digests.byteswap()
        self._starts = [entry.first for entry in self._entries]
        self._table = DigestTable(sketch.salt, self._digests, sketch.looks)
        self._lock = threading.Lock()
        self._places: dict[int, list[int]] = {}

    def examine(self, space: Workspace, chunk: Chunk, noise: Sequence[tuple[int, int]] = ()) -> Seen:
        """What of the chunk in the workspace is of the sketch, but for places in the noise."""
        hits, tried = self._table.find(space, noise)
        view = space.view[: min(space.length, chunk.read_stop - chunk.read_start)]
        found: set[Piece] = set()
        covered: dict[tuple[int, int], int] = {}
        for count, hit in enumerate(sorted(hits)):
            if count == MOST_HITS:
                return sorted(found, key=_order), tried, chunk.read_start + hit.at
            for window in self._places_of(hit.digest):
                entry = self._entries[bisect_right(self._starts, window) - 1]
                way = entry.first, hit.kind
                if hit.at < covered.get(way, 0):
                    continue
                piece = self._piece(view, hit, entry, window - entry.first, chunk.read_start)
                if piece is not None:
                    covered[way] = piece.offset + piece.length - chunk.read_start
                    if chunk.start <= piece.offset < chunk.stop:
                        found.add(piece)
        return sorted(found, key=_order), tried, None

    def _places_of(self, digest: int) -> list[int]:
        """The windows with this digest; the table of them is made when the first is found."""
        with self._lock:
            if not self._places:
                for window, one in enumerate(self._digests):
                    self._places.setdefault(one, []).append(window)
        return self._places.get(digest, [])

    def _piece(self, view: memoryview, hit: Hit, entry: _Entry, at: int, base: int) -> Piece | None:
        """The longest piece of the string around a hit, whose window is the one at ``at`` of the string."""
        string, writing = entry.string, WRITINGS[hit.kind]
        data, before, start = bytes_around(view, hit.at, writing, string.length)
        first = max(0, before - at)  # where in data the string may begin, or its rest
        data = data[first : before - at + string.length]
        inside = at - (before - first)
        agree = self._agreement(data, string, inside, at - inside)
        if agree is None:
            return None
        low, high = agree
        whole = low + inside == 0 and high - low == string.length
        if whole:
            whole = whole_digest(self._sketch.salt, data[low:high]) == string.whole
        if not whole and high - low < WINDOW + LEAST_WINDOWS - 1:
            return None
        offset, length = writing.place(start, first + low, first + high)
        encoding, found = _encoding(string.form, writing), Secret(data[low:high])
        which = self._number, entry.secret, entry.number
        return Piece(base + offset, length, *which, encoding, high - low, whole, found)

    def _agreement(self, data: bytes, string: SketchString, inside: int, at: int) -> tuple[int, int] | None:
        """From where to where ``data``, which begins ``inside`` bytes into the string, agrees with it around
        its window at ``at``."""
        digests = self._table.digests(data)
        wanted = string.digests()[inside : inside + len(digests)]
        if not 0 <= at < len(wanted) or digests[at] != wanted[at]:
            return None
        low = high = at
        while low > 0 and digests[low - 1] == wanted[low - 1]:
            low -= 1
        while high + 1 < len(wanted) and digests[high + 1] == wanted[high + 1]:
            high += 1
        return low, high + WINDOW


def _order(piece: Piece) -> tuple[int, int, int, int]:
    return piece.offset, piece.secret, piece.string, piece.length


def _encoding(form: str, writing: Writing) -> str:
    if form in _PLAIN_FORMS:
        return writing.name
    return form if writing.name == "raw" else f"{form}-{writing.name}"


@lru_cache(maxsize=2)
def tables_of(sketches: tuple[Sketch, ...]) -> tuple[SketchTable, ...]:
    """Sketches made ready; those of the last runs are kept, since a scan may have many images."""
    return tuple(SketchTable(sketch, number) for number, sketch in enumerate(sketches))
