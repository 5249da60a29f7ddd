"""Claim: importing the library takes under 150 ms, ``immure --help`` under 300 ms; the first scan ever takes
hardly longer than a later one, because the kernels are compiled when the package is built.

    python benchmarks/startup.py [--rounds N]

Whole processes on one core, medians of rounds in which the commands take turns; a bare interpreter and other
scanners' ``--version`` in the same run. The first scan has an empty cache of Python's byte code, which is all
that is ever compiled on a user's machine. Writes ``results/startup.json``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure

IMMURE = [sys.executable, "-c", "from immure.cli.main import main; main()"]
PEERS = {"yara": "--version", "gitleaks": "version", "kingfisher": "--version", "detect-secrets": "--version"}
IMAGE_BYTES = 1 << 20
HEAVIEST = 8


@dataclass
class Row:
    """A command, how long it takes, and the bound on that, if there is one."""

    name: str
    argv: list[str]
    most_ms: float | None = None
    milliseconds: float = 0.0

    @property
    def met(self) -> bool | None:
        return None if self.most_ms is None else self.milliseconds < self.most_ms


def rows() -> list[Row]:
    """What is measured."""
    found = [
        Row("bare interpreter", [sys.executable, "-c", "pass"]),
        Row("import immure", [sys.executable, "-c", "import immure"], 150),
        Row("immure --help", [*IMMURE, "--help"], 300),
        Row("immure scan --help", [*IMMURE, "scan", "--help"], 300),
        Row("immure --version", [*IMMURE, "--version"]),
    ]
    local = Path(sys.executable).parent
    for name, flag in PEERS.items():
        tool = shutil.which(name) or shutil.which(name, path=str(local))
        if tool is not None:
            found.append(Row(f"{name} {flag}", [tool, flag]))
    return found


def take_turns(measured: list[Row], rounds: int) -> None:
    """Fill in medians; one round before the first warms the page cache and Python's cache of byte code."""
    times: dict[str, list[float]] = {row.name: [] for row in measured}
    for number in range(rounds + 1):
        for row in measured:
            seconds = measure.seconds_of(row.argv)
            if number:
                times[row.name].append(1000 * seconds)
    for row in measured:
        row.milliseconds = round(measure.median(times[row.name]), 1)


def first_and_later_scan() -> dict[str, float]:
    """Seconds of a scan on a machine that has never run one, and of the next."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image"
        image.write_bytes(bytes(range(256)) * (IMAGE_BYTES // 256))
        argv = measure.pinned([*IMMURE, "scan", "--quiet", str(image)])
        changes = {"PYTHONPYCACHEPREFIX": f"{scratch}/cache"}
        return {name: round(_seconds(argv, changes), 3) for name in ("first", "later")}


def _seconds(argv: list[str], changes: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(argv, env=ours | dict(changes), stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{argv}: exit code {done.returncode}")
    return time.perf_counter() - begun


def heaviest(argv: list[str]) -> list[tuple[str, float]]:
    """The modules that take longest to import, each without what it imports, in milliseconds."""
    done = subprocess.run(
        [argv[0], "-X", "importtime", *argv[1:]], capture_output=True, text=True, check=False
    )
    found = re.findall(r"import time: +(\d+) \| +\d+ \| +(\S+)", done.stderr)
    ordered = sorted(((int(own) / 1000, name) for own, name in found), reverse=True)
    return [(name, own) for own, name in ordered[:HEAVIEST]]


def show(row: Row) -> None:
    """One line of the table."""
    bound = "" if row.most_ms is None else f"< {row.most_ms:g} ms: {'met' if row.met else 'NOT MET'}"
    print(f"{row.name:28} {row.milliseconds:8.1f} ms  {bound}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    measured = rows()
    take_turns(measured, arguments.rounds)
    for row in measured:
        show(row)
    scans = first_and_later_scan()
    more = scans["first"] - scans["later"]
    bound = "< 15 s: met" if more < 15 else "< 15 s: NOT MET"
    print(f"{'first scan takes longer by':28} {1000 * more:8.1f} ms  {bound}", flush=True)
    modules = heaviest([*IMMURE, "--help"])
    print("longest imports of --help:", ", ".join(f"{name} {own:.1f} ms" for name, own in modules))
    content: dict[str, Any] = {
        "rows": [
            {**vars(row), "argv": " ".join([Path(row.argv[0]).name, *row.argv[1:]]), "met": row.met}
            for row in measured
        ],
        "scan_seconds": scans,
        "heaviest_imports_of_help_ms": dict(modules),
    }
    print(f"written to {measure.save('startup', content)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
