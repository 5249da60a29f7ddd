"""Windows whose digests are in a sketch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from immure.errors import LimitError
from immure.keymaterial.sketch import WINDOW, salted_block
from immure.scanning.kernels._sketch import ffi, lib
from immure.scanning.kernels.workspace import Workspace

#: How the sixteen bytes of a window stood in memory, by the kernel's numbers.
BYTES, HEX, BASE64, TEXT16, HEX16, BASE64_16 = range(6)
LOOK_TEXT: Final = 1
LOOK_ONE_CASE: Final = 2
_LOOKS: Final = {"text": LOOK_TEXT, "one-case": LOOK_ONE_CASE}


class Hit(NamedTuple):
    """A window whose digest is in the table: where its first byte stands, how it is written."""

    at: int
    kind: int
    digest: int


class DigestTable:
    """The digests of a sketch's windows; any number of threads may use it.

    Args:
        salt: of the sketch.
        digests: of its windows.
        looks: what to look at besides; see :data:`~immure.keymaterial.sketch.LOOKS`.
    """

    def __init__(self, salt: bytes, digests: Iterable[int], looks: Iterable[str] = ()) -> None:
        flat = array("Q", digests)
        block = salted_block(salt)
        handle = lib.sketch_new(block, ffi.from_buffer("uint64_t[]", flat), len(flat))
        if handle == ffi.NULL:
            raise LimitError(f"there is no memory for {len(flat)} digests")
        self._handle = ffi.gc(handle, lib.sketch_free)
        self._looks = sum(_LOOKS[look] for look in set(looks))

    def find(self, space: Workspace, without: Sequence[tuple[int, int]] = ()) -> tuple[list[Hit], int]:
        """What of the chunk in the workspace is in the table, and how many digests were made. Places in the
        ranges of ``without``, which are sorted and apart, are left out."""
        hits: list[Hit] = []
        tried, start = 0, 0
        for first, last in (*without, (space.length, space.length)):
            found, made = self._find(space, -(-start // 8), -(-first // 8))
            hits += found
            tried += made
            start = last
        return hits, tried

    def _find(self, space: Workspace, start: int, stop: int) -> tuple[list[Hit], int]:
        """The same from one word to another."""
        resume, tried, mask = ffi.new("size_t *", start), ffi.new("uint64_t *", 0), space.mask()

        def call(out: Any, capacity: int) -> int:
            memory = space.pointer, space.length, mask, self._looks
            return int(lib.sketch_find(self._handle, *memory, stop, out, capacity, resume, tried))

        flat = space.collect(3, call, lambda: bool(resume[0] >= stop)) if start < stop else []
        digests = (digest & 0xFFFF_FFFF_FFFF_FFFF for digest in flat[2::3])
        return list(map(Hit, flat[::3], flat[1::3], digests)), tried[0]

    def digests(self, data: bytes, step: int = 1) -> list[int]:
        """The digests of the windows of ``data``, at every ``step`` bytes."""
        count = (len(data) - WINDOW) // step + 1 if len(data) >= WINDOW else 0
        out = ffi.new("uint64_t[]", max(1, count))
        lib.sketch_digests(self._handle, data, step, count, out)
        return ffi.unpack(out, count) if count else []


def noise_of(space: Workspace) -> list[tuple[int, int]]:
    """The noise of the chunk in the workspace, without its margins, as (start, stop); the quiet runs must
    have been found. See :data:`~immure.scanning.kernels.workspace.NOISE_MARGIN`."""
    if not space.has_noise:
        return []
    result, at, quiet = [], 0, space.quiet_loose.pairs()
    for _, end in space.loose.pairs():  # each run is cut into quiet ones
        last = -1
        while at < len(quiet) and quiet[at][1] <= end:
            if 0 <= last < quiet[at][0]:
                result.append((last, quiet[at][0]))
            last = quiet[at][1]
            at += 1
    return result


def use_hash(kind: int) -> bool:
    """Choose the hash (0 the best, 1 portable, 2 AVX2, 3 AVX-512, 4 SHA extensions), for tests and
    benchmarks; whether there is one."""
    return bool(lib.sketch_use(kind))
