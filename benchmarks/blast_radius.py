"""What a blast radius costs: against reading the same columns once, and no more.

    python benchmarks/blast_radius.py                # 100 million acceptances, 9 GB of disk
    python benchmarks/blast_radius.py --rows 2

Two are measured: ``everything``, where there is no ledger and a third of all tokens is of the key and counts,
and ``forged``, where the ledger has judged before and one token in 20,000 counts. Each token is accepted
twice. Every measurement is a process of its own (``programs/radius_once.py``), done ``--repeat`` times; the
quickest counts. Exits with 1 if a token was missed, or a radius took more than twice the floor.

Results go to ``results/blast_radius.json``. Data goes to ``--scratch`` (``/var/tmp``) and is removed, also
when the program is interrupted.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from detection_reconcile import constant, drawn, fixed, names

from immure.detections.records import schema
from immure.detections.state import State
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "programs"))
from radius_once import PUBLIC  # noqa: E402 - of the program that is measured

ONCE = HERE / "programs" / "radius_once.py"
START, DAYS, ISSUER = 1_790_000_000, 60, "https://login.example"
FILE, FORGED, KEYS, TENANTS, USERS = 1_000_000, 20_000, 3, 1000, 100
MOST_RATIO, MOST_SECONDS = 2.0, 3600


def generate(place: Path, rows: int) -> tuple[int, int]:
    """A state with acceptances in files of a million, in the order of time, and verdicts.

    Returns:
        Distinct tokens of the key, and how many of them are forged.
    """
    dice, ours, forged, verdicts = np.random.default_rng(1), 0, 0, []
    with State(place) as state:
        for first in range(0, rows, FILE):
            table, mine, bad = _file(dice, first, min(FILE, rows - first), rows)
            ours, forged = ours + mine, forged + bad.num_rows
            verdicts.append(bad)
            name = state.new_name("acceptance")
            pq.write_table(
                table, state.path(name), row_group_size=65_536, compression="zstd", compression_level=1
            )
            state.add_part(name, "acceptance", table.num_rows, "judged", seen=True)
        name = state.new_name("verdicts")
        pq.write_table(pa.concat_tables(verdicts), state.path(name))
        state.add_part(name, "verdicts", forged, "judged", seen=True)
    return ours, forged


def _file(dice: Any, first: int, count: int, rows: int) -> tuple[Any, int, Any]:
    """Acceptances of tokens, each twice, side by side."""
    tokens = count // 2
    twice = np.repeat(np.arange(tokens), 2)
    iat = START + ((first // 2 + np.arange(tokens)) * (DAYS * 86_400 / (rows // 2))).astype(np.int64)
    digests = dice.integers(0, 256, (tokens, 16), dtype=np.uint8)
    kid = dice.integers(0, KEYS, tokens)
    user, tenant = dice.integers(0, USERS, tokens), dice.integers(0, TENANTS, tokens)
    columns = {
        "time": pa.array(
            (iat[twice] + dice.integers(1, 3000, count)) * 1_000_000, pa.timestamp("us", tz="UTC")
        ),
        "source": constant("acceptance-log", count),
        "record_id": names(dice, count),
        "verdict": constant("accepted", count),
        "digest": fixed(digests[twice]),
        "iss": constant(ISSUER, count),
        "kid": _named(kid[twice], [f"k{number}" for number in range(KEYS)]),
        "sub": _named(
            (tenant * USERS + user)[twice], [f"user-{number}" for number in range(TENANTS * USERS)]
        ),
        "tenant": _named(tenant[twice], [f"tenant-{number}" for number in range(TENANTS)]),
        "client": drawn(dice, "client-", 50, count),
        "iat": iat[twice],
        "exp": iat[twice] + 3600,
        "thumbprint": _named(kid[twice], [_thumbprint(number) for number in range(KEYS)]),
        "relying_party": drawn(dice, "party-", 4, count),
        "ip": drawn(dice, "10.0.", 60_000, count),
    }
    wanted = schema("acceptance")
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in wanted
    ]
    table = pa.Table.from_arrays(arrays, schema=wanted)
    mine = np.flatnonzero(kid == 1)
    bad = dice.choice(mine, max(1, len(mine) // FORGED), replace=False)
    judged = table.take(pa.array(bad * 2)).select(["digest", "kid", "iss", "tenant", "time"])
    return table, len(mine), judged.append_column("finding", constant("forged", len(bad)))


def _thumbprint(number: int) -> str:
    """Of the key of ``programs/radius_once.py``, and of others."""
    numbers = OkpNumbers("Ed25519", PUBLIC if number == 1 else bytes(31) + bytes([number + 100]))
    return PublicKey(numbers, Origin("benchmark")).thumbprint


def _named(index: Any, values: list[str]) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), values).cast(pa.string())


def measured(name: str, place: Path, repeat: int) -> dict[str, Any]:
    """The quickest of some runs of a program; the memory is that of the largest."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, str(ONCE), name, str(place)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
        if ran.returncode:
            raise SystemExit(f"{name} could not: {(ran.stderr.strip().splitlines() or ['killed'])[-1][:200]}")
        runs.append(dict(json.loads(ran.stdout.splitlines()[-1])))
    best = min(runs, key=lambda one: one["seconds"])
    return {
        **best,
        "cpu": min(one["cpu"] for one in runs),
        "gigabytes": max(one["gigabytes"] for one in runs),
    }


