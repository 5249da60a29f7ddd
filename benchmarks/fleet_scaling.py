"""Claim: two workers scan at least 1.7 times as fast as one (0.85 of linear), and the simulation says so.

    python benchmarks/fleet_scaling.py [--dir DIRECTORY] [--megabytes N] [--rounds N] [--image FILE] [--quick]

Images of ordinary memory on a local disk, page cache warm: small ones, a task each, and one large one that
is cut. Each engine (``processes:N``; a Dask scheduler with N workers of one thread, over loopback) is begun
and warmed first, so that what is timed is scanning and handing out, not the start of Python. One worker and
two take turns; medians. The coordinator and the scheduler share the two cores with the workers.

What the machine has to give stands beside it: two hashes of the large image at once against one. Then what
a task costs that has next to nothing to do, and the model of ``immure fleet cost`` with the rate of the run
with one worker: what it says of one worker and of two is held against what was measured. Writes
``results/fleet_scaling.json``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import images  # noqa: F401  (puts tests/ on the path)
import measure

from immure.fleet.cost import Model
from immure.fleet.engine import Engine
from immure.fleet.engines import open_engine
from immure.fleet.run import Sizes, scan_fleet
from immure.fleet.simulate import simulate
from immure.scanning.options import ScanOptions
from immure.synth import ordinary_memory
from servers.dask import dask_cluster

MIB = 1 << 20
BAR = 0.85
AGREES = 0.15
IMAGES = 16
TINY = 200


def make(directory: Path, megabytes: int, source: Path | None) -> dict[str, Path]:
    """The images: ``whole`` (several), ``cut`` (one), ``tiny`` (many)."""
    block = source.read_bytes()[: 64 * MIB] if source else bytes(ordinary_memory(16 * MIB, 1))
    for name, count, length in (("whole", IMAGES, megabytes // IMAGES * MIB), ("cut", 1, megabytes * MIB)):
        (directory / name).mkdir()
        for number in range(count):
            with (directory / name / f"image-{number:02}").open("wb") as file:
                file.write(number.to_bytes(8, "little"))
                while file.tell() < length:
                    file.write(block[: length - file.tell()])
    (directory / "tiny").mkdir()
    for number in range(TINY):
        (directory / "tiny" / f"{number}").write_bytes(number.to_bytes(64, "big"))
    (directory / "warm").mkdir()
    for number in range(4):
        (directory / "warm" / f"{number}").write_bytes(block[: 8 * MIB])
    for path in directory.rglob("image-*"):
        measure.warm(path)
    return {path.name: path for path in directory.iterdir()}


@contextmanager
def begun(kind: str, workers: int) -> Iterator[Engine]:
    if kind == "processes":
        with open_engine(f"processes:{workers}") as engine:
            yield engine
    else:
        with dask_cluster(workers) as cluster, open_engine(cluster.engine) as engine:
            yield engine


def seconds_of(engine: Engine, target: Path, split: int) -> float:
    began = time.perf_counter()
    report = scan_fleet([str(target)], engine, options=ScanOptions(), sizes=Sizes(split, 256 * MIB))
    seconds = time.perf_counter() - began
    lost = report.account.lost
    if lost or any(image.fault for image in report.account.images):
        raise RuntimeError(f"not everything was searched: {lost[:3]}")
    return seconds


def bench_engine(kind: str, made: dict[str, Path], split: int, rounds: int) -> dict[str, Any]:
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for workers in (1, 2):
            with begun(kind, workers) as engine:
                warmed(engine, made["warm"])
                for what in ("whole", "cut", "tiny"):
                    taken.setdefault(f"{what}-{workers}", []).append(seconds_of(engine, made[what], split))
    return {name: round(measure.median(values), 4) for name, values in taken.items()}


def warmed(engine: Engine, target: Path) -> None:
    """Every worker has loaded what it needs."""
    seconds_of(engine, target, 256 * MIB)


def judged(kind: str, times: dict[str, float], total: int, split: int) -> dict[str, Any]:
    """Efficiency, and what the model says."""
    row: dict[str, Any] = {"engine": kind, "seconds": times, "bars": []}
    each = times["tiny-1"] / TINY
    dispatch = times["tiny-2"] / TINY / 2
    row["seconds_of_a_tiny_task"] = round(each, 5)
    row["dispatch_seconds_at_most"] = round(dispatch, 5)
    for what, size, work in (("whole", total // IMAGES, 1.0), ("cut", split, 1.0)):
        efficiency = times[f"{what}-1"] / (2 * times[f"{what}-2"])
        row[f"{what}_efficiency"] = round(efficiency, 3)
        row["bars"].append({"bar": f"{what}: >= {BAR} of linear", "met": efficiency >= BAR})
        tasks = total // size
        rate = total / max(1e-6, times[f"{what}-1"] - tasks * each)
        model = Model(rate, each, 0.0, 1e12, 1e13, work_passes=work, task_bytes=size)
        for workers in (1, 2):
            said = simulate(model, [size] * tasks, workers).seconds
            row[f"{what}_simulated_{workers}"] = round(said, 4)
            off = abs(said / times[f"{what}-{workers}"] - 1)
            row["bars"].append(
                {"bar": f"{what}: simulation of {workers} within {AGREES:.0%}", "met": off <= AGREES}
            )
        row[f"{what}_bytes_per_second_of_one"] = round(total / times[f"{what}-1"])
    return row


def hashing(image: Path, rounds: int) -> float:
    """How much of linear two hashes at once are, a core each."""
    argv = ["sha256sum", str(image)]
    alone = measure.median([measure.seconds_of(argv) for _ in range(rounds)])
    return round(alone / measure.median([measure.seconds_of_two(argv) for _ in range(rounds)]), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", type=Path, help="what memory looks like; by default it is made up")
    parser.add_argument("--quick", action="store_true", help="128 MB, one round: a smoke run")
    given = parser.parse_args()
    megabytes, rounds = (128, 1) if given.quick else (given.megabytes, given.rounds)
    scratch = Path(tempfile.mkdtemp(prefix="immure-fleet-", dir=given.dir))
    try:
        made = make(scratch, megabytes, given.image)
        total, split = megabytes * MIB, megabytes * MIB // IMAGES
        limit = hashing(made["cut"] / "image-00", rounds)
        rows = [judged(kind, bench_engine(kind, made, split, rounds), total, split)
                for kind in ("processes", "dask")]  # fmt: skip
    finally:
        shutil.rmtree(scratch)
    print(f"two sha256sum at once: {limit:.2f} of linear")
    for row in rows:
        print(
            f"{row['engine']}: {row['whole_efficiency']:.2f} of linear whole, {row['cut_efficiency']:.2f} cut"
        )
        for bar in row["bars"]:
            print(f"  {'met    ' if bar['met'] else 'NOT MET'} {bar['bar']}")
    name = "fleet_scaling-quick" if given.quick else "fleet_scaling"
    print(measure.save(name, {"bytes": total, "rounds": rounds, "two_hashes_by_one": limit, "engines": rows}))


if __name__ == "__main__":
    main()
