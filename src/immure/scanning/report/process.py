"""The process that an image was taken of, in words."""

from __future__ import annotations

import signal

from immure.dumps.dump import Process
from immure.scanning.report.words import count_words, visible


def process_words(process: Process) -> str:
    """``signer (pid 4711, SIGABRT, 4 threads, x86_64)``, with what is known; never the command line.

    Command lines hold passwords and tokens, and reports get passed on.
    """
    facts = []
    if process.pid is not None:
        facts.append(f"pid {process.pid}")
    if process.signal:
        facts.append(_signal_name(process.signal))
    if process.threads:
        facts.append(count_words(len(process.threads), "thread"))
    if process.machine:
        facts.append(visible(process.machine))
    name = visible(process.name) if process.name else "unnamed"
    return f"{name} ({', '.join(facts)})" if facts else name


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
