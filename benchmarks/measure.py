"""Timing of commands on one core, the machine that it was done on, and where the results go."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
WORKER = HERE / "programs" / "scan_once.py"


@dataclass(frozen=True)
class Scan:
    """How a scan is started."""

    image: Path
    keys: Path
    detectors: str = "rsa,montgomery,ec,structure"
    mode: str = "quick"
    harvest: bool = True
    threads: int = 1

    def argv(self) -> list[str]:
        """The command that times it."""
        harvest = "yes" if self.harvest else "no"
        flags = [self.detectors, self.mode, harvest, str(self.threads)]
        return [sys.executable, str(WORKER), str(self.image), str(self.keys), *flags]

    def command(self) -> list[str]:
        """What a user would type."""
        image, keys = (os.path.relpath(path, HERE.parent) for path in (self.image, self.keys))
        argv = ["immure", "scan", image, "--keys", keys, "--detectors", self.detectors]
        argv += ["--mode", self.mode, "--threads", str(self.threads)]
        return argv if self.harvest else [*argv, "--no-harvest"]


def pinned(argv: Sequence[str], cores: int = 1) -> list[str]:
    """The same command on so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    return ["taskset", "-c", ",".join(map(str, allowed)), *argv]


def seconds_of(argv: Sequence[str], cores: int = 1) -> float:
    """Wall time of a command whose output nobody reads."""
    begun = time.perf_counter()
    subprocess.run(pinned(argv, cores), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def seconds_of_two(argv: Sequence[str]) -> float:
    """Wall time of a command that runs twice at once, on a core each."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    begun = time.perf_counter()
    both = [
        subprocess.Popen(
            ["taskset", "-c", str(core), *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for core in cores
    ]
    for process in both:
        process.wait()
    return time.perf_counter() - begun


def run_scan(scan: Scan) -> dict[str, Any]:
    """One scan in a fresh process, with its highest memory use apart from mapped files (``peak_mib``)."""
    argv = pinned(scan.argv(), scan.threads)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _own_memory(process.pid))
        time.sleep(0.01)
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{argv}: {errors.decode(errors='replace')[-2000:]}")
    result: dict[str, Any] = json.loads(output)
    return {**result, "peak_mib": peak >> 10}


def _own_memory(pid: int) -> int:
    """Kilobytes of memory that are not pages of a file."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache: anew, for pages that were written or have been there for
    long may be scattered, and are then read at a third of the speed, by us and by everybody."""
    with path.open("rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 24):
            pass


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "cpu": cpu[0].split(":", 1)[1].strip() if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "avx512_ifma": "avx512ifma" in flags,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """The commit that was measured, with a + if the working tree differs from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", "../src") else "")


def save(name: str, content: dict[str, Any]) -> Path:
    """Write results with machine, commit and command."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    head = {
        "machine": machine(),
        "commit": commit(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    path.write_text(json.dumps({**head, **content}, indent=1) + "\n")
    return path
