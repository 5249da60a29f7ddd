"""What accepted minus issued costs: time windows in DuckDB, against reading the same columns and no more,
and against Polars and chdb in one shot.

    python benchmarks/detection_reconcile.py               # 20 million against 20 million, 1.5 GB of disk
    python benchmarks/detection_reconcile.py --growth 1 2 5 10 --peers none
    python benchmarks/detection_reconcile.py --hundred     # 100 million against 100 million, 7.5 GB of disk

Every measurement is a process of its own (``programs/reconcile_once.py``), and is done ``--repeat`` times;
the quickest counts. Wall clock and CPU seconds are both written down: on a machine that others use, compare
CPU. One acceptance in 20,000 is forged, and all of them must be found. Exits with 1 if one was not, or if the
windows took more than 5 times the floor, or more memory than they may: 0.6 GB, or 1.2 GB for 100 million.

Results go to ``results/detection_reconcile.json``, growth to ``results/detection_reconcile.svg``. Data goes
to ``--scratch`` (``/var/tmp``) and is removed, also when the program is interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from growth_plot import plot

HERE = Path(__file__).parent
ONCE = HERE / "programs" / "reconcile_once.py"
START, DAYS, ISSUER = 1_790_000_000, 14, "https://login.example"
FILE, FORGED = 1_000_000, 20_000
OURS, PEERS = ("floor", "windows"), ("polars", "chdb")
MOST_RATIO, MOST_SECONDS = 5.0, 3600


def generate(place: Path, rows: int) -> None:
    """Both sides, in files of a million, in the order of time."""
    dice = np.random.default_rng(1)
    for name in ("accepted", "issued"):
        (place / name).mkdir(parents=True)
    for number, first in enumerate(range(0, rows, FILE)):
        count = min(FILE, rows - first)
        iat = START + (np.arange(first, first + count) * (DAYS * 86_400 / rows)).astype(np.int64)
        digests = dice.integers(0, 256, (count, 16), dtype=np.uint8)
        issued = {
            "seq": np.arange(first + 1, first + count + 1),
            "digest": fixed(digests),
            "iss": constant(ISSUER, count),
            "kid": drawn(dice, "k", 3, count),
            "iat": iat,
            "exp": iat + 3600,
        }
        pq.write_table(
            pa.table(issued),
            place / "issued" / f"{number:04}.parquet",
            row_group_size=16_384,
            compression="zstd",
        )
        forged = dice.choice(count, count // FORGED, replace=False)
        digests[forged] = dice.integers(0, 256, (len(forged), 16), dtype=np.uint8)
        moments = (iat + dice.integers(1, 3000, count)) * 1_000_000
        accepted = {
            "time": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "source": constant("acceptance-log", count),
            "record_id": names(dice, count),
            "verdict": constant("accepted", count),
            "digest": fixed(digests),
            "token_id": pa.nulls(count, pa.string()),
            "iss": constant(ISSUER, count),
            "kid": issued["kid"],
            "sub": drawn(dice, "user-", 100_000, count),
            "tenant": drawn(dice, "tenant-", 1000, count),
            "client": drawn(dice, "client-", 50, count),
            "iat": iat,
            "exp": iat + 3600,
            "relying_party": constant("mail", count),
            "ip": drawn(dice, "10.0.", 60_000, count),
        }
        path = place / "accepted" / f"{number:04}.parquet"
        pq.write_table(
            pa.table(accepted), path, row_group_size=65_536, compression="zstd", compression_level=1
        )


def fixed(raw: Any) -> Any:
    data = pa.py_buffer(np.ascontiguousarray(raw))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(raw), [None, data])


def constant(text: str, count: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), [text]).cast(pa.string())


def drawn(dice: Any, prefix: str, kinds: int, count: int) -> Any:
    index = pa.array(dice.integers(0, kinds, count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(index, [f"{prefix}{n}" for n in range(kinds)]).cast(pa.string())


def names(dice: Any, count: int) -> Any:
    """Names of records: 26 random letters and digits each, as the sources make them of hashes."""
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
    text = letters[dice.integers(0, 32, (count, 26), dtype=np.uint8)]
    offsets = pa.py_buffer(np.arange(0, 26 * (count + 1), 26, dtype=np.int32))
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(np.ascontiguousarray(text)))


# --- what is measured ---


def measured(name: str, place: Path, repeat: int) -> dict[str, Any]:
    """The quickest of some runs of a program; the memory is that of the largest."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, str(ONCE), name, str(place)]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return {"failed": f"more than {MOST_SECONDS} s"}
        if ran.returncode:
            last = (ran.stderr.strip().splitlines() or ["killed"])[-1]
            return {"failed": last[:200]}
        runs.append(dict(json.loads(ran.stdout.splitlines()[-1])))
    best = min(runs, key=lambda one: one["seconds"])
    cpu, most = (choose(one[name] for one in runs) for choose, name in ((min, "cpu"), (max, "gigabytes")))
    found = {one["found"] for one in runs}
    return {
        **best,
        "cpu": cpu,
        "gigabytes": most,
        "found": best["found"] if len(found) == 1 else sorted(found),
    }


