"""Scalars and seeds with a hole of a few bytes, in memory; and seeds of which only half is left.

A hole is seen by its look only: equal bytes side by side. So is tried what stands between two dull words, is
as long as the number, and has two to four equal bytes at an end of it, or three or four inside. Half of a
seed is too little to compute the rest of it (128 bits are missing); it is told by what stands around it, the
public key behind and the size of the heap's chunk before, and reported as what it is: not proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.deep.rebuilt import Rebuilt
from immure.scanning.deep.scalars import MOST_SCALAR_BITS, MOST_SEED_BITS, rebuild_scalar, rebuild_seed
from immure.scanning.deep.work import Work
from immure.scanning.finding import Partial
from immure.scanning.kernels.ec import Kind
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import DULL_BITS, Workspace
from immure.scanning.proofs import Proof

#: Bytes of a seed or a 256-bit scalar; other lengths are not looked for.
WIDTH: Final = 32
_CURVES: Final = ("P-256", "secp256k1")
_LEAST_AT_END: Final = 2
_LEAST_INSIDE: Final = 3
_MOST: Final = MOST_SCALAR_BITS // 8
#: Of the bytes that are left, so many differ, and so many have the top bit set (text has none), fewer or more
#: bits are set in all: 28 random ones have 26.6 and 14 on average, and fail one of these once in 5,000 times.
_LEAST_DIFFERENT: Final = 20
_LEAST_TOP_BITS: Final = 5
_BITS_SET: Final = (0.36, 0.64)
#: Work of one attempt in units, by missing bytes.
_SCALAR_WORK: Final = {2: 600, 3: 5_000, 4: 20_000}
_SEED_WORK: Final = {2: 1_000, 3: 90_000}
#: Units that scalars and seeds may have of one image: many structures look like a number with a hole.
_SHARE: Final = 60_000
#: Holes and halves that are kept of one image.
_MOST_HOLES: Final = 1 << 14
_MOST_HALVES: Final = 1 << 12
#: Size and flags of a chunk of glibc's heap that holds 64 bytes: the seed, and the public key behind it.
_CHUNK_OF_64: Final = 0x50
_FLAGS: Final = 7
#: What glibc overwrites of a chunk that is freed.
_FREED: Final = 16


@dataclass(frozen=True, slots=True)
class Hole:
    """32 bytes of which ``length`` from ``at`` on look erased."""

    offset: int
    data: bytes
    at: int
    length: int

    def __repr__(self) -> str:
        return f"Hole({self.offset:#x}, {self.length} bytes)"


@dataclass(frozen=True, slots=True)
class Half:
    """The second half of what is probably the seed of a key."""

    offset: int
    public: OkpNumbers


@dataclass(slots=True)
class Seen:
    """What one chunk shows."""

    holes: list[Hole] = field(default_factory=list)
    halves: list[Half] = field(default_factory=list)


class ScalarParts:
    """Looks for what is left of scalars and seeds of some keys.

    Attributes:
        halves: found; not proved.
    """

    def __init__(self, keys: Sequence[Numbers]) -> None:
        self._ec = [key for key in keys if isinstance(key, EcNumbers) and key.curve in _CURVES]
        self._okp = [
            key for key in keys if isinstance(key, OkpNumbers) and key.curve in ("Ed25519", "X25519")
        ]
        self._signing = [key for key in self._okp if key.curve == "Ed25519"]
        self._publics = Sweep([key.x for key in self._signing]) if self._signing else None
        self._holes: dict[bytes, Hole] = {}
        self._dropped = 0
        self.halves: dict[Half, None] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._ec and not self._okp

    def examine(self, space: Workspace, chunk: Chunk) -> Seen:
        """Look at the chunk in the workspace; by any thread."""
        return Seen(list(self._find_holes(space, chunk)), list(self._find_halves(space, chunk)))

    def _find_holes(self, space: Workspace, chunk: Chunk) -> Iterator[Hole]:
        low, high = chunk.start - chunk.read_start, chunk.stop - chunk.read_start
        for start, end in space.quiet_strict.pairs():
            # runs have a word more at both ends than is not dull; the hole may make a word of the number dull
            if not WIDTH - 8 <= end - start - 16 <= WIDTH:
                continue
            for at in {start + 8, end - 8 - WIDTH}:
                if low <= at < high and at >= 0 and at + WIDTH <= space.length:
                    data = bytes(space.view[at : at + WIDTH])
                    hole = hole_in(data)
                    if hole is not None:
                        yield Hole(chunk.read_start + at, data, *hole)

    def _find_halves(self, space: Workspace, chunk: Chunk) -> Iterator[Half]:
        if self._publics is None:
            return
        for index, at, inside, length in self._publics.find(space, min_bytes=WIDTH):
            if inside or length < WIDTH or not chunk.start <= chunk.read_start + at < chunk.stop:
                continue
            if at >= WIDTH + 8 and _is_half(space.view[at - WIDTH - 8 : at]):
                yield Half(chunk.read_start + at - WIDTH + _FREED, self._signing[index])

    def take(self, examined: Seen) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        for hole in examined.holes:
            if len(self._holes) < _MOST_HOLES:
                self._holes.setdefault(hole.data, hole)
            elif hole.data not in self._holes:
                self._dropped += 1
        for half in examined.halves:
            if len(self.halves) < _MOST_HALVES:
                self.halves[half] = None

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered, small holes first."""
        purpose = "scalars and seeds of 32 bytes with a hole"
        work.budget.skip(self._dropped * len(self._ec + self._okp), purpose)
        for hole in sorted(self._holes.values(), key=lambda hole: (hole.length, hole.offset)):
            publics: list[EcNumbers | OkpNumbers] = [*self._ec, *self._okp]
            for public in publics:
                if public in work.done:
                    continue
                found = self._solve(public, hole, work, purpose)
                if found is not None:
                    yield found

    def _solve(self, public: EcNumbers | OkpNumbers, hole: Hole, work: Work, purpose: str) -> Rebuilt | None:
        if isinstance(public, EcNumbers):
            ways = [(order, _SCALAR_WORK[hole.length]) for order in ("little", "big")]
        elif hole.length * 8 > MOST_SEED_BITS:
            return None
        else:
            ways = [(kind, _SEED_WORK[hole.length]) for kind in ("seed", "clamped") if _has(public, kind)]
        for way, units in ways:
            if not work.budget.spend(units, purpose, _SHARE):
                continue
            proof = _prove(public, hole, way)
            if proof is not None:
                return _rebuilt(proof, hole, {"little": "le64", "big": "be"}.get(way, "raw"))
        return None


