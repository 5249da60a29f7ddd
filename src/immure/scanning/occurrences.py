"""Third pass: every place of every number of the keys that were proved, whole or in part.

One copy proves a key; then all its numbers are known, and an exact search for each of them in each encoding
finds the rest, at any alignment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers
from immure.scanning.chunks import Chunk
from immure.scanning.finding import Occurrence
from immure.scanning.kernels.cpu import Sweep, Workspace
from immure.scanning.proofs import Proof

#: Shortest part of a number that is reported, in bytes; of text, and of
#: encodings with regular zeros, more.
PART_BYTES: Final = 16
SPARSE_PART_BYTES: Final = 80
_SPARSE: Final = ("smi28", "utf16", "limb52", "decimal", "hex", "base64", "der")


@dataclass(frozen=True, slots=True)
class Place:
    """Where (part of) a number stands."""

    offset: int
    length: int
    needle: int
    whole: bool


class Sweeper:
    """Sweeps chunks for all numbers of the proved keys; one for an image, used by all threads."""

    def __init__(self, proofs: Iterable[Proof]) -> None:
        self._owners: list[tuple[Numbers, str, str, int]] = []
        needles: list[bytes] = []
        seen: set[bytes] = set()
        for proof in proofs:
            for secret, encoding, data in proof.needles():
                if data not in seen:
                    seen.add(data)
                    needles.append(data)
                    self._owners.append((proof.public, secret, encoding, len(data)))
        self._sweep = Sweep(needles, [_least(encoding) > PART_BYTES for _, _, encoding, _ in self._owners])

    def examine(self, space: Workspace, chunk: Chunk) -> list[Place]:
        """The places that start in the chunk's core."""
        places = []
        for needle, at, _, length in self._sweep.find(space, min_bytes=PART_BYTES):
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop:
                continue
            # behind the end of the image the buffer holds zeros, and a number may end in zeros
            length = min(length, chunk.read_stop - offset)
            _, secret, encoding, full = self._owners[needle]
            whole = length == full
            if length < PART_BYTES or (not whole and (secret == "key" or length < _least(encoding))):
                continue
            places.append(Place(offset, length, needle, whole))
        return places

    def occurrences(self, places: Sequence[Place], image: Image) -> dict[Numbers, list[Occurrence]]:
        """Places by key, as users see them."""
        result: dict[Numbers, list[Occurrence]] = defaultdict(list)
        for place in places:
            public, secret, encoding, _ = self._owners[place.needle]
            result[public].append(
                occurrence(image, place.offset, place.length, secret, encoding, whole=place.whole)
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
    """Sorted, without repetitions, and without parts that lie inside a whole occurrence or a longer part."""
    ordered = sorted(set(occurrences), key=lambda o: (o.offset, -o.length, not o.whole, o.secret, o.encoding))
    result: list[Occurrence] = []
    covered: dict[str, int] = {}
    whole_until = 0
    for one in ordered:
        end = one.offset + one.length
        if not one.whole and (end <= whole_until or end <= covered.get(one.secret, 0)):
            continue
        if one.whole and end <= covered.get(one.secret, 0) and one.secret != "key":
            continue
        if one.whole:
            whole_until = max(whole_until, end)
        covered[one.secret] = max(covered.get(one.secret, 0), end)
        result.append(one)
    return result
