"""Scalars of elliptic curves, and seeds and scalars of Ed25519, Ed448, X25519 and X448, as bytes in
memory."""

from __future__ import annotations

import threading
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES, montgomery_points
from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.detectors import Detector, Examined
from immure.scanning.detectors.fields import Fields, java_heads, scalar_heads
from immure.scanning.kernels.ec import (
    Hit,
    Kind,
    Layout,
    Memory,
    PointSet,
    also_random,
    read_number,
    unique,
    width_of,
)
from immure.scanning.kernels.ec_curves import Family, family_of
from immure.scanning.kernels.rsa import digit_windows
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.plan import STRICT_WIDTH, Plan, scalar_candidates, strict_runs, windows
from immure.scanning.proofs import Proof, prove_montgomery, prove_scalar

#: Layout and kind of the windows that are tried at every candidate of a family, and those tried only where
#: all windows are visited (Java keeps word arrays, but never without the plain bytes).
_NUMBERS: Final[tuple[tuple[Layout, Kind], ...]] = (("le", "number"), ("be", "number"))
_RARE_NUMBERS: Final[tuple[tuple[Layout, Kind], ...]] = (("be32w", "number"),)
_EDWARDS: Final[tuple[tuple[Layout, Kind], ...]] = (("le", "seed"), ("le", "clamped"))
#: In an image with fewer windows than this, windows are visited at every byte, not every eighth.
EVERY_BYTE_BELOW: Final = 1 << 16


#: Candidates of a chunk that are tried at once, and by its own thread. Fewer wait until they are together so
#: many, or for so many chunks.
ALONE_FROM: Final = 4096
TOGETHER: Final = 8192
MOST_CHUNKS: Final = 8


class _Searches(NamedTuple):
    """What is done with candidates of one width."""

    width: int
    digits: bool
    ways: list[tuple[Family, Layout, Kind]]


#: By name of a search: windows one behind the other, and their offsets in the image.
_Waiting: TypeAlias = "dict[str, tuple[bytearray, array[int]]]"


