"""Claim: to redact a dump, with proof, takes at most three times as long as to copy and hash it, on one core;
and the sweep for pieces of keys alone runs at 4 GB/s or 0.4 of ``cat``.

    python benchmarks/redact_speed.py [--dir DIRECTORY] [--rounds N]

Page cache warm, one core (``taskset``), ``cp`` and ``sha256sum`` of the same file in the same run, medians of
several rounds in which the commands take turns. The copy goes to the directory of the images, as does that of
``cp``; we sync ours to the disk before it gets its name, ``cp`` does not. Two figures for each image: without
and with gdb, which reads both files whole. Writes ``results/redact_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import images
import measure

WORKER = measure.HERE / "programs" / "redact_once.py"
IMAGES = ("python-service", "go", "jvm")
#: Bars of the claim.
MOST_TIMES_COPY = 3.0
LEAST_GBPS, LEAST_OF_CAT = 4.0, 0.4


def copy_and_hash(image: Path, copy: Path) -> float:
    """Seconds of ``cp`` and ``sha256sum`` of a copy, one after the other."""
    copy.unlink(missing_ok=True)
    seconds = measure.seconds_of(["cp", str(image), str(copy)]) + measure.seconds_of(["sha256sum", str(copy)])
    copy.unlink()
    return seconds


def redact(image: Path, keys: Path, copy: Path, how: str) -> dict[str, Any]:
    """One redaction (or sweep) in a fresh process: its seconds, by phase, and its highest memory."""
    copy.unlink(missing_ok=True)
    argv = measure.pinned([sys.executable, str(WORKER), str(image), str(keys), str(copy), how])
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    copy.unlink(missing_ok=True)
    return dict(json.loads(done.stdout))


def measure_image(name: str, directory: Path, rounds: int) -> dict[str, Any]:
    """All rows of one image."""
    folder = images.ensure(name, directory)
    image, keys, copy = folder / "image", folder / "keys.jwks", directory / "copy"
    size = os.stat(image).st_blocks * 512
    measure.warm(image)
    base, cat, runs = [], [], {"no-debugger": [], "debugger": [], "sweep": []}
    for _ in range(rounds):
        base.append(copy_and_hash(image, copy))
        cat.append(measure.seconds_of(["cat", str(image)]))
        for how, results in runs.items():
            results.append(redact(image, keys, copy, how))
    median = measure.median
    of_base, of_cat = median(base), median(cat)
    seconds = {how: median([run["seconds"] for run in results]) for how, results in runs.items()}
    return {
        "image": name,
        "bytes": os.stat(image).st_size,
        "bytes_on_disk": size,
        "copy_and_hash_s": of_base,
        "cat_gbps": size / of_cat / 1e9,
        "redact_s": seconds["no-debugger"],
        "redact_with_debugger_s": seconds["debugger"],
        "times_copy": seconds["no-debugger"] / of_base,
        "times_copy_with_debugger": seconds["debugger"] / of_base,
        "sweep_gbps": size / seconds["sweep"] / 1e9,
        "sweep_of_cat": of_cat / seconds["sweep"],
        "peak_mib": max(run["peak_mib"] for run in runs["no-debugger"]),
        "keys_found": runs["no-debugger"][0]["keys"],
        "phases_s": runs["no-debugger"][0]["phases"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    head = "| image | GB | cp + sha256sum | redact | × | with gdb × | sweep GB/s | of cat | MiB | bars |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        met = [
            "copy" if row["times_copy"] <= MOST_TIMES_COPY else "NOT copy",
            "sweep"
            if row["sweep_gbps"] >= LEAST_GBPS or row["sweep_of_cat"] >= LEAST_OF_CAT
            else "NOT sweep",
        ]
        lines.append(
            f"| {row['image']} | {row['bytes'] / 1e9:.2f} | {row['copy_and_hash_s']:.2f} s"
            f" | {row['redact_s']:.2f} s"
            f" | {row['times_copy']:.2f} | {row['times_copy_with_debugger']:.2f} | {row['sweep_gbps']:.1f}"
            f" | {row['sweep_of_cat']:.2f} | {row['peak_mib']} | {', '.join(met)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all images that can be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, default=measure.HERE / "images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", action="append", choices=IMAGES)
    options = parser.parse_args()
    rows = []
    for name in options.image or IMAGES:
        rows.append(measure_image(name, options.dir, options.rounds))
        print(table(rows[-1:]), flush=True)
    print(measure.save("redact_speed", {"rounds": options.rounds, "rows": rows}))
    print(table(rows))


if __name__ == "__main__":
    main()
