"""The blast radius of a key, once, or one scan of the columns it needs; a process of its own for each.

    python benchmarks/programs/radius_once.py floor DIRECTORY

prints a line of JSON: tokens that were found, seconds of wall clock and of CPU, and the most memory that the
process had. Libraries are loaded before the clock begins.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from reconcile_once import cpu_seconds, most_memory

#: What a radius reads of every acceptance.
COLUMNS = ["time", "verdict", "digest", "thumbprint", "sub", "tenant", "iat", "relying_party"]
PUBLIC = bytes(31) + b"\x01"
ISSUER, BEGIN, END = "https://login.example", 1_790_000_000, 1_800_000_000


def floor(place: Path) -> int:
    """Read the columns, with the memory that the radius has, and nothing else."""
    import duckdb

    base = duckdb.connect()
    base.execute("SET memory_limit = '256MB'")
    greatest = ", ".join(f"max({name})" for name in COLUMNS)
    base.execute(f"SELECT {greatest} FROM read_parquet('{place}/parts/acceptance-*.parquet')").fetchall()
    return -1


def everything(place: Path) -> int:
    """Without a ledger: every token under the kid counts."""
    return _worked_out(place, judged=False)


def forged(place: Path) -> int:
    """Where the ledger has judged: only forged tokens count."""
    return _worked_out(place, judged=True)


def _worked_out(place: Path, *, judged: bool) -> int:
    from immure.detections.state import State
    from immure.response.radius_settings import Known, RadiusSettings
    from immure.response.radius_work import work_out

    with State(place) as state:
        known = Known({} if judged else None)
        radius = work_out(state, RadiusSettings("k1", ISSUER, _record(), end=END), known)
    Path(place, "radius.json").write_text(json.dumps(radius.to_json()))
    people = sum(len(one.subjects) for one in radius.tenants)
    print(f"{len(radius.tenants):,} tenants, {people:,} subjects", file=sys.stderr)
    return radius.tokens


def _record() -> Any:
    """The key as a registry has it."""
    from datetime import UTC, datetime

    from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
    from immure.registry.record import KeyRecord
    from immure.registry.scope import KeyScope
    from immure.registry.state import KeyState

    key = PublicKey(OkpNumbers("Ed25519", PUBLIC), Origin("benchmark"))
    scope = KeyScope(ISSUER, audience_classes=frozenset({"enterprise"}))
    at = datetime.fromtimestamp(BEGIN, UTC)
    return KeyRecord.new(key, "k1", scope, by="benchmark", at=at, state=KeyState.ACTIVE)


PROGRAMS: dict[str, tuple[Callable[[Path], int], list[str]]] = {
    "floor": (floor, ["duckdb"]),
    "everything": (everything, ["duckdb", "pyarrow", "immure.response.radius_work"]),
    "forged": (forged, ["duckdb", "pyarrow", "immure.response.radius_work"]),
}


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
