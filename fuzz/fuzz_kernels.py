"""Feeds memory to the native kernels and to their plain twins; both must say the same.

The first eight bytes of an input choose what is done with the rest: which runs are visited, in what steps,
with how much room for the output.
"""

from __future__ import annotations

import base64
import random
from math import gcd, lcm

from driver import run

from immure.keymaterial import bignum
from immure.scanning.kernels import reference
from immure.scanning.kernels.rsa import (
    LAYOUTS,
    Exponents,
    Moduli,
    digit_windows,
    random_windows,
    rsa_exponents,
    rsa_primes,
)
from immure.scanning.kernels.strings import Anchors, text_decode, text_runs
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import NEVER_LONG, Runs, Windows, Workspace, count_windows

MEMORY_BYTES = 1024  # the twins are slow
PRIME_BITS = (128, 192, 200, 256, 512, 516)
NEEDLES = [b"-----BEGIN ", b"\x02\x01\x00\x02", b"ssh-rsa ", b'"d":"']
E = 65_537


def _odd_without_small_factors(bits: int, chance: random.Random) -> int:
    while True:
        number = chance.getrandbits(bits) | 1 << (bits - 1) | 1
        if all(number % p for p in reference.small_primes()) and reference.looks_prime(number, bits):
            return number


def _pairs(bits: int) -> list[tuple[int, int]]:
    chance, pairs = random.Random(bits), list[tuple[int, int]]()
    while len(pairs) < 2:
        p, q = _odd_without_small_factors(bits, chance), _odd_without_small_factors(bits, chance)
        if gcd(E, (p - 1) * (q - 1)) == 1:
            pairs.append((p, q))
    return pairs


KEYS = {bits: _pairs(bits) for bits in PRIME_BITS}
SECRETS = [random.Random(size).randbytes(size) for size in (16, 32, 66, 128, 400)]


def check(data: bytes) -> None:
    chance, memory = random.Random(data[:8]), data[8 : 8 + MEMORY_BYTES]
    memory += bytes(-len(memory) % 8)
    space = Workspace(len(memory))
    space.view[:] = memory
    space.set_length(len(memory))
    _check_runs(space, memory, chance)
    strict, loose = space.strict.pairs(), space.loose.pairs()
    pairs = chance.choice([strict, loose, [(0, len(memory))], _any_runs(len(memory), chance)])
    runs = Runs(len(pairs))
    runs.set(pairs)
    windows = chance.choice([Windows(1), Windows(4), Windows(8), Windows(8, 0, 16), Windows(1, 100, 9)])
    for room in (space._out_entries, 300):
        space._out_entries = room
        _check_windows(space, memory, runs, windows, chance)
        _check_numbers(space, memory, runs, windows, chance)
        _check_literals(space, memory, runs, chance)
    space.strict.set(strict)
    _check_texts(space, memory)


def _any_runs(size: int, chance: random.Random) -> list[tuple[int, int]]:
    pairs, at = [], 0
    while at < size:
        end = min(size, at + 8 * chance.randint(0, 40))
        pairs.append((at, end))
        at = end + 8 * chance.randint(0, 3)
    return pairs


