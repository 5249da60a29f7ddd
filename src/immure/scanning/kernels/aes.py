"""Places where an AES key schedule stands, whole or with a few flipped bits."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from immure.keymaterial.aes import LAYOUTS, MOST_FLIPPED, Layout
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.workspace import Runs, Workspace

#: Schedules that are rebuilt in a chunk, right or wrong: some seconds of work; ordinary memory costs none.
MOST_TRIED: Final = 1 << 16


class Hit(NamedTuple):
    """A schedule: where it begins, how it is written, and how many of its bits are flipped."""

    at: int
    layout: Layout
    flipped: int


def find_schedules(
    space: Workspace, runs: Runs, *, step: int = 4, most: int = MOST_FLIPPED, limit: int = MOST_TRIED
) -> tuple[list[Hit], int | None]:
    """The schedules that begin in the runs, or up to 32 bytes before one, at multiples of ``step`` (1 or 4).

    Besides, the place from which on nothing was tried, since ``limit`` candidates were, or None.
    """
    position, tried = ffi.new("int64_t[2]", [0, 0]), ffi.new("uint64_t *", 0)

    def call(out: Any, capacity: int) -> int:
        memory = space.pointer, space.length, runs.data, runs.count
        return int(lib.aes_find(*memory, step, most, limit, out, capacity, position, tried))

    flat = space.collect(3, call, lambda: bool(position[0] >= runs.count or tried[0] >= limit))
    hits = [
        Hit(at, LAYOUTS[layout], flipped)
        for at, layout, flipped in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    hits.sort(key=lambda hit: hit.at)
    return hits, int(position[1]) if position[0] < runs.count else None


def use_filter(kind: int) -> bool:
    """Choose the filter (0 the best, 1 portable, 2 AVX2, 3 AVX-512), for tests and benchmarks; whether
    there is one."""
    return bool(lib.aes_use(kind))