def compare(place: Path, rows: int, wanted: dict[str, int], repeat: int) -> dict[str, Any]:
    """Run the programs over one set of data, and print what they took."""
    made: dict[str, dict[str, Any]] = {}
    for name in ("floor", "everything", "forged"):
        made[name] = got = measured(name, place, repeat)
        base = made["floor"]
        got |= {"ratio": got["seconds"] / base["seconds"], "cpu_ratio": got["cpu"] / base["cpu"]}
        got["right"] = got["found"] == wanted.get(name, -1)
        print(
            f"  {name:<10} {got['seconds']:7.2f} s ({got['ratio']:4.2f} x floor)  {got['cpu']:7.2f} s of CPU "
            f"({got['cpu_ratio']:4.2f} x)  {got['gigabytes']:5.2f} GB"
            f"{'' if got['right'] else '   WRONG: found ' + str(got['found'])}",
            flush=True,
        )
    held = all(one["right"] and one["ratio"] <= MOST_RATIO for one in made.values())
    print(f"  bar: all tokens found, at most {MOST_RATIO:g} x floor: {'held' if held else 'NOT HELD'}")
    return {"rows": rows, "tokens": wanted, "load": os.getloadavg()[0], "programs": made, "held": held}


@contextmanager
def data(scratch: Path, rows: int) -> Iterator[tuple[Path, dict[str, int]]]:
    """A state, for as long as it is needed, and the tokens that are to be found."""
    place = Path(tempfile.mkdtemp(prefix="immure-radius-", dir=scratch))
    try:
        begun = time.perf_counter()
        ours, forged = generate(place, rows)
        size = sum(one.stat().st_size for one in place.rglob("*.parquet")) / 1e9
        print(f"{rows:,} acceptances made in {time.perf_counter() - begun:.0f} s: {size:.1f} GB", flush=True)
        yield place, {"everything": ours, "forged": forged}
    finally:
        shutil.rmtree(place)


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(description="What a blast radius costs.")
    options.add_argument("--rows", type=int, default=100, help="millions of acceptances")
    options.add_argument("--repeat", type=int, default=2, help="runs of each program")
    options.add_argument("--scratch", type=Path, default=Path("/var/tmp"), help="where data goes")
    options.add_argument("--output", type=Path, default=HERE / "results" / "blast_radius.json")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with data(given.scratch, given.rows * FILE) as (place, wanted):
        run = compare(place, given.rows * FILE, wanted, max(1, given.repeat))
    given.output.write_text(json.dumps({"cores": os.cpu_count(), **run}, indent=1) + "\n")
    return 0 if run["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
