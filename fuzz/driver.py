"""The loop that all harnesses share: mutate seeds, feed them in, keep what breaks.

    python fuzz/fuzz_elfcore.py --seconds 60

prints its random seed (``--seed`` repeats a run) and exits 1 if anything was found: an exception that is
not an ImmureError, a broken promise (AssertionError), an input that took too long, or too much memory.
Inputs that did it are saved beside the harness, under ``finds/``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from immure.errors import ImmureError

SLOW_SECONDS = 5.0
MEMORY_BYTES = 4 << 30
FINDS = Path(__file__).parent / "finds"
#: numbers that lie: zeros, ones, ends of ranges, sizes just past a limit
VALUES = (0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
          1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in a few places, most of them near the beginning."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        if not data:
            break
        reach = len(data) if chance.random() < 0.3 else min(len(data), 2048)
        chance.choice(_MUTATIONS)(chance, data, chance.randrange(reach), seeds)
    return bytes(data)


def _flip(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _byte(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    data[at] = chance.randrange(256)


def _number(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice(VALUES) + chance.choice((0, 0, -1, 1, len(data)))
    at -= at % width if chance.random() < 0.8 else 0
    raw = (value & ((1 << 8 * width) - 1)).to_bytes(width, chance.choice(("little", "big")))
    data[at : at + width] = raw


def _cut(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    if chance.random() < 0.5:
        del data[chance.randrange(len(data)) :]
    else:
        del data[at : at + chance.randint(1, 64)]


def _repeat(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    length = chance.randint(1, 64)
    data[at:at] = data[at : at + length] * chance.randint(1, 20)


def _splice(chance: random.Random, data: bytearray, at: int, seeds: Sequence[bytes]) -> None:
    other = chance.choice(seeds)
    start = chance.randrange(len(other) + 1)
    data[at : at + 64] = other[start : start + chance.randint(1, 256)]


_MUTATIONS = (_flip, _byte, _number, _number, _number, _cut, _repeat, _splice)


def run(check: Callable[[bytes], None], seeds: Sequence[bytes]) -> None:
    """The harness's main function; ends the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("inputs", nargs="*", type=Path, help="run these files once instead")
    options = parser.parse_args()
    if "libasan" not in os.environ.get("LD_PRELOAD", ""):  # it reserves terabytes of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    name = Path(sys.argv[0]).stem
    if options.inputs:
        finds = sum(not _survives(check, path.read_bytes(), name) for path in options.inputs)
        sys.exit(finds > 0)
    print(f"{name}: seed {options.seed}, {options.seconds:g} s, {len(seeds)} seed inputs", flush=True)
    chance = random.Random(options.seed)
    finds = sum(not _survives(check, seed, name) for seed in seeds)
    count, stop = len(seeds), time.monotonic() + options.seconds
    while time.monotonic() < stop and finds < 20:
        finds += not _survives(check, mutate(chance, seeds), name)
        count += 1
    print(f"{name}: {count} inputs, {finds} finds", flush=True)
    sys.exit(finds > 0)


def _survives(check: Callable[[bytes], None], data: bytes, name: str) -> bool:
    begun = time.monotonic()
    try:
        check(data)
    except ImmureError:
        pass
    except Exception:  # noqa: BLE001 - any other exception is what we are looking for
        return _keep(data, name, traceback.format_exc())
    took = time.monotonic() - begun
    return took < SLOW_SECONDS or _keep(data, name, f"took {took:.1f} s")


def _keep(data: bytes, name: str, what: str) -> bool:
    FINDS.mkdir(exist_ok=True)
    path = FINDS / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"{path}: {what}", flush=True)
    return False
