"""What the native prober finds, said plainly and slowly: the twin that it is held against.

Written from what ``probe.h`` promises; it has no table, no filter, and no blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from immure.redact.prove.kernels.probe import Agreement, Needle

WINDOW: Final = 8
TOKEN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_\\\r\n")
PROSE: Final = frozenset({*range(0x20, 0x7F), *b"\t\r\n"})
DIGITS: Final = frozenset(b"0123456789")
UPPER: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LOWER: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz")


def is_dark(window: bytes) -> bool:
    """Never looked for: two zeros side by side; but for a digit of V8: four zeros, three bytes that are not
    zero, one below 16."""
    small_integer = window[:4] == bytes(4) and all(window[4:7]) and window[7] < 16
    return b"\0\0" in window and not small_integer


def is_text(window: bytes) -> bool:
    """Looked for only where there is nothing better: text that is no token, with digits or both cases."""
    letters = set(window)
    mixed = letters & DIGITS or (letters & UPPER and letters & LOWER)
    return letters <= PROSE and not (letters <= TOKEN and mixed)


def agreements(memory: bytes, needle: bytes) -> Iterator[tuple[int, int, int]]:
    """Every longest common part of eight bytes or more, as (offset, offset in the needle, length)."""
    for shift in range(-len(needle) + 1, len(memory)):
        run = 0
        for at in range(max(0, shift), min(len(memory), shift + len(needle)) + 1):
            inside = at < min(len(memory), shift + len(needle))
            if inside and memory[at] == needle[at - shift]:
                run += 1
                continue
            if run >= WINDOW:
                yield at - run, at - run - shift, run
            run = 0


def counts(needle: Needle, at: int, length: int) -> bool:
    """Whether a part of a needle is reported."""
    part = needle.data[at : at + length]
    windows = [part[start : start + WINDOW] for start in range(length - WINDOW + 1)]
    if length >= needle.least and not all(is_dark(window) for window in windows):
        return True
    words = [window for start, window in enumerate(windows, at) if start % WINDOW == 0]
    return needle.by_words and any(not is_dark(word) and not is_text(word) for word in words)


def find(memory: bytes, needles: Sequence[Needle]) -> list[Agreement]:
    """As :meth:`~immure.redact.prove.kernels.probe.Prober.find` over all of the memory; sorted."""
    return sorted(
        (index, offset, at, length)
        for index, needle in enumerate(needles)
        for offset, at, length in agreements(memory, needle.data)
        if counts(needle, at, length)
    )
