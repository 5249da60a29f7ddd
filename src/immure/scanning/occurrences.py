"""Every place of every number of the keys that were proved, whole or in part.

One copy proves a key; then all its numbers are known, and an exact search for each of them in each encoding
finds the rest, at any alignment. Chunks that are read after that are swept while they are searched; the
others once more at the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers
from immure.scanning.chunks import Chunk
from immure.scanning.finding import Occurrence
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import Proof

#: Shortest part of a number that is reported, in bytes; of text, and of
#: encodings with regular zeros, more.
PART_BYTES: Final = 16
SPARSE_PART_BYTES: Final = 80
#: How often the sweep is made ready anew for one more proof, before that waits until they have doubled.
MOST_REBUILDS: Final = 32
_SPARSE: Final = ("smi28", "utf16", "limb52", "decimal", "hex", "base64", "der")


@dataclass(frozen=True, slots=True)
class Needle:
    """One number of a proved key in one encoding."""

    public: Numbers
    secret: str
    encoding: str
    length: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where (part of) a number stands."""

    offset: int
    length: int
    needle: Needle
    whole: bool


class Sweeper:
    """Sweeps chunks for all numbers of some proved keys; used by all threads."""

    def __init__(self, proofs: Iterable[Proof]) -> None:
        self._needles: list[Needle] = []
        strings: list[bytes] = []
        seen: set[bytes] = set()
        for proof in proofs:
            for secret, encoding, data in proof.needles():
                if data not in seen:
                    seen.add(data)
                    strings.append(data)
                    self._needles.append(Needle(proof.public, secret, encoding, len(data)))
        # of 52-bit digits one word in 16 is dull: too many to rely on a few of them
        sparse = [_least(n.encoding) > PART_BYTES and n.encoding != "limb52" for n in self._needles]
        self._sweep = Sweep(strings, sparse)

    def examine(self, space: Workspace, chunk: Chunk) -> list[Place]:
        """The places that start in the chunk's core."""
        places = []
        for index, at, _, length in self._sweep.find(space, min_bytes=PART_BYTES):
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop:
                continue
            # behind the end of the image the buffer holds zeros, and a number may end in zeros
            length = min(length, chunk.read_stop - offset)
            needle = self._needles[index]
            whole = length == needle.length
            part = needle.secret != "key" and length >= _least(needle.encoding)
            if length >= PART_BYTES and (whole or part):
                places.append(Place(offset, length, needle, whole))
        return places


class Sweeps:
    """Sweeps an image for proofs that come one by one: each chunk for those that were there when it was
    searched, and at the end for the rest."""

    def __init__(self) -> None:
        self._proofs: list[Proof] = []
        self._places: list[Place] = []
        self._behind: dict[int, list[Chunk]] = defaultdict(list)
        self._rebuilt = 0
        self._current: tuple[Sweeper | None, int] = (None, 0)

    def add(self, proof: Proof) -> None:
        """Sweep for this proof, too, from now on and in everything that was swept before."""
        self._proofs.append(proof)

    def prepare(self) -> None:
        """Let the chunks to come be swept for the proofs that were added; not every time, if they are
        many."""
        known, count = self._current[1], len(self._proofs)
        if count > known and (self._rebuilt < MOST_REBUILDS or count > 2 * known):
            self._rebuilt += 1
            self._current = (Sweeper(self._proofs), count)

    def examine(self, space: Workspace, chunk: Chunk) -> tuple[int, list[Place]]:
        """Sweep the chunk in the workspace: for how many proofs, and the places."""
        sweeper, known = self._current
        return known, sweeper.examine(space, chunk) if sweeper is not None else []

    def take(self, chunk: Chunk, known: int, places: Iterable[Place]) -> None:
        """Note what :meth:`examine` found."""
        self._places += places
        self._behind[known].append(chunk)

    def rest(self) -> Iterator[tuple[Sweeper, list[Chunk]]]:
        """What is still to be swept, and for what; each chunk's places go to :meth:`found`."""
        for known, chunks in self._behind.items():
            if known < len(self._proofs):
                yield Sweeper(self._proofs[known:]), chunks

    def found(self, places: Iterable[Place]) -> None:
        """Note places of the rest."""
        self._places += places

    def occurrences(self, image: Image) -> dict[Numbers, list[Occurrence]]:
        """Places by key, as users see them."""
        result: dict[Numbers, list[Occurrence]] = defaultdict(list)
        for place in self._places:
            needle = place.needle
            result[needle.public].append(
                occurrence(
                    image, place.offset, place.length, needle.secret, needle.encoding, whole=place.whole
                )
            )
        return result


def _least(encoding: str) -> int:
    return SPARSE_PART_BYTES if any(word in encoding for word in _SPARSE) else PART_BYTES


def occurrence(
    image: Image, offset: int, length: int, secret: str, encoding: str, *, whole: bool = True
) -> Occurrence:
    """An occurrence with what the image knows of the place."""
    region = image.region_at(offset)
    return Occurrence(
        offset=offset,
        length=length,
        secret=secret,
        encoding=encoding,
        virtual_address=image.address_of(offset),
        whole=whole,
        region=region.name if region else "",
        permissions=region.permissions if region else None,
    )


def tidy(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    """Sorted and without repetitions.

    Left out are whole numbers inside longer forms of themselves, and parts that lie inside something whole,
    inside a longer part, or around the whole number: where a short form stands, a longer one agrees in part,
    such as the same digits with a zero in front.
    """
    ordered = sorted(set(occurrences), key=lambda o: (o.offset, -o.length, not o.whole, o.secret, o.encoding))
    begins, ends = _whole_numbers(ordered)
    result: list[Occurrence] = []
    covered: dict[tuple[str, bool], int] = {}
    whole_until = 0
    for one in ordered:
        end, form = one.offset + one.length, (one.secret, one.whole)
        if end <= covered.get(form, 0) and one.secret != "key":
            continue
        if one.whole:
            whole_until = max(whole_until, end)
        else:
            after = bisect_left(begins.get(one.secret, []), one.offset)
            if end <= whole_until or any(stop <= end for stop in ends.get(one.secret, [])[after : after + 1]):
                continue
        covered[form] = max(covered.get(form, 0), end)
        result.append(one)
    return result


def _whole_numbers(ordered: Iterable[Occurrence]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Where those that are whole begin, and where they end, by secret, in order."""
    begins: dict[str, list[int]] = defaultdict(list)
    ends: dict[str, list[int]] = defaultdict(list)
    for one in ordered:
        if one.whole:
            begins[one.secret].append(one.offset)
            ends[one.secret].append(one.offset + one.length)
    return begins, ends
