"""Feeds the prover: its kernel and the plain twin must agree on any memory, and what it reads of foreign
cores, and of what a debugger prints about them, must never break it.

The first byte of an input chooses which of these the rest goes to.
"""

from __future__ import annotations

import random

from driver import run
from seeds import images

from immure.dumps.readers import BytesReader
from immure.redact.prove.kernels import reference
from immure.redact.prove.kernels.probe import Needle, Prober, Room
from immure.redact.prove.readers.coreview import CoreView, view_core
from immure.redact.prove.readers.gdb import difference_of, read_answer

MEMORY_BYTES = 500  # the twin is slow
ANSWER = b"""\
Program terminated with signal SIGABRT, Aborted.

Thread 2 (LWP 12):
#0  0x00007f01 in pause () at pause.c:29
#1  <signal handler called>
#2  0x0000000000401136 in std::size(int) (n=...) at a.cc:3

Thread 1 (Thread 0x7f34c662b340 (LWP 11)):
#0  main () at x.c:1

@registers

Thread 2 (LWP 12):
rax            0xfffffffffffffdfe  -514
"""


def check_kernel(data: bytes) -> None:
    """Needles are parts of the memory, some of them with a byte changed."""
    chance, memory = random.Random(data[:8]), data[8 : 8 + MEMORY_BYTES]
    needles = []
    for _ in range(chance.randrange(1, 4)):
        start = chance.randrange(len(memory) + 1)
        needle = bytearray(memory[start : start + chance.randrange(8, 200)].ljust(8, b"\x5a"))
        needle[chance.randrange(len(needle))] ^= chance.choice((0, 0, 1))
        least = min(len(needle), chance.choice((8, 15, 20, 35)))
        needles.append(Needle(bytes(needle), least, chance.random() < 0.5))
    room, prober = Room(len(memory) + 1), Prober(needles)
    room.view[: len(memory)] = memory
    cut = chance.randrange(len(memory) + 1)
    halves = [prober.find(room, len(memory), *half) for half in ((0, cut), (cut, len(memory)))]
    assert set().union(*halves) == set(reference.find(memory, needles))


def check_core(data: bytes) -> None:
    """Whatever is read of a core is in order."""
    view = view_core(BytesReader(data))
    assert view.code == sorted(view.code)
    for thread, places in view.registers.items():
        erased = next(iter(places.values()))
        names = view.comparable(thread, [erased])
        assert names is None or names <= set(places)
    view.is_code(0x5000_0000)


def check_answer(data: bytes) -> None:
    """An answer is the same as itself."""
    seen = read_answer(data.decode("latin-1"))
    compared, difference = difference_of(seen, seen, CoreView(), [])
    assert not difference
    assert compared["threads"] == len(seen.frames)


def check(data: bytes) -> None:
    """One of the three."""
    (check_kernel, check_core, check_answer)[data[0] % 3 if data else 0](data[1:])


def seeds() -> list[bytes]:
    """Memory of several kinds, cores of every layout, and an answer."""
    chance = random.Random(1)
    kinds = [range(256), b"0123456789abcdef", b"0\0", b"ab cd.\n", (0, 0, 0, 0, 1, 0xA5, 0xFF, 7)]
    memories = [bytes(chance.choices(list(kind), k=MEMORY_BYTES)) for kind in kinds]
    return [b"\0" + one for one in memories] + [b"\1" + one for one in images("elf")] + [b"\2" + ANSWER]


if __name__ == "__main__":
    run(check, seeds())