def compare(place: Path, millions: int, names: Sequence[str], repeat: int) -> dict[str, Any]:
    """Run the programs over one set of data, and print what they took."""
    wanted = sum(min(FILE, millions * FILE - first) // FORGED for first in range(0, millions * FILE, FILE))
    print(f"{millions} million accepted against {millions} million issued, {wanted:,} forged", flush=True)
    made: dict[str, dict[str, Any]] = {}
    for name in names:
        made[name] = got = measured(name, place, repeat)
        if "failed" in got:
            print(f"  {name:<9} could not: {got['failed']}", flush=True)
            continue
        got["right"] = got["found"] in (-1, wanted)
        base = made["floor"]
        got |= {"ratio": got["seconds"] / base["seconds"], "cpu_ratio": got["cpu"] / base["cpu"]}
        print(
            f"  {name:<9} {got['seconds']:7.2f} s ({got['ratio']:4.1f} x floor)  "
            f"{got['cpu']:7.2f} s of CPU ({got['cpu_ratio']:4.1f} x)  {got['gigabytes']:5.2f} GB"
            f"{'' if got['right'] else '   WRONG: found ' + str(got['found'])}",
            flush=True,
        )
    run = {"millions": millions, "forged": wanted, "load": os.getloadavg()[0], "programs": made}
    run["held"] = _held(run)
    print(f"  bar: {_bar(millions)}: {'held' if run['held'] else 'NOT HELD'}", flush=True)
    return run


def _most_memory(millions: int) -> float:
    return 1.2 if millions > 20 else 0.6


def _bar(millions: int) -> str:
    return f"all found, at most {MOST_RATIO:g} x floor and {_most_memory(millions):g} GB"


def _held(run: dict[str, Any]) -> bool:
    floor, ours = (run["programs"][name] for name in OURS)
    if "failed" in floor or "failed" in ours:
        return False
    small = ours["gigabytes"] <= _most_memory(run["millions"])
    return bool(ours["right"] and small and ours["ratio"] <= MOST_RATIO)


@contextmanager
def data(scratch: Path, millions: int) -> Iterator[Path]:
    """A directory with both sides, for as long as it is needed."""
    place = Path(tempfile.mkdtemp(prefix="immure-reconcile-", dir=scratch))
    try:
        begun = time.perf_counter()
        generate(place, millions * FILE)
        size = sum(one.stat().st_size for one in place.rglob("*.parquet")) / 1e9
        print(f"{millions} million made in {time.perf_counter() - begun:.0f} s: {size:.1f} GB", flush=True)
        yield place
    finally:
        shutil.rmtree(place)


def grown(runs: Sequence[dict[str, Any]]) -> list[tuple[float, float, float]]:
    """Millions, seconds, GB of the windows, for the table and the plot."""
    ours = [(run["millions"], run["programs"]["windows"]) for run in runs]
    return [(millions, one["seconds"], one["gigabytes"]) for millions, one in ours if "failed" not in one]


def report(runs: list[dict[str, Any]], target: Path) -> None:
    """Write the results down, beside those of other sizes from earlier."""
    kept: list[dict[str, Any]] = json.loads(target.read_text())["runs"] if target.exists() else []
    new = {run["millions"] for run in runs}
    together = sorted(
        [*runs, *(run for run in kept if run["millions"] not in new and "windows" in run["programs"])],
        key=lambda run: run["millions"],
    )
    target.write_text(json.dumps({"cores": os.cpu_count(), "runs": together}, indent=1) + "\n")
    points = grown(together)
    print("million   seconds   seconds per million     GB")
    for millions, seconds, gigabytes in points:
        print(f"{millions:7g} {seconds:9.2f} {seconds / millions:21.3f} {gigabytes:6.2f}")
    if len(points) > 1:
        target.with_suffix(".svg").write_text(plot(points))


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(description="Accepted minus issued.")
    options.add_argument("--rows", type=int, default=20, help="millions on each side; 0 for --growth only")
    options.add_argument(
        "--growth", type=int, nargs="*", default=[], help="also these millions, without peers"
    )
    options.add_argument(
        "--hundred", action="store_true", help="100 million, without peers, and nothing else"
    )
    options.add_argument("--peers", choices=["all", "none"], default="all")
    options.add_argument("--repeat", type=int, default=2, help="runs of each program")
    options.add_argument("--scratch", type=Path, default=Path("/var/tmp"), help="where data goes")
    options.add_argument("--output", type=Path, default=HERE / "results" / "detection_reconcile.json")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    sizes = [100] if given.hundred else [*given.growth, *([given.rows] if given.rows else [])]
    runs = []
    for millions in sizes:
        peers = PEERS if given.peers == "all" and not given.hundred and millions == given.rows else ()
        with data(given.scratch, millions) as place:
            runs.append(compare(place, millions, [*OURS, *peers], max(1, given.repeat)))
        report(runs, given.output)
    return 0 if all(run["held"] for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
