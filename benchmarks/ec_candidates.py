"""Claim: with AVX-512 IFMA, a candidate for a scalar of P-256 or a seed of Ed25519 costs 0.6 µs or less, ten
keys as much as one.

    python benchmarks/ec_candidates.py [--rounds N] [--candidates N]

Random windows of 32 bytes against the points of one and of ten keys, with every instruction set that this
processor has; CPU time of one thread, best of the rounds (other programs only ever add to it). A peer in the
same run: OpenSSL's signatures, each of which is one multiplication by the base point (``openssl speed``).
Writes ``results/ec_candidates.json``.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from typing import Any

import measure

from immure.keymaterial.key import Numbers
from immure.keymaterial.private import ec_from_scalar, okp_from_seed
from immure.scanning.kernels.ec import ISAS, Isa, Kind, PointSet
from immure.scanning.kernels.ec_curves import Family

BAR = 0.6
WIDTH = 32
#: Name, family, kind of candidate, and whether the bar is for it.
CASES: tuple[tuple[str, Family, Kind, bool], ...] = (
    ("P-256", "P-256", "number", True),
    ("Ed25519 seeds", "25519", "seed", True),
    ("Ed25519 scalars", "25519", "clamped", True),
)


def keys_of(family: Family, count: int) -> Sequence[Numbers]:
    """The public numbers of keys made from a fixed seed."""
    chance = random.Random(11)
    if family == "25519":
        return [okp_from_seed("Ed25519", chance.randbytes(WIDTH)).public for _ in range(count)]
    return [ec_from_scalar(family, chance.randrange(1 << 200, 1 << 255)).public for _ in range(count)]


def microseconds(points: PointSet, memory: bytes, kind: Kind, rounds: int) -> float:
    """CPU time of one candidate."""
    offsets = array("q", range(0, len(memory), WIDTH))
    points.search(memory, offsets, "le", kind)  # makes the tables
    best = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        found = points.search(memory, offsets, "le", kind)
        best = min(best, time.thread_time() - begun)
        assert not found
    return 1e6 * best / len(offsets)


def signatures() -> dict[str, float]:
    """Microseconds of OpenSSL's signatures: each is one multiplication by the base point and little more."""
    argv = ["openssl", "speed", "-seconds", "1", "ecdsap256", "ed25519"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    rows = re.findall(r"(ecdsa \(nistp256\)|EdDSA \(Ed25519\))\s+\S+\s+\S+\s+(\d+\.\d+)", done.stdout)
    return {name: round(1e6 / float(per_second), 3) for name, per_second in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=1 << 17)
    arguments = parser.parse_args()
    memory = random.Random(20).randbytes(WIDTH * arguments.candidates)
    rows: list[dict[str, Any]] = []
    for name, family, kind, is_bound in CASES:
        for isa in ISAS:
            for count in (1, 10):
                took = microseconds(measured(family, count, isa), memory, kind, arguments.rounds)
                bar = {"bar": f"<= {BAR} µs", "met": took <= BAR} if is_bound and isa == "ifma" else None
                rows.append(
                    {"case": name, "isa": isa, "keys": count, "microseconds": round(took, 3), "bar": bar}
                )
                words = "" if bar is None else f"{bar['bar']}: {'met' if bar['met'] else 'NOT MET'}"
                print(f"{name:18} {isa:10} {count:3} key(s) {took:8.3f} µs  {words}", flush=True)
    limit = signatures()
    for name, took in limit.items():
        print(f"{name + ' signature, openssl':40} {took:8.3f} µs", flush=True)
    path = measure.save("ec_candidates", {"rows": rows, "openssl_signature_microseconds": limit})
    print(f"written to {path}")
    return 0


def measured(family: Family, count: int, isa: Isa) -> PointSet:
    """The points of so many keys."""
    return PointSet(keys_of(family, count), family, isa=isa)


if __name__ == "__main__":
    sys.exit(main())
