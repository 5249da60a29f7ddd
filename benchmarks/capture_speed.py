"""Claim: a crashing process is not held longer than 1.5 times as long as `cat > file` as handler holds it.

    python benchmarks/capture_speed.py [--megabytes N] [--rounds N]

A process with a gigabyte of memory gets SIGABRT; what counts is the time until its parent has it back. The
handlers take turns in one run: a script `exec cat > file` behind a pipe, and our server on the kernel's
socket, which encrypts, hashes and seals the core meanwhile. Needs root, for core_pattern belongs to the whole
machine. Writes ``results/capture_speed.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import measure

from immure.capture.handing import ask_state
from immure.capture.pattern import Pattern, temporarily, via_of_kernel

MOST_RATIO = 1.5
IMMURE = [sys.executable, "-c", "from immure.cli.capture import capture; capture()"]
CRASHER = """
import os, sys, time
memory = os.urandom(16 << 20) * (int(sys.argv[1]) >> 4)
print("ready", flush=True)
time.sleep(600)
"""


@dataclass
class Handler:
    """Something that takes cores."""

    name: str
    pattern: Pattern
    finish: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)


def crash(megabytes: int) -> float:
    """Seconds from the signal to the end of a process."""
    argv = [sys.executable, "-c", CRASHER, str(megabytes)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.perf_counter()
    process.send_signal(signal.SIGABRT)
    process.wait()
    seconds = time.perf_counter() - begun
    process.stdout.close()
    return seconds


def cat_to_file(directory: Path) -> Handler:
    """What everybody can write down in a minute."""
    script, core = directory / "handler", directory / "core"
    script.write_text(f"#!/bin/sh\nexec cat > {core}\n")
    script.chmod(0o755)

    def finish() -> None:
        before = -1
        while not core.exists() or core.stat().st_size != before:  # the kernel does not wait for the handler
            before = core.stat().st_size if core.exists() else -1
            time.sleep(0.2)
        core.unlink()

    return Handler("pipe to `cat > file`", Pattern(f"|{script}"), finish)


@contextlib.contextmanager
def server(directory: Path, name: str, *options: str) -> Iterator[Handler]:
    """Our server, in a process of its own."""
    directory.mkdir()
    places = ["--runtime", f"{directory}/run", "--spool", f"{directory}/spool", "--records", f"{directory}/r"]
    argv = [*IMMURE, "serve", "--vault", f"{directory}/vault", *places, *options, "-q"]
    process = subprocess.Popen(argv)
    handle, core = directory / "run" / "handle.sock", directory / "run" / "core.sock"

    def finish() -> None:
        while (state := ask_state(handle)) is None or state["counters"]["under_way"]:
            time.sleep(0.05)
        if state["counters"]["dropped_total"]:
            raise RuntimeError(f"a core was dropped: {state['counters']['dropped']}")

    try:
        finish()
        at = "@@" if via_of_kernel() == "asking-socket" else "@"
        yield Handler(name, Pattern(f"{at}{core}"), finish)
    finally:
        process.terminate()
        process.wait()


def take_turns(handlers: list[Handler], megabytes: int, rounds: int) -> None:
    """Let every handler take a core, round by round; the first round does not count."""
    for number in range(rounds + 1):
        for handler in handlers:
            os.sync()  # what the one before has written must not cost this one
            with temporarily(handler.pattern):
                seconds = crash(megabytes)
            handler.finish()
            if number:
                handler.seconds.append(seconds)


def row(handler: Handler, base: Handler) -> dict[str, Any]:
    """The figures of one handler, printed."""
    seconds, least = measure.median(handler.seconds), min(handler.seconds)
    ratio = seconds / measure.median(base.seconds)
    print(f"{handler.name:52} {seconds:8.3f} s  (least {least:.3f})  {ratio:5.2f} x cat", flush=True)
    return {
        "handler": handler.name,
        "seconds": round(seconds, 4),
        "least": round(least, 4),
        "ratio": round(ratio, 3),
        "all": [round(value, 4) for value in handler.seconds],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if os.geteuid() != 0 or via_of_kernel() == "pipe":
        print("needs root, and a kernel with a core-dump socket (6.16)")
        return 0
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        base = cat_to_file(scratch)
        ours = stack.enter_context(server(scratch / "a", "our socket server, defaults"))
        disk = stack.enter_context(
            server(scratch / "b", "our socket server, 64 MiB of memory, rest on disk", "--memory", "64M")
        )
        handlers = [base, ours, disk]
        take_turns(handlers, arguments.megabytes, arguments.rounds)
        rows = [row(handler, base) for handler in handlers]
    met = rows[1]["ratio"] <= MOST_RATIO
    print(f"held at most {MOST_RATIO} times as long as by cat: {'met' if met else 'NOT MET'}")
    bar = {"bar": f"<= {MOST_RATIO} x `cat > file`", "value": rows[1]["ratio"], "met": met}
    path = measure.save("capture_speed", {"megabytes": arguments.megabytes, "rows": rows, "bars": [bar]})
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