def _has(public: OkpNumbers, kind: str) -> bool:
    return kind == "clamped" or public.curve == "Ed25519"


def _prove(public: EcNumbers | OkpNumbers, hole: Hole, way: str) -> Proof | None:
    known = bytearray(hole.data)
    known[hole.at : hole.at + hole.length] = bytes(hole.length)
    if isinstance(public, OkpNumbers):
        kind: Kind = "seed" if way == "seed" else "clamped"
        return rebuild_seed(public, bytes(known), hole.at, hole.length, kind, hole.offset)
    if way == "little":
        return rebuild_scalar(
            public, int.from_bytes(known, "little"), 8 * hole.at, 8 * hole.length, hole.offset
        )
    low = 8 * (WIDTH - hole.at - hole.length)
    return rebuild_scalar(public, int.from_bytes(known, "big"), low, 8 * hole.length, hole.offset)


def _rebuilt(proof: Proof, hole: Hole, encoding: str) -> Rebuilt:
    known = 8 * (WIDTH - hole.length)
    words = f"{known} of 256 bits are there; the others were tried ({8 * hole.length}): {proof.words}"
    partial = Partial(proof.secret, known, 8 * WIDTH, rebuilt=True, method="search")
    behind = hole.at + hole.length
    pieces = ((hole.offset, hole.at, encoding), (hole.offset + behind, WIDTH - behind, encoding))
    return Rebuilt(replace(proof, words=words), partial, tuple(piece for piece in pieces if piece[1]))


def hole_in(data: bytes) -> tuple[int, int] | None:
    """(at, length) of the bytes that look erased, if the others look random; the longest such stretch."""
    best: tuple[int, int] | None = None
    start = 0
    for at in range(1, len(data) + 1):
        if at < len(data) and data[at] == data[start]:
            continue
        length = at - start
        least = _LEAST_AT_END if start == 0 or at == len(data) else _LEAST_INSIDE
        if length >= least and (best is None or length > best[1]):
            best = start, length
        start = at
    if best is None or best[1] > _MOST:
        return None
    return best if _is_random(data[: best[0]] + data[sum(best) :]) else None


def _is_random(data: bytes) -> bool:
    share = int.from_bytes(data, "little").bit_count() / (8 * len(data))
    return (
        len(set(data)) >= _LEAST_DIFFERENT
        and sum(byte >> 7 for byte in data) >= _LEAST_TOP_BITS
        and _BITS_SET[0] <= share <= _BITS_SET[1]
    )


def _is_half(data: memoryview) -> bool:
    """Whether a size and 32 bytes, which stand before a public key, may be of a freed chunk of 64 bytes whose
    first half was a
    seed: what glibc overwrote is a pointer or nothing, and the other 16 bytes look random."""
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
    return (
        words[0] & ~_FLAGS == _CHUNK_OF_64
        and _is_dull(words[1])
        and not _is_dull(words[3])
        and not _is_dull(words[4])
        and len(set(data[24:40])) >= 12
    )


def _is_dull(word: int) -> bool:
    return word < 1 << DULL_BITS or word >= (1 << 64) - (1 << DULL_BITS)
