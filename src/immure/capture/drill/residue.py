"""How much of a canary is left in an image: whole numbers, pieces of them, in every encoding, at any place.

The private key is known here, so nothing has to be found first: pieces are seen even where no whole number is
left that would prove the key to somebody who has only the public half.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from immure.capture.drill.canary import Canary
from immure.dumps.dump import Image
from immure.scanning.chunks import Chunk, for_each_chunk, load, plan_chunks
from immure.scanning.finding import Occurrence
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.occurrences import Place, Sweeper, occurrence, tidy
from immure.scanning.proofs import Proof

_CHUNK_BYTES: Final = 8 << 20
_MOST_KINDS: Final = 20


@dataclass(frozen=True, slots=True)
class Residue:
    """What is left.

    Attributes:
        copies: whole numbers (or whole encoded keys).
        fragments: pieces of 16 bytes or more.
        bytes: of both.
        kinds: how often which number in which encoding, the most frequent first.
        regions: in which parts of memory.
    """

    copies: int = 0
    fragments: int = 0
    bytes: int = 0
    kinds: tuple[tuple[str, int], ...] = ()
    regions: tuple[tuple[str, int], ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not (self.copies or self.fragments)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "copies": self.copies,
            "fragments": self.fragments,
            "bytes": self.bytes,
            "kinds": dict(self.kinds),
            "regions": dict(self.regions),
        }


@dataclass
class ResidueSearch:
    """Looks for one canary in images, and adds up."""

    canary: Canary
    found: list[Occurrence] = field(default_factory=list)

    def __post_init__(self) -> None:
        proof = Proof(self.canary.public.numbers, "made for a drill", 0, self.canary.private)
        self._sweeper = Sweeper([proof])

    def look(self, image: Image) -> None:
        """Search an image, which is closed afterwards.

        Raises:
            ImageError: it cannot be read.
        """
        with image:
            image.reader.wait()
            image.settle()
            places: list[Place] = []
            for _, found in for_each_chunk(
                plan_chunks(image, _CHUNK_BYTES), _CHUNK_BYTES, _Examiner(self, image), 1
            ):
                places += found
            self.found += tidy(
                occurrence(image, p.offset, p.length, p.needle.secret, p.needle.encoding, whole=p.whole)
                for p in places
            )

    def examine(self, image: Image, space: Workspace, chunk: Chunk) -> list[Place]:
        """The places in one chunk."""
        load(image.reader, chunk, space)
        return self._sweeper.examine(space, chunk)

    def residue(self) -> Residue:
        """What was found in all images."""
        kinds = Counter(f"{one.secret} {one.encoding}" for one in self.found)
        regions = Counter(one.region or "?" for one in self.found)
        return Residue(
            copies=sum(one.whole for one in self.found),
            fragments=sum(not one.whole for one in self.found),
            bytes=sum(one.length for one in self.found),
            kinds=tuple(kinds.most_common(_MOST_KINDS)),
            regions=tuple(regions.most_common(_MOST_KINDS)),
        )


@dataclass(frozen=True, slots=True)
class _Examiner:
    search: ResidueSearch
    image: Image

    def __call__(self, space: Workspace, chunk: Chunk) -> list[Place]:
        return self.search.examine(self.image, space, chunk)


def residue_in(image: Image, canary: Canary) -> Residue:
    """What is left of a canary in one image, which is closed afterwards.

    Raises:
        ImageError: it cannot be read.
    """
    search = ResidueSearch(canary)
    search.look(image)
    return search.residue()
