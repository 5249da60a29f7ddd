"""Which candidates in a buffer are the private half of a known public point: the wrapper of the
elliptic-curve kernel.

    points = PointSet(public_numbers, "P-256")
    for hit in points.search(memory, candidates(memory, runs), "le", "number"):
        print(hit.candidate, hit.numbers, hit.secret)

For every candidate d the kernel computes x(2dG + S), S a constant of its table, and looks it up among the
x(2Q + S) of the known points Q. The whole x is compared, and every distinct number that hits is computed
once more in plain integers before it is reported. Time per candidate does not depend on how many points
are known.

The kernel runs without the GIL; everything here may be used by several threads at once.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Iterable, Sequence
from mmap import mmap
from typing import Any, Literal, NamedTuple, TypeAlias

from immure.errors import KeyFormatError, UsageError
from immure.keymaterial.key import Numbers, OkpNumbers
from immure.scanning.kernels._ec import ffi, lib
from immure.scanning.kernels.ec_curves import (
    CURVES,
    Curve,
    Family,
    Point,
    blinding_point,
    family_of,
    points_of,
)

#: ``le``: bytes, least significant first (and seeds as they are). ``be``: most significant first. ``be32w``:
#: 32-bit words, most significant first, each little-endian. ``py30``: 30-bit digits in little-endian 32-bit
#: words, least significant first.
Layout = Literal["le", "be", "be32w", "py30"]
#: ``number``: the window is the scalar. ``clamped``: clamp it first (RFC 7748, section 5): finds the scalars
#: of Ed25519, X25519, Ed448 and X448, clamped or not. ``seed``: hash it, then clamp (RFC 8032): finds the
#: seeds of Ed25519 and Ed448.
Kind = Literal["number", "clamped", "seed"]
Isa = Literal["portable", "ifma"]
Memory: TypeAlias = "bytes | bytearray | memoryview | mmap | array[int]"

LAYOUTS: tuple[Layout, ...] = ("le", "be", "be32w", "py30")
KINDS: tuple[Kind, ...] = ("number", "clamped", "seed")
ISAS: tuple[Isa, ...] = ("portable", "ifma") if lib.ec_has_ifma() else ("portable",)

#: Bits of a window of the comb: few make a table at once, many make additions fewer.
#: By candidates of a family so far: a larger table has to pay for itself.
TABLE_BITS = ((0, 8), (10_000, 11), (250_000, 13))


class Hit(NamedTuple):
    """A candidate that is a private number.

    ``candidate`` is its index in the offsets that were given; ``secret`` names the number: ``d`` (EC),
    ``seed``, ``scalar``, or ``expanded`` (a first half of a hashed seed, not yet clamped).
    """

    candidate: int
    numbers: Numbers
    secret: str


def width_of(family: Family, layout: Layout, kind: Kind) -> int:
    """Bytes that a candidate takes up.

    Raises:
        UsageError: family, layout and kind do not go together.
    """
    width = int(lib.ec_width(CURVES[family].index, LAYOUTS.index(layout), KINDS.index(kind)))
    if width < 0:
        raise UsageError(f"no candidates of kind {kind} in layout {layout} for family {family}")
    return width


def _limbs(numbers: Iterable[int], count: int) -> array[int]:
    """Numbers as 64-bit words, ``count`` each, least significant first."""
    return array("Q", b"".join(number.to_bytes(8 * count, "little") for number in numbers))


class _Comb:
    """A table of multiples of G for one family, instruction set and window size."""

    def __init__(self, family: Family, isa: Isa, bits: int) -> None:
        self.curve: Curve = CURVES[family]
        g, blind, limbs = self.curve.g, blinding_point(family), self.curve.limbs
        params = _limbs([self.curve.a, *g, *blind], limbs)
        made = lib.ec_comb_new(self.curve.index, ISAS.index(isa), bits, ffi.from_buffer("uint64_t[]", params))
        if made == ffi.NULL:
            raise MemoryError(f"table of {bits}-bit windows for {family}")
        self.pointer = ffi.gc(made, lib.ec_comb_free, int(lib.ec_comb_bytes(made)))
        xy = array("Q", bytes(16 * limbs))
        lib.ec_comb_offset(made, ffi.from_buffer("uint64_t[]", xy))
        data = xy.tobytes()
        self.offset: Point = (
            int.from_bytes(data[: 8 * limbs], "little"),
            int.from_bytes(data[8 * limbs :], "little"),
        )


_lock = threading.Lock()
_combs: dict[tuple[Family, Isa, int], _Comb] = {}
_searched: dict[tuple[Family, Isa], int] = {}


def _comb(family: Family, isa: Isa, bits: int) -> _Comb:
    """The table, made once per process."""
    with _lock:
        key = (family, isa, bits)
        if key not in _combs:
            _combs[key] = _Comb(family, isa, bits)
        return _combs[key]


def _bits_for(family: Family, isa: Isa, count: int) -> int:
    with _lock:
        total = _searched[family, isa] = _searched.get((family, isa), 0) + count
    return max(bits for least, bits in TABLE_BITS if total >= least)


class PointSet:
    """Known public points of one family, to look candidates up in.

    Attributes:
        unusable: keys that are left out, with the reason: no point of their curve, or one that has no private
            key.
    """

    def __init__(
        self, points: Sequence[Numbers], family: Family, *, isa: Isa | None = None, bits: int | None = None
    ) -> None:
        """Takes the public numbers of ``points``, all of ``family``.

        ``isa`` and ``bits`` (4 to 15) are chosen by the machine and the amount of work if they are None.

        Raises:
            UsageError: a key belongs to another family.
        """
        self.family: Family = family
        self.unusable: list[tuple[Numbers, str]] = []
        self._isa: Isa = isa or ISAS[-1]
        self._bits = bits
        self._numbers: dict[tuple[int, int], list[Numbers]] = {}
        self._known: dict[int, tuple[_Comb, Any, list[tuple[int, int]]]] = {}
        for numbers in dict.fromkeys(points):
            if family_of(numbers) != family:
                raise UsageError(f"a key of another family than {family}")
            try:
                for point in points_of(numbers):
                    self._numbers.setdefault(point, []).append(numbers)
            except KeyFormatError as error:
                self.unusable.append((numbers, error.reason))

    def __len__(self) -> int:
        """Distinct points that are searched for."""
        return len(self._numbers)

    def _prepare(self, bits: int) -> tuple[_Comb, Any, list[tuple[int, int]]]:
        """The comb, the kernel's set of known x, and the points in that order."""
        comb = _comb(self.family, self._isa, bits)
        with _lock:
            if bits not in self._known:
                curve = comb.curve
                shifted: dict[int, tuple[int, int]] = {}
                for point in self._numbers:
                    target = curve.add(curve.add(point, point), comb.offset)
                    if target is not None:
                        shifted.setdefault(target[0], point)
                xs = _limbs(shifted, curve.limbs)
                made = lib.ec_known_new(comb.pointer, ffi.from_buffer("uint64_t[]", xs), len(shifted))
                if made == ffi.NULL:
                    raise MemoryError("set of known points")
                self._known[bits] = (comb, ffi.gc(made, lib.ec_known_free), list(shifted.values()))
            return self._known[bits]

    def search(
        self,
        buffer: Memory,
        offsets: array[int] | Sequence[int],
        layout: Layout = "le",
        kind: Kind = "number",
    ) -> list[Hit]:
        """Tests the candidates at byte ``offsets`` (any alignment; an ``array('q')`` is not copied) of
        ``buffer``.

        Raises:
            UsageError: a candidate does not lie within the buffer, or layout and kind do not fit the family.
        """
        width = width_of(self.family, layout, kind)
        wanted = offsets if isinstance(offsets, array) and offsets.typecode == "q" else array("q", offsets)
        if not wanted or not self._numbers:
            return []
        bits = self._bits or _bits_for(self.family, self._isa, len(wanted))
        comb, known, order = self._prepare(bits)
        hits: list[Hit] = []
        memory = memoryview(buffer).cast("B")
        proof = _Proof(comb.curve, layout, kind)
        for candidate, index in _run(comb, known, memory, wanted, layout, kind):
            at = wanted[candidate]
            secret = proof.secret(bytes(memory[at : at + width]), order[index])
            if secret:
                names = self._numbers[order[index]]
                hits += [Hit(candidate, numbers, _named(secret, numbers)) for numbers in names]
        return hits