def _check_runs(space: Workspace, memory: bytes, chance: random.Random) -> None:
    assert (space.find_runs(), space.strict.pairs(), space.loose.pairs()) == reference.find_runs(memory)
    if memory and chance.random() < 0.1:
        pages = (memory * (80_000 // len(memory) + 1))[:80_000]
        large, phase = Workspace(len(pages)), 8 * chance.randrange(512)
        large.view[:] = pages
        large.set_length(len(pages))
        large.find_runs()
        large.find_quiet_runs(phase)
        expected = reference.find_quiet_runs(pages, phase, large.loose.pairs())
        assert large.quiet_loose.pairs() == expected


def _check_windows(
    space: Workspace, memory: bytes, runs: Runs, windows: Windows, chance: random.Random
) -> None:
    pairs, width = runs.pairs(), chance.choice([16, 32, 36, 64, 72, 128, 140, 200])
    assert count_windows(runs, width, windows) == reference.count_windows(pairs, width, windows)
    found = digit_windows(space, runs, width, windows)
    assert found == reference.digit_windows(memory, pairs, width, windows)
    width = width // 8 * 8
    limit = chance.choice([NEVER_LONG, width + 48])
    found = random_windows(space, runs, width, windows, limit)
    assert found == reference.random_windows(memory, pairs, width, windows, limit)


def _check_numbers(
    space: Workspace, memory: bytes, runs: Runs, windows: Windows, chance: random.Random
) -> None:
    pairs, layout, bits = runs.pairs(), chance.choice(sorted(LAYOUTS)), chance.choice(PRIME_BITS)
    if layout == "negated":
        bits = (bits + 63) // 64 * 64 if bits < 200 else 512
    moduli = chance.choice([[], [p * q for p, q in KEYS[bits]]])
    visited = space.visited
    found = rsa_primes(space, runs, layout, Moduli(moduli, bits), windows)
    assert found == reference.rsa_primes(memory, pairs, layout, moduli, bits, windows)
    width = reference.rsa_width(layout, bits)
    expected = sum(len(reference.window_starts(pair, width, windows)) for pair in pairs)
    assert space.visited - visited == expected
    if bits >= 512:
        keys, layout = [(p * q, E) for p, q in KEYS[bits]], chance.choice(["le64", "be", "be32w"])
        found = rsa_exponents(space, runs, layout, Exponents(keys), windows)
        assert found == reference.rsa_exponents(memory, pairs, layout, keys, windows)


def _check_literals(space: Workspace, memory: bytes, runs: Runs, chance: random.Random) -> None:
    pairs, pad = runs.pairs(), chance.choice([0, 7, 16])
    needles = [*NEEDLES, *(memory[at : at + 5] for at in range(0, max(0, len(memory) - 5), 300))]
    space.strict.set(pairs)
    places, done = Anchors(needles).find(space, pad=pad, limit=len(memory) * len(needles) + 1)
    assert done == len(memory)
    assert sorted(places) == reference.anchors_find(memory, needles, pairs, pad)
    if chance.random() < 0.2:
        secrets, sparse = [*SECRETS], [False, False, False, True, True]
        agreements = Sweep(secrets, sparse).find(space, min_bytes=16)
        assert sorted(agreements) == sorted(reference.sweep_find(memory, secrets, sparse, 16))


def _check_texts(space: Workspace, memory: bytes) -> None:
    texts = text_runs(space, pad=16, min_chars=42)
    assert texts == reference.text_runs(memory)
    decoded = text_decode(space, texts)
    found = [(bytes(decoded.data[at : at + n]), text, phase) for at, n, text, phase in decoded.places]
    assert found == reference.text_decode(memory, texts)


def _seeds() -> list[bytes]:
    chance = random.Random(1)
    pieces = [*SECRETS, *NEEDLES, bytes(64), b"\xff" * 24, b"lorem ipsum dolor sit amet " * 4]
    for bits, pairs in KEYS.items():
        for p, q in pairs:
            pieces += [bignum.le64(p), bignum.be(p), bignum.be32w(q), bignum.be64w(p), bignum.py30(q)]
            pieces += [bignum.smi28(p), bignum.le64((1 << 64 * ((bits + 63) // 64)) - p)]
            d = pow(E, -1, lcm(p - 1, q - 1))
            pieces += [bignum.le64(d), bignum.be(d, (2 * bits + 7) // 8)]
            text = base64.b64encode(bignum.be(p) + bignum.be(q))
            pieces += [text, text.decode().encode("utf-16-le"), bignum.be(q).hex().encode()]
    seeds = [b"", bytes(8), chance.randbytes(MEMORY_BYTES)]
    for _ in range(200):
        memory = b"".join(
            chance.choice(pieces) + bytes(chance.choice([0, 0, 1, 8, 40]))
            for _ in range(chance.randint(1, 20))
        )
        seeds.append(chance.randbytes(8) + bytes(chance.randrange(9)) + memory)
    return seeds


if __name__ == "__main__":
    run(check, _seeds())
