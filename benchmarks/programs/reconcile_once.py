"""Accepted minus issued, once, by one program; a process of its own for each, so that memory is its own.

    python benchmarks/programs/reconcile_once.py floor DIRECTORY

prints a line of JSON: forged tokens that were found, seconds of wall clock and of CPU, and the most memory
that the process had (``VmHWM``; ``ru_maxrss`` would be that of its parent, too). Libraries are loaded before
the clock begins.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ISSUER = "https://login.example"
#: Of the accepted side; of the issued side all need ``digest``, ``iss`` and ``iat``.
COLUMNS = [
    "record_id", "source", "time", "verdict", "digest", "token_id", "iss", "kid", "sub", "tenant", "client",
    "iat", "relying_party", "ip",
]  # fmt: skip
#: All tokens have an earlier ``iat``.
MARK = 1_800_000_000


def floor(place: Path) -> int:
    """Read the columns, with the memory that the windows have, and nothing else."""
    import duckdb

    base = duckdb.connect()
    base.execute("SET memory_limit = '256MB'")
    for folder, columns in (("accepted", COLUMNS), ("issued", ["digest", "iss", "iat"])):
        greatest = ", ".join(f"max({name})" for name in columns)
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
        print(f"{done.windows} windows", file=sys.stderr)
    return len(found)


def polars(place: Path) -> int:
    """In one shot; writes what is missing, and makes no findings of it."""
    import polars as pl

    accepted = pl.scan_parquet(f"{place}/accepted/*.parquet").select(COLUMNS)
    issued = pl.scan_parquet(f"{place}/issued/*.parquet").select("digest", "iss", "iat")
    missing = accepted.join(issued, on=["digest", "iss", "iat"], how="anti").collect()
    missing.write_parquet(f"{place}/polars.parquet")
    return missing.height


def chdb(place: Path) -> int:
    """The exported query, in one shot; counts what is missing, and makes no findings of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from chdb.session import Session

    from immure.detections.export_sql import ALWAYS, views
    from immure.detections.reconcile_sql import verdicts_sql

    tables = {
        "watermarks": {"iss": [ISSUER], "known_from": [0], "watermark": [MARK]},
        "gaps": {"iss": [ISSUER], "gap_from": [0], "gap_to": [0]},
    }
    paths = {name: f"{place}/{name}/*.parquet" for name in ("accepted", "issued")}
    for name, columns in tables.items():
        paths[name] = f"{place}/{name}.parquet"
        pq.write_table(pa.table(columns), paths[name])
    session = Session()
    session.query("CREATE DATABASE d ENGINE = Atomic")
    session.query("USE d")
    for view in views("clickhouse", paths):
        session.query(view.rstrip(";"))
    sql = f"SELECT finding, count(*) FROM ({verdicts_sql(*ALWAYS)}) GROUP BY finding"
    return int(session.query(sql, "CSV").bytes().decode().split(",")[1])


#: Each with the modules that it is made of.
PROGRAMS: dict[str, tuple[Callable[[Path], int], list[str]]] = {
    "floor": (floor, ["duckdb"]),
    "windows": (windows, ["duckdb", "pyarrow", "immure.detections.cycle", "immure.detections.forged"]),
    "polars": (polars, ["polars"]),
    "chdb": (chdb, ["chdb.session", "pyarrow", "immure.detections.export_sql"]),
}


def most_memory() -> float:
    """Of this process so far, GB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def cpu_seconds() -> float:
    """Of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(name: str, place: Path) -> None:
    """Run one, and print what it took."""
    program, modules = PROGRAMS[name]
    loaded = [import_module(one) for one in modules]
    if "pyarrow" in modules:
        loaded[modules.index("pyarrow")].array([1])  # looks for pandas the first time
    cpu, begun = cpu_seconds(), time.perf_counter()
    found = program(place)
    wall, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
    print(json.dumps({"found": found, "seconds": wall, "cpu": cpu, "gigabytes": most_memory()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
