"""Claim: a scan for 10,000 secrets of sketches takes at most twice as long as the same scan for none.

    python benchmarks/sketch_speed.py [--dir DIRECTORY] [--rounds N] [--quick] [IMAGE...]

Page cache warm, one core (``taskset``), each scan in a process of its own, commands in turns, medians. The
scan is the one of ``immure scan IMAGE`` (all detectors, harvest). Beside it the floor: how long the search by
sketches itself takes, how long ``cat`` and ``sha256sum`` do, and what each hash of the kernel does. Of the
secrets, 10,000 keys of 32 random bytes (kind hs256: four strings of each), 20 are planted in a copy of the
image; all must be found in it (but in noise, which quick mode leaves out), and none in the original.
Writes ``results/sketch_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import images
import measure

IMAGES = ("python-service", "jvm", "go", "random")
SECRETS = 10_000
PLANTED = 20
BAR = 2.0
#: What is searched for: no sketches, sketches beside everything else, only sketches.
SCANS = ("none", "sketches", "only")
HASHES = {1: "portable", 2: "avx2", 3: "avx512", 4: "sha extensions"}


def make_sketch(path: Path, count: int) -> list[bytes]:
    """Write a sketch of so many keys; the keys."""
    from immure.keymaterial.sketch_file import write_sketch
    from immure.keymaterial.sketch_make import sketch_of

    values = [os.urandom(32) for _ in range(count)]
    write_sketch(path, sketch_of((f"s{n}", "hs256", value) for n, value in enumerate(values)))
    return values


def plant(source: Path, target: Path, values: list[bytes]) -> int:
    """A copy of an image with some keys in it, 24 bytes of every second one; how many."""
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)
    size, chance = target.stat().st_size, random.Random(1)
    with target.open("r+b") as file:
        for number in range(PLANTED):
            value = values[number * (len(values) // PLANTED)]
            file.seek(chance.randrange(size // 2, size - 64))
            file.write(value if number % 2 else value[4:28])
    return PLANTED


def worker(image: str, sketch: str, what: str) -> None:
    """One timed scan: ``none``, ``sketches`` (beside everything else), or ``only`` sketches."""
    from immure.keymaterial.sketch_file import read_sketch
    from immure.scanning.options import DETECTORS, ScanOptions
    from immure.scanning.scanner import scan_targets
    from immure.scanning.sketch_table import tables_of

    begun = time.perf_counter()
    sketches = () if what == "none" else (read_sketch(sketch),)
    if sketches:
        tables_of(sketches)
    loading = time.perf_counter() - begun
    detectors, harvest = (("montgomery",), False) if what == "only" else (DETECTORS, True)
    options = ScanOptions(threads=1, sketches=sketches, detectors=detectors, harvest=harvest)
    with tempfile.NamedTemporaryFile() as small:  # loads what is loaded when it is first used
        small.write(bytes(range(256)) * 64)
        small.flush()
        scan_targets([small.name], options=options)
    begun, used = time.perf_counter(), time.process_time()
    report = scan_targets([image], options=options)
    seconds, computing = time.perf_counter() - begun, time.process_time() - used
    found = [finding for finding in report.findings if finding.kind == "sketched"]
    errors = [one.error for one in report.images if one.error]
    if errors:
        raise RuntimeError(errors[0])
    statistics = report.images[0].statistics
    made = statistics.get("sketch_digests", 0)
    result = {"seconds": seconds, "cpu": computing, "loading": loading, "found": len(found), "digests": made}
    json.dump(result, sys.stdout)


def run(image: Path, sketch: Path, what: str) -> dict[str, Any]:
    argv = [sys.executable, __file__, "--worker", str(image), str(sketch), what]
    done = subprocess.run(measure.pinned(argv), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def bench_image(name: str, folder: Path, scratch: Path, rounds: int) -> dict[str, Any]:
    image, sketch, copy = folder / "image", scratch / "sketch", scratch / "image"
    values = make_sketch(sketch, SECRETS)
    planted = plant(image, copy, values)
    measure.warm(copy)
    found = run(copy, sketch, "only")["found"]
    copy.unlink()
    measure.warm(image)
    peers = {"cat": ["cat", str(image)], "sha256sum": ["sha256sum", str(image)]}
    taken: dict[str, list[float]] = {what: [] for what in (*peers, *SCANS)}
    computing: dict[str, list[float]] = {what: [] for what in SCANS}
    false, last = 0, {}
    for _ in range(rounds):
        for peer, argv in peers.items():
            taken[peer].append(measure.seconds_of(argv))
        for what in SCANS:
            last = run(image, sketch, what)
            taken[what].append(last["seconds"])
            computing[what].append(last["cpu"])
            false += last["found"]
    times = {what: round(measure.median(values), 4) for what, values in taken.items()}
    ratio = times["sketches"] / times["none"]
    row: dict[str, Any] = {
        "image": name,
        "bytes": image.stat().st_size,
        "seconds": times,
        "cpu_seconds": {what: round(measure.median(values), 4) for what, values in computing.items()},
        "ratio": round(ratio, 3),
        "cpu_ratio": round(measure.median(computing["sketches"]) / measure.median(computing["none"]), 3),
        "digests": last["digests"],
        "loading_seconds": round(last["loading"], 3),
        "sketch_bytes": sketch.stat().st_size,
        "planted": planted,
        "found": found,
        "false_findings": false,
        "bars": [
            {"bar": f"<= {BAR:g} x the scan for none", "met": ratio <= BAR},
            {"bar": "none found that is not there", "met": false == 0},
        ],
    }
    if name != "random":  # what is planted in noise is left out by quick mode, which says so
        row["bars"].append({"bar": "all planted found", "met": found == planted})
    show(row)
    return row


def bench_hashes() -> dict[str, float]:
    """Nanoseconds for a digest, by each hash that this processor has."""
    from immure.scanning.kernels.sketch import DigestTable, use_hash

    table, data, result = DigestTable(bytes(32), []), os.urandom(1 << 22), {}
    for kind, name in HASHES.items():
        if use_hash(kind):
            begun = time.perf_counter()
            count = len(table.digests(data, 16))
            result[name] = round((time.perf_counter() - begun) / count * 1e9, 1)
    use_hash(0)
    return result


def show(row: dict[str, Any]) -> None:
    bars = "; ".join(f"{bar['bar']}: {'met' if bar['met'] else 'NOT MET'}" for bar in row["bars"])
    times = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in row["seconds"].items())
    head = f"{row['image']:16} {row['ratio']:5.2f} x, of computing time {row['cpu_ratio']:.2f} x"
    print(f"{head}  ({times}; {row['digests']:,} digests)  {bars}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, default=images.DEFAULT, help="where the images are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="the first image only, two rounds")
    parser.add_argument("names", nargs="*", metavar="IMAGE", help=", ".join(IMAGES))
    arguments = parser.parse_args()
    chosen = tuple(arguments.names) or IMAGES
    names, rounds = (chosen[:1], 2) if arguments.quick else (chosen, arguments.rounds)
    arguments.dir.mkdir(parents=True, exist_ok=True)
    hashes = bench_hashes()
    print(", ".join(f"{name} {cost} ns a digest" for name, cost in hashes.items()))
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.dir) as scratch:
        for name in names:
            rows.append(bench_image(name, images.ensure(name, arguments.dir), Path(scratch), rounds))
    content = {"secrets": SECRETS, "rounds": rounds, "nanoseconds_a_digest": hashes, "rows": rows}
    print(f"written to {measure.save('sketch_speed', content)}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5])
    else:
        sys.exit(main())
