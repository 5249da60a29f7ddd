"""How long after `immure signing emergency` the key set shows another key, and the burnt one no more.

    python benchmarks/emergency_rotation.py             # writes results/emergency_rotation.json
    python benchmarks/emergency_rotation.py --rounds 3  # a quick look

A real service with a key holder, and its key set read over HTTP every few milliseconds. Each round burns the
key that signs: once with the next key announced already, and once with none, so that one is made first. The
time is from the moment that the key becomes compromised in the registry, which is what the command does first
(its own start takes longer than all the rest); bar: one second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import measure
import signing_speed

from immure.registry.opening import open_store
from immure.registry.state import KeyState

BAR = 1.0
EARLY = 'keys.announce_seconds = 7775999\nkeys.lifetime_seconds = 7776000\nkeys.algorithm = "'


def main() -> None:
    """Run all of it, and write the results."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=10)
    given = reader.parse_args()
    rows = []
    for algorithm in signing_speed.ALGORITHMS:
        for announced in (True, False):
            seconds = [once(algorithm, announced=announced) for _ in range(given.rounds)]
            rows.append(
                {
                    "algorithm": algorithm,
                    "next_key": "announced" if announced else "made now",
                    "median_s": round(statistics.median(seconds), 3),
                    "worst_s": round(max(seconds), 3),
                    "rounds": len(seconds),
                    "within_bar": sum(one < BAR for one in seconds),
                }
            )
            row = rows[-1]
            figures = f"median {row['median_s']:.3f} s   worst {row['worst_s']:.3f} s"
            print(
                f"{algorithm:<7}{row['next_key']:<11}{figures}   {row['within_bar']}/{len(seconds)} in time"
            )
    print(measure.save("emergency_rotation", {"bar_s": BAR, "rows": rows}))


def once(algorithm: str, *, announced: bool) -> float:
    """Seconds from the command until the key set is another."""
    with tempfile.TemporaryDirectory(prefix="immure-bench-") as place:
        directory, port = Path(place), signing_speed.free_port()
        settings = signing_speed.SETTINGS
        if announced:
            signing_speed.SETTINGS = settings.replace('keys.algorithm = "', EARLY)
        try:
            started = signing_speed.ours(directory, port, algorithm, "keyholder")
        finally:
            signing_speed.SETTINGS = settings
        with started:
            wait(port, lambda kids: len(kids) == (2 if announced else 1))
            with open_store(str(directory / "keys.db")) as store:
                record = store.find("bench-0001")
                begun = time.perf_counter()
                store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="bench", by="bench")
            wait(port, lambda kids: kids and "bench-0001" not in kids)
            return time.perf_counter() - begun


def wait(port: int, holds: Any) -> frozenset[str]:
    """The ids in the key set, as soon as they are as wanted."""
    end = time.perf_counter() + 30
    while time.perf_counter() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/jwks", timeout=5) as answer:
            kids = frozenset(key["kid"] for key in json.load(answer)["keys"])
        if holds(kids):
            return kids
        time.sleep(0.005)
    raise RuntimeError("the key set did not change")


if __name__ == "__main__":
    main()
