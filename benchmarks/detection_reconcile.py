"""What accepted minus issued costs: time windows in DuckDB, against reading the same columns and no more,
and against Polars and chdb in one shot.

    python benchmarks/detection_reconcile.py                  # 20 million against 20 million, 2.5 GB of disk
    python benchmarks/detection_reconcile.py --rows 100 --peers none
    python benchmarks/detection_reconcile.py --growth 1 2 5 10

Every measurement is a process of its own; its memory is the most that it had (``VmHWM``; ``ru_maxrss``
would be that of the parent, too).
Wall clock and CPU seconds are both written down: on a machine that others use, compare CPU. One acceptance in
20,000 is forged, and all of them must be found. Results go to ``results/detection_reconcile.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START, DAYS, ISSUER = 1_790_000_000, 14, "https://login.example"
FILE, FORGED = 1_000_000, 20_000
COLUMNS = ", ".join(
    [
        "record_id",
        "source",
        "time",
        "verdict",
        "digest",
        "token_id",
        "iss",
        "kid",
        "sub",
        "tenant",
        "client",
        "iat",
        "relying_party",
        "ip",
    ]
)
MARK = START + DAYS * 86_400 + 1


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


# --- what is measured; each returns how many forged tokens it found ---


def floor(place: Path) -> int:
    """Read the columns, and nothing else."""
    import duckdb

    base = duckdb.connect()
    base.execute("SET memory_limit = '256MB'")
    for folder, columns in (("accepted", COLUMNS), ("issued", "digest, iss, iat")):
        greatest = ", ".join(f"max({name.strip()})" for name in columns.split(","))
        base.execute(f"SELECT {greatest} FROM read_parquet('{place}/{folder}/*.parquet')").fetchall()
    return -1


def windows(place: Path) -> int:
    """What ``immure detect run`` does after reading: verdicts, findings, written down."""
    from immure.detections.engine import Engine
    from immure.detections.forged import forged_findings
    from immure.detections.ledger_side import IssuerSide
    from immure.detections.reconcile import reconcile
    from immure.detections.rule_files import built_in

    side = IssuerSide(ISSUER, sorted(str(one) for one in (place / "issued").iterdir()), 0, MARK)
    accepted = sorted(str(one) for one in (place / "accepted").iterdir())
    rule = next(one for one in built_in() if one.id == "token-forged")
    with tempfile.TemporaryDirectory(dir=place) as out, Engine(Path(out), [place]) as engine:
        done = reconcile(engine, accepted, {ISSUER: side}, lambda n: Path(out, f"{n}.parquet"))
        engine.files("verdicts", done.files)
        found = list(forged_findings(engine, rule, lambda *_: True))
        Path(out, "findings.json").write_text(json.dumps([one.plain() for one in found]))
    return len(found)


def polars(place: Path) -> int:
    import polars as pl

    accepted = pl.scan_parquet(f"{place}/accepted/*.parquet")
    issued = pl.scan_parquet(f"{place}/issued/*.parquet").select("digest", "iss", "iat")
    missing = accepted.join(issued, on=["digest", "iss", "iat"], how="anti").collect()
    missing.write_parquet(f"{place}/polars.parquet")
    return missing.height


def chdb(place: Path) -> int:
    from chdb.session import Session

    from immure.detections.export_sql import ALWAYS, views
    from immure.detections.reconcile_sql import missing_sql

    pq.write_table(
        pa.table({"iss": [ISSUER], "known_from": [0], "watermark": [MARK]}), place / "watermarks.parquet"
    )
    pq.write_table(pa.table({"iss": [ISSUER], "gap_from": [0], "gap_to": [0]}), place / "gaps.parquet")
    paths = {"accepted": f"{place}/accepted/*.parquet", "issued": f"{place}/issued/*.parquet"}
    paths |= {name: f"{place}/{name}.parquet" for name in ("watermarks", "gaps")}
    session = Session()
    session.query("CREATE DATABASE d ENGINE = Atomic")
    session.query("USE d")
    for view in views("clickhouse", paths):
        session.query(view.rstrip(";"))
    answer = session.query(f"SELECT finding, count(*) FROM ({missing_sql(*ALWAYS)}) GROUP BY finding", "CSV")
    return int(answer.bytes().decode().split(",")[1])


PROGRAMS: dict[str, Callable[[Path], int]] = {
    "floor": floor,
    "duckdb windows": windows,
    "polars": polars,
    "chdb": chdb,
}


def most_memory() -> float:
    """Of this process so far, GB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def one(name: str, place: Path) -> None:
    """Run one program, and print what it took."""
    begun = time.perf_counter()
    found = PROGRAMS[name](place)
    wall, usage = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"found": found, "seconds": wall, "cpu": cpu, "gigabytes": most_memory()}))


def measured(name: str, place: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, "--data", str(place)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["killed"])[-1]
        return {"failed": last[:200]}
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def compare(place: Path, millions: int, peers: bool) -> dict[str, Any]:
    programs = [name for name in PROGRAMS if peers or name in ("floor", "duckdb windows")]
    made = {name: measured(name, place) for name in programs}
    wanted = sum(min(FILE, millions * FILE - first) // FORGED for first in range(0, millions * FILE, FILE))
    print(f"{millions} million accepted against {millions} million issued, {wanted} forged")
    for name, got in made.items():
        if "failed" in got:
            print(f"  {name:<15} could not: {got['failed']}")
            continue
        right = "" if got["found"] in (-1, wanted) else f"   WRONG: {got['found']} found"
        ratio = got["cpu"] / made["floor"]["cpu"]
        print(
            f"  {name:<15} {got['seconds']:7.1f} s   {got['cpu']:7.1f} s of CPU ({ratio:.1f} x floor)   "
            f"{got['gigabytes']:.2f} GB{right}"
        )
    return {"millions": millions, "forged": wanted, "load": os.getloadavg()[0], "programs": made}


def main() -> None:
    options = argparse.ArgumentParser(description="Accepted minus issued.")
    options.add_argument("--rows", type=int, default=20, help="millions on each side")
    options.add_argument("--growth", type=int, nargs="*", help="also these millions, without peers")
    options.add_argument("--peers", choices=["all", "none"], default="all")
    options.add_argument("--data", type=Path, help="where the files are, or are to be")
    options.add_argument("--one", choices=list(PROGRAMS))
    given = options.parse_args()
    if given.one:
        one(given.one, given.data)
        return
    results = []
    for millions in (*(given.growth or []), given.rows):
        place = given.data or Path(tempfile.mkdtemp(prefix="immure-reconcile-", dir="/var/tmp"))
        try:
            if not (place / "issued").exists():
                generate(place, millions * FILE)
            results.append(compare(place, millions, given.peers == "all" and millions == given.rows))
        finally:
            if given.data is None:
                shutil.rmtree(place)
    target = Path(__file__).parent / "results" / "detection_reconcile.json"
    target.write_text(json.dumps({"cores": os.cpu_count(), "runs": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
