"""Runs the tests of every room, as many rooms at a time as the machine is good for; arguments go to pytest.

    python scripts/run_tests.py --jobs 2 -m "not drill"

Each room is a pytest of its own, which collects nothing else: that is quicker than one for all, and no room
lives off what another has left. What sets the machine's core pattern, or counts on it, is one job.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
#: Rooms and files that crash programs: there is one core pattern for the whole machine.
CORES = (
    "capture",
    "cli/test_capture.py",
    "cli/test_drill_signer.py",
    "cli/test_replay.py",
    "cli/test_undumpable.py",
    "custody/keyholder/test_protections.py",
    "drill",
    "docs/test_crashing_pages.py",
    "dumps/test_process.py",
    "replay",
    "signing/drill",
)
#: Rooms that take longest, for their number of files; they begin first, so that none is alone at the end.
FIRST = ("access", "custody", "docs", "integrations", "response", "scanning", "signing")
_NOTHING_SELECTED = 5  # pytest's exit code
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|deselected|xfailed|xpassed)")
_running: set[subprocess.Popen[bytes]] = set()


class Job(NamedTuple):
    """A pytest: its name, and the paths that it is given."""

    name: str
    arguments: list[str]
    files: int


class Done(NamedTuple):
    """What became of it."""

    job: Job
    code: int
    output: str
    seconds: float


def main() -> int:
    """Run them; the exit code is pytest's."""
    reader = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    # two more than there are cores: rooms wait half of their time, for servers or for time to pass
    cores = len(os.sched_getaffinity(0))
    reader.add_argument("--jobs", type=int, default=cores + 2, help="rooms at a time")
    given, rest = reader.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    begun, counts, codes = time.monotonic(), Counter[str](), []
    notes: list[str] = []
    try:
        with ThreadPoolExecutor(max(1, given.jobs)) as pool:
            for future in as_completed([pool.submit(run, job, rest) for job in jobs()]):
                done = future.result()
                codes.append(done.code)
                notes += show(done, counts)
    except (KeyboardInterrupt, SystemExit):
        for process in list(_running):
            process.send_signal(signal.SIGINT)
        raise
    print("\n".join(notes))
    bad = [code for code in codes if code not in (0, _NOTHING_SELECTED)]
    if not bad and not counts["passed"]:
        print("no test was selected")
        return _NOTHING_SELECTED
    words = ", ".join(f"{counts[kind]} {kind}" for kind in counts)
    print(f"==== {words} in {time.monotonic() - begun:.0f}s ====")
    return max(bad, default=0)


def jobs() -> list[Job]:
    """One for each room: first what crashes programs, then the long ones, then those with most files."""
    made = [Job("cores", [f"tests/{name}" for name in CORES if (TESTS / name).exists()], 0)]
    rooms = []
    for path in sorted(TESTS.iterdir()):
        name = path.name
        is_room = path.is_dir() and any(path.rglob("test_*.py"))
        if name in CORES or not (is_room or re.fullmatch(r"test_.*\.py", name)):
            continue
        apart = [f"--ignore=tests/{one}" for one in CORES if one.startswith(f"{name}/")]
        files = len(list(path.rglob("test_*.py"))) if is_room else 1
        rooms.append(Job(name, [f"tests/{name}", *apart], files))
    return made + sorted(rooms, key=lambda job: (job.name not in FIRST, -job.files))


def run(job: Job, rest: list[str]) -> Done:
    """One pytest, with what it prints."""
    begun = time.monotonic()
    # the plug-in takes a second to load, and one room has tests of an OpenAPI document
    apart = [] if job.name == "signing" else ["-p", "no:schemathesis"]
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *apart, *job.arguments, *rest]
    # hundreds of tests start a Python: each would compile all of the package, where nothing may be kept
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(ROOT / ".make" / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=said, stderr=said)  # noqa: S603
        _running.add(process)
        try:
            code = process.wait()
        finally:
            _running.discard(process)
        said.seek(0)
        return Done(job, code, said.read().decode(errors="replace"), time.monotonic() - begun)


def show(done: Done, counts: Counter[str]) -> list[str]:
    """Print one line, or all that a pytest with failures said; add up its counts; return what it skipped."""
    lines = done.output.rstrip().splitlines() or ["it printed nothing"]
    if done.code not in (0, _NOTHING_SELECTED):
        print(f"==== {done.job.name} ====\n{done.output}")
    for number, kind in _COUNT.findall(lines[-1]):
        counts[{"error": "errors"}.get(kind, kind)] += int(number)
    if done.code != _NOTHING_SELECTED:
        print(f"{done.job.name:<14} {lines[-1].strip('= ')}", flush=True)
    return [line for line in lines if line.startswith(("SKIPPED", "XFAIL"))]


if __name__ == "__main__":
    sys.exit(main())
