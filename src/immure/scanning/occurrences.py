"""Every place of every number of the keys that were proved, whole or in part.

One copy proves a key; then all its numbers are known, and an exact search for each of them in each encoding
finds the rest, at any alignment. Chunks that are read after that are swept while they are searched; the
others once more at the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from immure.dumps.dump import Image
from immure.errors import LimitError
from immure.keymaterial.aes_published import DRBG
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
    """One number of a proved key in one encoding.

    Attributes:
        public, secret, encoding: which key, which of its numbers, how it is written.
        length: bytes of it.
        least: bytes of the shortest part of it that is noted.
    """

    public: Numbers
    secret: str
    encoding: str
    length: int
    least: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where (part of) a number stands."""

    offset: int
    length: int
    needle: Needle

    @property
    def whole(self) -> bool:
        """Whether all of it is there."""
        return self.length == self.needle.length


#: What to look for of a proved key: needles with their bytes, which are secret. A needle may be shorter than
#: its bytes: then the others only make it long enough.
Seek = Callable[[Proof], Iterable[tuple[Needle, bytes]]]


def seek_reported(proof: Proof) -> Iterator[tuple[Needle, bytes]]:
    """Every number, and parts of them that are long enough to be reported."""
    for secret, encoding, data in proof.needles():
        least = len(data) if _is_one_piece(secret, encoding) else min(len(data), _least(encoding))
        yield Needle(proof.public, secret, encoding, len(data), least), data


class Sweeper:
    """Sweeps chunks for all numbers of some proved keys; used by all threads."""

    def __init__(
        self, proofs: Iterable[Proof], seek: Seek = seek_reported, *, least: int = PART_BYTES
    ) -> None:
        self._needles: list[Needle] = []
        self._strings: list[bytes] = []
        self._least = least
        seen: set[bytes] = set()
        for proof in proofs:
            for needle, data in seek(proof):
                if data[: needle.length] not in seen:
                    seen.add(data[: needle.length])
                    self._strings.append(data)
                    self._needles.append(needle)
        self._sweep = Sweep(self._strings, [_is_sparse(needle) for needle in self._needles])

    def examine(self, space: Workspace, chunk: Chunk) -> list[Place]:
        """The places that start in the chunk's core."""
        places = []
        for index, at, inside, length in self._sweep.find(space, min_bytes=self._least):
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop:
                continue
            needle = self._needles[index]
            # behind the end of the image the buffer holds zeros, and a number may end in zeros
            length = min(length, chunk.read_stop - offset, needle.length - inside)
            if length >= needle.least and self._says_much(index, inside, length):
                places.append(Place(offset, length, needle))
        return places

    def _says_much(self, index: int, inside: int, length: int) -> bool:
        """Whether a part is more than the zeros that fill up the words at a number's end."""
        return length >= PART_BYTES or length - self._strings[index].count(0, inside, inside + length) >= 7


class Sweeps:
    """Sweeps an image for proofs that come one by one: each chunk for those that were there when it was
    searched, and at the end for the rest.

    Args:
        seek: what to look for of each.
        least: bytes of the shortest part that any needle asks for.
        most: places that are noted.
    """

    def __init__(
        self, seek: Seek = seek_reported, *, least: int = PART_BYTES, most: int | None = None
    ) -> None:
        self._seek = seek
        self._least = least
        self._most = most
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
            self._current = (self._sweeper(self._proofs), count)

    def examine(self, space: Workspace, chunk: Chunk) -> tuple[int, list[Place]]:
        """Sweep the chunk in the workspace: for how many proofs, and the places."""
        sweeper, known = self._current
        return known, sweeper.examine(space, chunk) if sweeper is not None else []

    def take(self, chunk: Chunk, known: int, places: Iterable[Place]) -> None:
        """Note what :meth:`examine` found."""
        self.found(places)
        self._behind[known].append(chunk)

    def rest(self) -> Iterator[tuple[Sweeper, list[Chunk]]]:
        """What is still to be swept, and for what; each chunk's places go to :meth:`found`."""
        for known, chunks in self._behind.items():
            if known < len(self._proofs):
                yield self._sweeper(self._proofs[known:]), chunks

    def _sweeper(self, proofs: Sequence[Proof]) -> Sweeper:
        return Sweeper(proofs, self._seek, least=self._least)

    def found(self, places: Iterable[Place]) -> None:
        """Note places of the rest.

        Raises:
            LimitError: they are too many.
        """
        self._places += places
        if self._most is not None and len(self._places) > self._most:
            raise LimitError(f"parts of keys stand in more than {self._most} places: the limit")

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to sweep for, so far."""
        return not self._proofs

    @property
    def places(self) -> Sequence[Place]:
        """All that was found, in no order."""
        return self._places

    def occurrences(self, image: Image) -> dict[Numbers, list[Occurrence]]:
        """Places by key, as users see them."""
        result: dict[Numbers, list[Occurrence]] = defaultdict(list)
        for place in self._places:
            needle = place.needle
            if needle.length < PART_BYTES or not _is_reported(place):
                continue
            result[needle.public].append(
                occurrence(
                    image, place.offset, place.length, needle.secret, needle.encoding, whole=place.whole
                )
            )
        return result


def _least(encoding: str) -> int:
    return SPARSE_PART_BYTES if any(word in encoding for word in _SPARSE) else PART_BYTES


def _is_one_piece(secret: str, encoding: str) -> bool:
    """Whether parts of it say nothing: of a whole key, its numbers are sought besides; so is the key of a
    generator's state."""
    return secret == "key" or encoding == DRBG


def _is_sparse(needle: Needle) -> bool:
    """Whether a few of the needle's words are enough to find all parts of it that are noted."""
    # of 52-bit digits one word in 16 is dull: too many to rely on a few of them
    regular = _least(needle.encoding) > PART_BYTES and needle.encoding != "limb52"
    return regular and needle.least >= min(needle.length, SPARSE_PART_BYTES)


def _is_reported(place: Place) -> bool:
    """Whether a place that was noted is one for the report, too, which wants longer parts."""
    needle = place.needle
    if place.whole or _is_one_piece(needle.secret, needle.encoding):
        return place.whole
    return place.length >= _least(needle.encoding)


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