def _run(
    comb: _Comb, known: Any, memory: memoryview, offsets: array[int], layout: Layout, kind: Kind
) -> list[tuple[int, int]]:
    """Pairs (index of the candidate, index of the point) from the kernel."""
    capacity = 2 * int(lib.ec_batch())
    pairs = array("q", bytes(16 * capacity))
    done = ffi.new("int64_t *")
    data, where, out = (
        ffi.from_buffer("uint8_t[]", memory),
        ffi.from_buffer("int64_t[]", offsets),
        ffi.from_buffer("int64_t[]", pairs),
    )
    result: list[tuple[int, int]] = []
    start = 0
    while start < len(offsets):
        found = lib.ec_search(
            comb.pointer, known, data, len(memory), where + start, len(offsets) - start,
            LAYOUTS.index(layout), KINDS.index(kind), out, capacity, done,
        )  # fmt: skip
        if found == -2:
            raise UsageError("a candidate does not lie within the buffer")
        if found < 0:
            raise (
                MemoryError("scratch of the elliptic-curve kernel")
                if found == -1
                else ArithmeticError("equal points")
            )
        result += [(pairs[2 * k] + start, pairs[2 * k + 1]) for k in range(found)]
        start += done[0]
    return result


class _Proof:
    """Computes d·G in plain integers, once for each distinct window."""

    def __init__(self, curve: Curve, layout: Layout, kind: Kind) -> None:
        self._curve, self._layout, self._kind = curve, layout, kind
        self._seen: dict[bytes, tuple[Point, str]] = {}

    def secret(self, window: bytes, point: tuple[int, int]) -> str | None:
        """Which secret of ``point`` the window is: ``number``, ``seed``, ``scalar``, ``expanded``; None if it
        is none."""
        if window not in self._seen:
            scalar, name = read_secret(window, self._curve.family, self._layout, self._kind)
            self._seen[window] = (self._curve.multiply(scalar, self._curve.g), name)
        derived, name = self._seen[window]
        return name if derived == point else None