class ScalarDetector(Detector):
    """Looks for the private halves of all known points; the time does not depend on how many they are."""

    name = "ec"
    family = "scalars"

    def __init__(
        self, curves: Mapping[str, Sequence[Numbers]], plan: Plan, *, is_heap_dump: bool = False
    ) -> None:
        self._tier = plan.tier(self.family)
        self._strict = plan.mode != "exhaustive"
        self._step: Literal[1, 8] = (
            1 if self._tier == "all" and plan.counts.strict["all"] < EVERY_BYTE_BELOW else 8
        )
        families: dict[Family, list[Numbers]] = defaultdict(list)
        self._in_montgomery_form: dict[Numbers, EcNumbers] = {}
        for keys in curves.values():
            for numbers in keys:
                if (of := family_of(numbers)) is not None:
                    families[of] += [numbers, *self._montgomery_keys(numbers)]
        self._points = {family: PointSet(keys, family) for family, keys in families.items()}
        self._searches = self._by_width()
        self._fields = self._all_fields(is_heap_dump) if self._points else []
        self._lock = threading.Lock()
        self._waiting: _Waiting = {}
        self._waited = 0

    def _montgomery_keys(self, numbers: Numbers) -> list[EcNumbers]:
        """Keys of which d·R mod n is the private number. Some stacks keep nothing else of d, and more points
        cost no time."""
        if not isinstance(numbers, EcNumbers):
            return []
        try:
            points = montgomery_points(CURVES[numbers.curve], numbers.x, numbers.y)
        except KeyFormatError:
            return []  # not a point: the key itself cannot be searched for either, and that is reported
        keys = [EcNumbers(numbers.curve, *point) for point in points]
        self._in_montgomery_form.update(dict.fromkeys(keys, numbers))
        return keys

    @property
    def unusable(self) -> list[tuple[Numbers, str]]:
        """Keys that cannot be searched for, with the reason."""
        return [entry for points in self._points.values() for entry in points.unusable]

    def _byte_widths(self) -> set[int]:
        """Widths of numbers and seeds as byte strings."""
        return {width_of(family, *self._as_text(family)[0]) for family in self._points}

    def _all_fields(self, is_heap_dump: bool) -> list[Fields]:
        """Where numbers begin besides at words, unless all bytes are visited."""
        fields = [Fields(self._byte_widths(), java_heads, everywhere=True)] if is_heap_dump else []
        if self._step != 1 and self._strict:
            fields.append(Fields(self._byte_widths(), scalar_heads))
        return fields

    def _as_text(self, family: Family) -> tuple[tuple[Layout, Kind], ...]:
        return _EDWARDS if family in ("25519", "448") else (("be", "number"),)

    def _by_width(self) -> dict[str, _Searches]:
        """What is done with the candidates of each kind and width."""
        searches: dict[str, _Searches] = {}
        for family in self._points:
            digits: tuple[tuple[Layout, Kind], ...] = (("py30", "number"),)
            for layout, kind in self._kinds(family) + (() if family in ("25519", "448") else digits):
                width = width_of(family, layout, kind)
                name = f"{'digits' if layout == 'py30' else 'random'} {width}"
                searches.setdefault(name, _Searches(width, layout == "py30", []))
                searches[name].ways.append((family, layout, kind))
        return searches

    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Look at one chunk. Few candidates wait for those of other chunks: the more are tried together, the
        less each costs."""
        result = Examined()
        memory = space.view[: space.length]
        found: dict[int, array[int]] = {}
        gathered: list[tuple[str, bytes, array[int]]] = []
        for name, searches in self._searches.items():
            width = searches.width
            if searches.digits:
                offsets = self._digits(space, width, chunk)
            else:
                # the ends of a run are elsewhere for longer numbers; without that rule, one set does for all
                counted = max(STRICT_WIDTH, width) if self._tier in ("edges", "starts") else STRICT_WIDTH
                if counted not in found:
                    found[counted] = self._candidates(space, counted, chunk)
                offsets = self._different(memory, found[counted], width)
            if len(offsets) >= ALONE_FROM:
                result.proofs += self._try(searches, memory, offsets, lambda at: chunk.read_start + at)
            elif offsets:
                data = b"".join([memory[at : at + width] for at in offsets])
                gathered.append((name, data, array("q", [chunk.read_start + at for at in offsets])))
        result.proofs += self._try_gathered(self._together(gathered))
        base = chunk.read_start
        for fields in self._fields:
            starts = fields.find(space, chunk.start - base, chunk.stop - base)
            starts = also_random(memory, _fitting(starts, len(memory) - STRICT_WIDTH), 0)
            result.proofs += self.at(memory, unique(memory, starts, STRICT_WIDTH), chunk)
        return result

    def _together(self, gathered: list[tuple[str, bytes, array[int]]]) -> _Waiting:
        """Let a chunk's candidates wait; all that wait, if they are enough, or old: what is proved early need
        not be swept for later. Whose they are makes no difference to what is found."""
        with self._lock:
            for name, data, places in gathered:
                memory, offsets = self._waiting.setdefault(name, (bytearray(), array("q")))
                memory += data
                offsets.extend(places)
            self._waited += bool(self._waiting)
            many = any(len(offsets) >= TOGETHER for _, offsets in self._waiting.values())
            return self._take_waiting() if many or self._waited >= MOST_CHUNKS else {}

    def _take_waiting(self) -> _Waiting:
        waiting, self._waiting, self._waited = self._waiting, {}, 0
        return waiting

    def finish(self) -> list[Proof]:
        """Try what still waits."""
        with self._lock:
            waiting = self._take_waiting()
        return self._try_gathered(waiting)

    def _try_gathered(self, waiting: _Waiting) -> list[Proof]:
        proofs: list[Proof] = []
        for name, (memory, places) in waiting.items():
            searches = self._searches[name]
            width = searches.width
            # of equal windows the first is kept: let that be the first in the image
            order = sorted(range(len(places)), key=places.__getitem__)
            offsets = unique(memory, array("q", [width * index for index in order]), width)
            found = self._try(searches, memory, offsets, lambda at: at)
            proofs += [replace(proof, offset=places[proof.offset // width]) for proof in found]
            memory[:] = bytes(len(memory))
        return proofs

    def _different(self, memory: memoryview, found: array[int], width: int) -> array[int]:
        fitting = _fitting(found, len(memory) - width)
        if self._strict and width > STRICT_WIDTH:
            # of P-521 the top limb has nine bits
            behind = (min(width, 2 * STRICT_WIDTH) - STRICT_WIDTH) // 8 * 8
            fitting = also_random(memory, fitting, behind)
        return unique(memory, fitting, width)

    def _candidates(self, space: Workspace, width: int, chunk: Chunk) -> array[int]:
        found = scalar_candidates(space, self._tier, width, step=self._step, strict=self._strict)
        return _inside(found, chunk)

    def _kinds(self, family: Family) -> tuple[tuple[Layout, Kind], ...]:
        if family in ("25519", "448"):
            return _EDWARDS
        return _NUMBERS + _RARE_NUMBERS if self._tier == "all" else _NUMBERS

    def _digits(self, space: Workspace, width: int, chunk: Chunk) -> array[int]:
        """Python's integers: digits of 30 bits, which the filter for random bytes does not expect."""
        runs = strict_runs(space, self._tier, width)
        return _inside(array("q", digit_windows(space, runs, width, windows(self._tier, 8))), chunk)

    def at(self, memory: memoryview, offsets: Sequence[int], chunk: Chunk) -> list[Proof]:
        """Try given offsets of bytes that were written as text: big-endian numbers and seeds."""
        proofs: list[Proof] = []
        for family, points in self._points.items():
            for layout, kind in self._as_text(family):
                width = width_of(family, layout, kind)
                inside = array("q", [at for at in offsets if at >= 0 and at + width <= len(memory)])
                searches = _Searches(width, layout == "py30", [(points.family, layout, kind)])
                proofs += self._try(searches, memory, inside, lambda at: chunk.read_start + at)
        return proofs

    def _try(
        self, searches: _Searches, memory: Memory, offsets: array[int], place: Callable[[int], int]
    ) -> list[Proof]:
        """Try windows of a buffer in every way; ``place`` tells from an offset in it that in the image."""
        proofs = []
        for family, layout, kind in searches.ways:
            for hit in self._points[family].search(memory, offsets, layout, kind):
                at = offsets[hit.candidate]
                proof = self._prove(hit, bytes(memory[at : at + searches.width]), layout, place(at))
                if proof is not None:
                    proofs.append(proof)
        return proofs

    def _prove(self, hit: Hit, data: bytes, layout: Layout, offset: int) -> Proof | None:
        numbers = cast(EcNumbers | OkpNumbers, hit.numbers)
        if not isinstance(numbers, EcNumbers):
            return prove_scalar(numbers, hit.secret, data, offset)
        number = read_number(data, layout)
        key = self._in_montgomery_form.get(numbers)
        if key is None:
            return prove_scalar(numbers, hit.secret, number, offset)
        return prove_montgomery(key, number, offset)


def _fitting(offsets: array[int], last: int) -> array[int]:
    """Those at which the number ends within the buffer."""
    return (
        offsets if not offsets or max(offsets) <= last else array("q", [at for at in offsets if at <= last])
    )


def _inside(offsets: array[int], chunk: Chunk) -> array[int]:
    """Those that start in the chunk's core."""
    low, high = chunk.start - chunk.read_start, chunk.stop - chunk.read_start
    return array("q", [at for at in offsets if low <= at < high])
