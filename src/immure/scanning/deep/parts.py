"""Where in a chunk the rest of a damaged number may stand.

What damages numbers, overwrites one end of them: an allocator that links freed chunks (glibc writes 16 bytes
at the beginning, tcmalloc and mimalloc 8), a shorter object in the same place. What is left then is a run of
words that look random, shorter than the number, one end of which is an end of the number. Words behind it
that belong to nothing may make the run longer by one or two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from immure.scanning.chunks import Chunk
from immure.scanning.kernels.rsa import random_windows
from immure.scanning.kernels.workspace import DULL_BITS, Runs, Windows, Workspace

#: Words at the end of a run that may belong to something else.
LOOSE_WORDS: Final = 2
#: Longest runs that are looked at, by the length of the number: the numbers of a key side by side.
LONGEST_RUN: Final = 12
#: Parts that are kept for one image and purpose; the rest is counted.
MOST_PARTS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that may be an end of a number.

    Attributes:
        offset: in the image.
        data: the bytes, secret if they are what is sought.
        first: whether they may be what stands first of it in memory; the rest of it stood behind.
        last: whether they may be what stands last.
    """

    offset: int
    data: bytes
    first: bool
    last: bool

    def __repr__(self) -> str:
        return f"Part({self.offset:#x}, {len(self.data)} bytes)"


def edge_parts(space: Workspace, chunk: Chunk, width: int, longest: int) -> Iterator[Part]:
    """Windows of ``width`` bytes that look random and lie at an end of a run of at most ``longest`` bytes.

    Runs end at every dull word (the size of a heap's chunk is one). Those in which single words may be dull
    are looked at besides, because of random words one in 2^15 is dull."""
    edge = 8 * LOOSE_WORDS
    for runs, before in ((space.quiet_strict, 8), (space.random_ends(width, longest + 16), 0)):
        found = random_windows(space, runs, width, Windows(8, 0, edge + 8), longest + 16)
        pairs = runs.pairs() if found else []
        starts = [start for start, _ in pairs]
        for at in found:
            start, end = pairs[bisect_right(starts, at) - 1]
            # runs have a word more at both ends than is not dull
            first, last = at - start - before <= edge, end - 8 - (at + width) <= edge
            yield from _part(space, chunk, at, width, first, last)


def short_parts(space: Workspace, chunk: Chunk, width: int) -> Iterator[Part]:
    """Runs that look random and are exactly ``width`` bytes long."""
    runs = space.quiet_strict
    for at in random_windows(space, runs, width, Windows(8), width + 16):
        start = at - 8
        if not _is_dull(space, start) or not _is_dull(space, at + width):
            continue
        yield from _part(space, chunk, at, width, first=True, last=True)


def _is_dull(space: Workspace, at: int) -> bool:
    """Whether the word there is dull, or is none."""
    if not 0 <= at <= space.length - 8:
        return True
    word = int.from_bytes(space.view[at : at + 8], "little")
    return word < 1 << DULL_BITS or word >= (1 << 64) - (1 << DULL_BITS)


def all_parts(space: Workspace, chunk: Chunk, width: int, runs: Runs) -> Iterator[Part]:
    """Every window of ``width`` bytes that looks random."""
    for at in random_windows(space, runs, width, Windows(8)):
        yield from _part(space, chunk, at, width, first=True, last=True)


def _part(space: Workspace, chunk: Chunk, at: int, width: int, first: bool, last: bool) -> Iterator[Part]:
    offset = chunk.read_start + at
    if chunk.start <= offset < chunk.stop and at + width <= space.length:
        yield Part(offset, bytes(space.view[at : at + width]), first, last)


class Gathered:
    """Parts of one purpose, in the order of the image, each content once, and not more than a machine can
    hold."""

    def __init__(self, most: int = MOST_PARTS) -> None:
        self._most = most
        self._parts: dict[tuple[bytes, bool, bool], Part] = {}
        self.dropped = 0

    def add(self, parts: Sequence[Part]) -> None:
        """Take the parts of one chunk."""
        for part in parts:
            key = part.data, part.first, part.last
            if key in self._parts:
                continue
            if len(self._parts) >= self._most:
                self.dropped += 1
            else:
                self._parts[key] = part

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts.values())

    def __len__(self) -> int:
        return len(self._parts)
