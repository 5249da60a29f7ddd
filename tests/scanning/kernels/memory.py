"""Memory for the tests of kernels: bytes as they are met in images, and workspaces full of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from hypothesis import strategies as st

from immure.scanning.kernels.workspace import NEVER_LONG, Runs, Windows, Workspace

PEM_LIKE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

#: Eight bytes of each kind.
KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "random": lambda rng: rng.randbytes(8),
    "zeros": lambda rng: bytes(8),
    "ones": lambda rng: b"\xff" * 8,
    "pointer": lambda rng: rng.randbytes(6) + b"\x00\x00",
    "kernel pointer": lambda rng: rng.randbytes(6) + b"\xff\xff",
    "nearly dull": lambda rng: rng.randbytes(6) + rng.choice([b"\x01\x00", b"\xfe\xff"]),
    "float": lambda rng: rng.randbytes(6) + b"\xe0\x3f",
    "prose": lambda rng: bytes(rng.choice(b"the quick brown fox, (jumps)") for _ in range(8)),
    "base64": lambda rng: bytes(rng.choices(PEM_LIKE, k=8)),
    "hex": lambda rng: rng.randbytes(4).hex().encode(),
    "wide": lambda rng: bytes(rng.choices(PEM_LIKE, k=4)).decode().encode("utf-16-le"),
    "extremes": lambda rng: bytes(rng.choices(b"\x00\x01\x7f\x80\xff", k=8)),
    "digits": lambda rng: b"".join(rng.randrange(1 << 30).to_bytes(4, "little") for _ in range(2)),
    "smis": lambda rng: bytes(4) + rng.randrange(1 << 28).to_bytes(4, "little"),
}


def stretch(kind: str, length: int, seed: int) -> bytes:
    """``length`` bytes of one kind."""
    rng = random.Random(seed)
    return b"".join(KINDS[kind](rng) for _ in range(length // 8 + 1))[:length]


#: Lengths around the sizes at which kernels change their ways: words, blocks of words, cache lines, pages.
LENGTHS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 24).map(lambda words: 8 * words),
    st.builds(lambda base, more: base + more, st.sampled_from([64, 128, 512]), st.integers(-9, 9)),
)
STRETCHES = st.builds(stretch, st.sampled_from(sorted(KINDS)), LENGTHS, st.integers(0, 1 << 16))
#: A few hundred bytes of different kinds, one after the other.
MEMORIES = st.lists(st.one_of(STRETCHES, STRETCHES, st.binary(max_size=24)), max_size=8).map(b"".join)
SEEDS = st.integers(0, 1 << 32)


def windows_at(steps: Sequence[int]) -> st.SearchStrategy[Windows]:
    """Windows at one of the steps: all, or only those near the ends of long runs."""
    return st.one_of(
        st.builds(Windows, st.sampled_from(steps)),
        st.builds(
            Windows,
            st.sampled_from(steps),
            st.sampled_from([0, 64, 200, NEVER_LONG]),
            st.sampled_from([0, 1, 7, 8, 16, 100]),
        ),
    )


def runs_in(memory: bytes, rng: random.Random) -> list[tuple[int, int]]:
    """Some runs, sorted, on words, touching now and then."""
    size, runs, at = (len(memory) + 7) // 8 * 8, [], 8 * rng.choice([0, 0, 1, 3])
    while at < size:
        end = min(size, at + 8 * rng.choice([0, 1, 2, 3, 5, 8, 13, 16, 17, 40, 64, 65, 200]))
        runs.append((at, end))
        at = end + 8 * rng.choice([0, 1, 1, 2, 9])
    return runs


def loaded(memory: bytes) -> Workspace:
    """A workspace that holds ``memory`` and no more: a read behind its end is one behind the buffer."""
    space = Workspace(len(memory))
    space.view[: len(memory)] = memory
    space.set_length(len(memory))
    return space


def native(pairs: Iterable[tuple[int, int]]) -> Runs:
    """Runs as the kernels take them."""
    pairs = list(pairs)
    runs = Runs(len(pairs) + 1)
    runs.set(pairs)
    return runs


def whole(memory: bytes) -> list[tuple[int, int]]:
    """One run over everything."""
    return [(0, (len(memory) + 7) // 8 * 8)]


@contextmanager
def room_for(space: Workspace, entries: int, arity: int) -> Iterator[None]:
    """Let kernels write no more than ``entries`` at a time, so that they have to go on many times."""
    before = space._out_entries
    space._out_entries = entries * arity
    try:
        yield
    finally:
        space._out_entries = before
