"""Runs the tests of every room, as many rooms at a time as the machine is good for; arguments go to pytest.

    python scripts/run_tests.py --jobs 2 -m "not drill"

Each room is a pytest of its own, which collects nothing else: that is quicker than one for all, and no room
lives off what another has left. What sets the machine's core pattern, or counts on it, is one job.
"""

from __future__ import annotations

import argparse
import compileall
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
#: Rooms that take longest, longest first: so none is alone at the end. After them come those of most files.
FIRST = (
    "scanning",
    "docs",
    "access",
    "signing",
    "response",
    "redact",
    "cli",
    "custody",
    "registry",
    "keymaterial",
    "console",
    "detections",
    "fleet",
    "integrations",
)
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
    compile_sources()
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


def compile_sources() -> None:
    """Keep the package's bytecode beside it, for the programs that take nothing from their environment, such
    as the key holder: each of the hundreds that tests start would compile what it needs."""
    sys.pycache_prefix = None
    compileall.compile_dir(ROOT / "src", quiet=2)


def jobs() -> list[Job]:
    """One for each room: first what crashes programs, then the long ones, then those with most files; and one
    for the files that are in no room."""
    made = [Job("cores", [f"tests/{name}" for name in CORES if (TESTS / name).exists()], 0)]
    rooms = []
    for path in sorted(TESTS.iterdir()):
        name, files = path.name, len(list(path.rglob("test_*.py")))
        if name in CORES or not path.is_dir() or not files:
            continue
        apart = [f"--ignore=tests/{one}" for one in CORES if one.startswith(f"{name}/")]
        rooms.append(Job(name, [f"tests/{name}", *apart], files))
    alone = sorted(f"tests/{path.name}" for path in TESTS.glob("test_*.py"))
    rooms.append(Job("no room", alone, len(alone)))
    order = {name: number for number, name in enumerate(FIRST)}
    return made + sorted(rooms, key=lambda job: (order.get(job.name, len(FIRST)), -job.files))


def run(job: Job, rest: list[str]) -> Done:
    """One pytest, with what it prints."""
    begun = time.monotonic()
    # plug-ins take their time to load: nobody uses anyio's, and one room has tests of an OpenAPI document
    unused = ["cacheprovider", "anyio", *([] if job.name == "signing" else ["schemathesis"])]
    apart = [word for name in unused for word in ("-p", f"no:{name}")]
    argv = [sys.executable, "-m", "pytest", *apart, *job.arguments, *rest]
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