def _named(secret: str, numbers: Numbers) -> str:
    if not isinstance(numbers, OkpNumbers):
        return "d"
    # what an X25519 or X448 key is clamped from is the key itself, there is no expanded form
    return (
        "scalar" if secret == "number" or (numbers.curve.startswith("X") and secret == "expanded") else secret
    )


def read_number(window: bytes, layout: Layout) -> int:
    """The number that a window holds."""
    if layout == "le" or layout == "be":
        return int.from_bytes(window, "little" if layout == "le" else "big")
    words = [int.from_bytes(window[at : at + 4], "little") for at in range(0, len(window), 4)]
    if layout == "be32w":
        return sum(word << 32 * k for k, word in enumerate(reversed(words)))
    return sum(word << 30 * k for k, word in enumerate(words))


def clamp(number: int, family: Family) -> int:
    """RFC 7748, section 5."""
    if family == "25519":
        return (number & (2**254 - 8)) | 2**254
    return (number & (2**447 - 4)) | 2**447


def read_secret(window: bytes, family: Family, layout: Layout, kind: Kind) -> tuple[int, str]:
    """The scalar that a window stands for, and what it then is: ``number``, ``seed``, ``scalar`` or
    ``expanded``."""
    if kind == "seed":
        digest = (
            hashlib.sha512(window).digest()[:32]
            if family == "25519"
            else hashlib.shake_256(window).digest(56)
        )
        return clamp(int.from_bytes(digest, "little"), family), "seed"
    number = read_number(window, layout)
    if kind == "number":
        return number, "number"
    scalar = clamp(number, family)
    return scalar, "scalar" if scalar == number else "expanded"


def candidates(
    buffer: Memory,
    runs: array[int] | Sequence[int],
    *,
    step: Literal[1, 2, 4, 8] = 8,
    width: int = 32,
    strict: bool = True,
    edge: int | None = None,
) -> array[int]:
    """Byte offsets (``array('q')``) of the 32-byte windows in ``runs`` that may be key material.

    Args:
        buffer: the memory.
        runs: pairs (start, end) of byte offsets, flat; windows start at start + k·step.
        step: bytes from one window to the next. With less than 8 the order is by phase, not by offset.
        width: bytes that must lie within the run, at least 32 (the filter looks at the first 32).
        strict: False keeps every window without a dull word (below 2^48 or at least 2^64 − 2^48).
        edge: if given, only windows that start at most this many words after the run does, or end at most as
            many before it ends.

    Of random keys the strict filter loses 1.6 in 10 000.

    Raises:
        UsageError: a run does not lie within the buffer, or ``step`` or ``width`` is not allowed.
    """
    pairs = runs if isinstance(runs, array) and runs.typecode == "q" else array("q", runs)
    result = array("q")
    chunk = array("q", bytes(8 << 15))
    state = array("q", [0, -1])
    memory = memoryview(buffer).cast("B")
    data, where = ffi.from_buffer("uint8_t[]", memory), ffi.from_buffer("int64_t[]", pairs)
    out, resume = ffi.from_buffer("int64_t[]", chunk), ffi.from_buffer("int64_t[]", state)
    while state[0] < len(pairs) // 2 * (8 // step) * 2:
        found = lib.ec_candidates(
            data, len(memory), where, len(pairs) // 2, step, width, strict, -1 if edge is None else edge,
            out, len(chunk), resume,
        )  # fmt: skip
        if found < 0:
            raise UsageError("a run does not lie within the buffer, or step or width is not allowed")
        result.extend(chunk[:found])
    return result


def also_random(buffer: Memory, offsets: array[int], behind: int) -> array[int]:
    """Those ``offsets`` of which the 32-byte window ``behind`` bytes after them passes the strict filter,
    too.

    Raises:
        UsageError: such a window does not lie within the buffer.
    """
    kept = array("q", offsets)
    if not kept:
        return kept
    memory = memoryview(buffer).cast("B")
    data, where = ffi.from_buffer("uint8_t[]", memory), ffi.from_buffer("int64_t[]", kept)
    count = lib.ec_also(data, len(memory), where, len(kept), behind)
    if count < 0:
        raise UsageError("a window does not lie within the buffer")
    return kept[:count]


def unique(buffer: Memory, offsets: array[int], width: int = 32) -> array[int]:
    """Those ``offsets`` whose window of ``width`` bytes is not a copy of an earlier one's (some copies may
    stay).

    Raises:
        UsageError: a window does not lie within the buffer.
    """
    kept = array("q", offsets)
    if not kept:
        return kept
    memory = memoryview(buffer).cast("B")
    data, where = ffi.from_buffer("uint8_t[]", memory), ffi.from_buffer("int64_t[]", kept)
    count = lib.ec_unique(data, len(memory), where, len(kept), width)
    if count == -1:
        raise MemoryError("table of windows")
    if count < 0:
        raise UsageError("a window does not lie within the buffer")
    return kept[:count]
