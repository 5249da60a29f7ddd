"""Claim: a scan for known public keys runs at a multiple of sha256sum's speed on the same file, on one core.

    python benchmarks/scan_speed.py [--dir DIRECTORY] [--rounds N] [--quick]

Page cache warm, one core (``taskset``), all peers in the same run, medians of several rounds in which the
commands take turns. ``--quick`` leaves out what takes minutes (exhaustive mode, most peers). Writes
``results/scan_speed.json``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import images
import key_sets
import measure
import peers
from measure import Scan

RSA = "rsa"
#: Base measurements, each on the image itself.
BASES: dict[str, Callable[[str], list[str]]] = {
    "sha256sum": lambda image: ["sha256sum", image],
    "cat": lambda image: ["cat", image],
    "rsakeyfind": lambda image: ["rsakeyfind", image],
}


@dataclass
class Bar:
    """A bound on a ratio of speeds: ours by that of ``against`` must be at least ``least``."""

    against: str
    least: float


@dataclass
class Case:
    """One way to scan one image."""

    name: str
    image: str
    scan: Scan
    bars: list[Bar] = field(default_factory=list)
    rounds: int = 0
    planted: int = 1
    share: float = 1.0  # of the image that is scanned


class Bench:
    """Runs cases and keeps what they gave."""

    def __init__(self, directory: Path, rounds: int) -> None:
        self.directory = directory
        self.rounds = rounds
        self.bases: dict[str, dict[str, float]] = {}
        self.rows: list[dict[str, Any]] = []

    def folder(self, name: str) -> Path:
        return images.ensure(name, self.directory)

    def bases_of(self, name: str) -> dict[str, float]:
        """Seconds of the base commands on an image, measured once."""
        if name not in self.bases:
            image = self.folder(name) / "image"
            measure.warm(image)
            present = {base: argv for base, argv in BASES.items() if peers.tool(base)}
            times: dict[str, list[float]] = {base: [] for base in present}
            for _ in range(self.rounds):
                for base, argv in present.items():
                    times[base].append(measure.seconds_of(argv(str(image))))
            self.bases[name] = {base: measure.median(values) for base, values in times.items()}
        return self.bases[name]

    def run(self, case: Case) -> dict[str, Any]:
        """Measure a case and print its row."""
        bases = self.bases_of(case.image)
        measure.warm(case.scan.image)
        results = [measure.run_scan(case.scan) for _ in range(case.rounds or self.rounds)]
        seconds = measure.median([result["seconds"] for result in results])
        size = (self.folder(case.image) / "image").stat().st_size * case.share
        row = {
            "case": case.name,
            "image": case.image,
            "seconds": round(seconds, 4),
            "gb_per_s": round(size / seconds / 1e9, 3),
            "ratios": {base: round(case.share * value / seconds, 3) for base, value in bases.items()},
            "found": f"{sum(kid.startswith('drill-') for kid in results[0]['found'])} of {case.planted}",
            "peak_mib": max(result["peak_mib"] for result in results),
            "not_searched": results[0]["not_searched"],
            "errors": results[0]["errors"],
            "command": " ".join(case.scan.command()),
        }
        row["bars"] = [self._check(bar, row["ratios"].get(bar.against)) for bar in case.bars]
        self.rows.append(row)
        show(row)
        return row

    def judge(self, name: str, value: float, bound: str, met: bool) -> None:
        """A bar that compares cases with each other."""
        row = {"case": name, "value": round(value, 3), "bars": [{"bar": bound, "met": met}]}
        self.rows.append(row)
        print(f"{name:58} {value:10.2f}  {_bars(row['bars'])}", flush=True)

    @staticmethod
    def _check(bar: Bar, ratio: float | None) -> dict[str, Any]:
        met = None if ratio is None else ratio >= bar.least
        return {"bar": f">= {bar.least:g} x {bar.against}", "met": met}


def _bars(bars: list[dict[str, Any]]) -> str:
    words = {True: "met", False: "NOT MET", None: "not measured"}
    return "; ".join(f"{bar['bar']}: {words[bar['met']]}" for bar in bars)


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    ratios = "  ".join(f"{value:8.2f}x {base}" for base, value in row["ratios"].items())
    head = f"{row['case'] + ' / ' + row['image']:48} {row['seconds']:9.3f} s {row['gb_per_s']:7.2f} GB/s"
    print(f"{head} {ratios}  {row['found']:>8}  {row['peak_mib']:4} MiB  {_bars(row['bars'])}", flush=True)


def single_key(bench: Bench, scratch: Path) -> dict[str, Any]:
    """One RSA-2048 key; returns the row of the Python service."""
    bars = {"python-service": 4.0, "jvm": 2.0}
    first: dict[str, Any] = {}
    for name in ("python-service", "jvm", "go", "node", "random", "zeros", "zeros-sparse"):
        folder = bench.folder(name)
        jwks = key_sets.many_rsa(folder / "keys.jwks", 1, scratch)
        case = Case("one RSA-2048 key, rsa only", name, Scan(folder / "image", jwks, RSA, harvest=False))
        if name in bars:
            case.bars = [Bar("sha256sum", bars[name]), Bar("rsakeyfind", 10)]
        elif name == "zeros":
            case.bars = [Bar("cat", 0.5)]
        row = bench.run(case)
        first = first or row
        if name == "random":
            absent_keys(bench, scratch)
        elif name in bars:
            bench.run(Case("one RSA-2048 key, defaults", name, Scan(folder / "image", jwks)))
    return first


def absent_keys(bench: Bench, scratch: Path) -> None:
    """RSA keys that are not in the random bytes: only the search, without a sweep for what was found."""
    image, elsewhere = bench.folder("random") / "image", bench.folder("python-service") / "keys.jwks"
    for count, bar in ((1, 1.5), (10, 1.0)):
        scan = Scan(image, key_sets.many_rsa(elsewhere, count, scratch), RSA, harvest=False)
        name = f"{count} RSA-2048 key(s) that are not there"
        bench.run(Case(name, "random", scan, [Bar("sha256sum", bar)], planted=0))


def mixed_keys(bench: Bench, scratch: Path, *, exhaustive: bool) -> None:
    """Ten keys of mixed types, all detectors."""
    bars = {"python-service": 3.0, "go": 1.2, "node": 1.2, "jvm": 0.5}
    for name in (*bars, "random"):
        folder = bench.folder(name)
        planted = 3 if name in bars else 1
        jwks = key_sets.ten_mixed(folder / "keys.jwks", scratch)
        case = Case("ten mixed keys, quick", name, Scan(folder / "image", jwks), planted=planted)
        case.bars = [Bar("sha256sum", bars[name])] if name in bars else []
        bench.run(case)
        if exhaustive:
            part = _middle(folder / "image", scratch)
            share = part.stat().st_size / (folder / "image").stat().st_size
            scan = Scan(part, jwks, mode="exhaustive")
            words = "ten mixed keys, exhaustive, 16 MiB"
            bench.run(Case(words, name, scan, rounds=1, planted=0, share=share))
            part.unlink()


def _middle(image: Path, scratch: Path) -> Path:
    """16 MiB out of the middle of an image: exhaustive mode takes minutes for a gigabyte."""
    length = 16 << 20
    part = scratch / "middle"
    with image.open("rb") as file:
        file.seek((image.stat().st_size - length) // 2 // 4096 * 4096)
        part.write_bytes(file.read(length))
    return part


def many_keys(bench: Bench, scratch: Path) -> None:
    """The curve over the number of RSA keys."""
    folder = bench.folder("python-service")
    seconds: dict[int, float] = {}
    for count in (1, 10, 100, 1000, 10_000):
        jwks = key_sets.many_rsa(folder / "keys.jwks", count, scratch)
        bars = [Bar("sha256sum", 0.5)] if count == 1000 else []
        scan = Scan(folder / "image", jwks, RSA, harvest=False)
        seconds[count] = bench.run(Case(f"{count} RSA keys", "python-service", scan, bars))["seconds"]
    growth = seconds[10_000] / seconds[1000]
    bench.judge("10,000 keys by 1,000 keys, time", growth, "< 10", growth < 10)


def two_threads(bench: Bench, scratch: Path) -> None:
    """Two threads on two cores against one."""
    folder = bench.folder("python-service")
    jwks = key_sets.ten_mixed(folder / "keys.jwks", scratch)
    rows = [
        bench.run(
            Case(
                f"ten mixed keys, {threads} thread(s)",
                "python-service",
                Scan(folder / "image", jwks, threads=threads),
                planted=3,
            )
        )
        for threads in (1, 2)
    ]
    gain = rows[0]["seconds"] / rows[1]["seconds"]
    bench.judge("two threads by one, speed", gain, ">= 1.8", gain >= 1.8)
    # what this machine has to give: two hashes at once, in processes of their own
    argv = ["sha256sum", str(folder / "image")]
    alone = measure.median([measure.seconds_of(argv) for _ in range(bench.rounds)])
    together = measure.median([measure.seconds_of_two(argv) for _ in range(bench.rounds)])
    print(f"{'two sha256sum at once by one, speed (the limit)':58} {2 * alone / together:10.2f}", flush=True)
    bench.rows.append({"case": "two sha256sum at once by one", "value": 2 * alone / together, "bars": []})


def compressed(bench: Bench, scratch: Path, plain: dict[str, Any]) -> None:
    """A compressed core, against the decompressor alone and against the plain scan."""
    folder = bench.folder("python-service")
    jwks = key_sets.many_rsa(folder / "keys.jwks", 1, scratch)
    for ending, pack, unpack in (
        (".zst", ["zstd", "-q", "-1", "-c"], ["zstd", "-dc"]),
        (".gz", ["gzip", "-1c"], ["gzip", "-dc"]),
    ):
        if peers.tool(pack[0]) is None:
            print(f"compressed {ending}: {pack[0]} is not installed", flush=True)
            continue
        path = scratch / f"image{ending}"
        with path.open("wb") as file:
            subprocess.run([*pack, str(folder / "image")], stdout=file, check=True)
        alone = measure.median([measure.seconds_of([*unpack, str(path)]) for _ in range(bench.rounds)])
        scan = Scan(path, jwks, RSA, harvest=False, threads=2)
        row = bench.run(Case(f"one RSA-2048 key, rsa only, {ending}, 2 threads", "python-service", scan))
        share = max(alone, plain["seconds"]) / row["seconds"]
        row["decompressor_seconds"] = round(alone, 3)
        bench.judge(
            f"{ending}: speed by the lower of decompressor and scanner", share, ">= 0.9", share >= 0.9
        )
        path.unlink()


def recall(bench: Bench, names: tuple[str, ...], limit: float) -> list[dict[str, Any]]:
    """What every tool found, and in what time."""
    rows = []
    for name in names:
        folder = bench.folder(name)
        for peer in peers.PEERS:
            result = peers.run(peer, folder, limit)
            rows.append({"image": name, **vars(result)})
            took = "-" if result.seconds is None else f"{result.seconds:8.2f} s"
            print(
                f"{name:16} {peer.name:16} {took:>11}  keys found: {len(result.found)}  {result.note}",
                flush=True,
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, default=images.DEFAULT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=300, help="seconds for each peer")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(arguments.dir, arguments.rounds)
    with tempfile.TemporaryDirectory(dir=arguments.dir) as temporary:
        scratch = Path(temporary)
        first = single_key(bench, scratch)
        mixed_keys(bench, scratch, exhaustive=not arguments.quick)
        many_keys(bench, scratch)
        two_threads(bench, scratch)
        compressed(bench, scratch, first)
    peak = max(row["peak_mib"] for row in bench.rows if "peak_mib" in row)
    bench.judge("highest memory above the page cache, MiB", peak, "<= 400", peak <= 400)
    found = [] if arguments.quick else recall(bench, ("python-service", "jvm", "go"), arguments.limit)
    path = measure.save("scan_speed", {"bases": bench.bases, "rows": bench.rows, "peers": found})
    print(f"written to {path}")
    unmet = [row["case"] for row in bench.rows for bar in row["bars"] if bar["met"] is False]
    print(f"bars not met: {', '.join(unmet) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
