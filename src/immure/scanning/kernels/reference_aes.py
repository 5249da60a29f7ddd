"""What the kernel that looks for AES key schedules computes, said plainly and slowly; see :mod:`reference`.

Written from ``words.h`` and FIPS 197; it has no filter but one that loses nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

from immure.keymaterial.aes import LAYOUTS, SURELY_FLIPPED, Layout, recover

#: Bytes before a run in which a schedule may begin.
_BEFORE = 32


def find_schedules(
    memory: bytes, runs: Sequence[tuple[int, int]], *, step: int, most: int
) -> list[tuple[int, Layout, int]]:
    """All schedules, as (offset, layout, flipped bits), in order of offset; ``most`` is 6 or less."""
    if most > SURELY_FLIPPED:
        raise ValueError(f"more than {SURELY_FLIPPED} flipped bits may spoil every word")
    places: set[int] = set()
    for start, stop in runs:
        places.update(range(max(0, start - _BEFORE), stop, step))
    found = []
    for at in sorted(places):
        for layout in LAYOUTS:
            start = at - 32 if layout.order == "rotated" else at
            pattern = memory[max(0, start) : start + layout.length]
            if len(pattern) == layout.length and _is_thinkable(layout, pattern):
                recovered = recover(layout, pattern, most)
                if recovered is not None:
                    found.append((start, layout, recovered.flipped))
    return sorted(found, key=lambda one: one[0])


def _is_thinkable(layout: Layout, pattern: bytes) -> bool:
    """Whether 30 to 70 of a hundred bits are ones, and any word is the exclusive or of two others.

    Neither InvMixColumns nor the order of bytes changes anything about that. A flipped bit spoils three words
    at most: six leave some of the 24 or more as they are.
    """
    ones = int.from_bytes(pattern, "big").bit_count()
    words = struct.unpack(f"<{len(pattern) // 4}I", pattern)
    is_balanced = 0.3 <= ones / (8 * len(pattern)) <= 0.7
    return is_balanced and any(
        words[one] == words[two] ^ words[three] for one, two, three in _relations(layout)
    )


@cache
def _relations(layout: Layout) -> list[tuple[int, int, int]]:
    """Which words of a pattern are the exclusive or of which others."""
    nk, rounds = layout.key_bytes // 4, layout.rounds
    linear = [at for at in range(4 + nk, 4 * rounds) if at % nk and (nk < 8 or at % 4)]
    places = list(range(4 * (rounds + 1)))
    if layout.order in ("decryption", "rotated"):
        before = 2 if layout.order == "rotated" else 0
        places = [4 * (before + rounds - 1 - at // 4) + at % 4 for at in places]
    return [(places[at], places[at - 1], places[at - nk]) for at in linear]
