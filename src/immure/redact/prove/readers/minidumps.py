"""Minidumps through the Python package ``minidump``: the same threads, modules and memory before and after.

The package runs in a process of its own (``minidump_worker``), since it was not written for hostile files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.redact.prove.options import ProveOptions
from immure.redact.prove.readers.external import both, run
from immure.redact.prove.report import DebuggerPart

_WORKER: Final = Path(__file__).with_name("minidump_worker.py")
_NOT_INSTALLED: Final = 77
_TABLES: Final = ("streams", "threads", "modules", "memory")


def inspect(
    original: Image,
    redacted: Image,
    descriptors: tuple[int, int],
    spans: Sequence[tuple[int, int]],
    options: ProveOptions,
) -> DebuggerPart:
    """Compare what the package says.

    Raises:
        RedactionError: it is not installed, or cannot open the original.
    """
    before, after = both(lambda descriptor: _ask(descriptor, options), descriptors)
    if isinstance(before, str):
        raise RedactionError(f"the package minidump cannot read the original: {before}")
    reader = f"minidump {before['version']}"
    compared = {name: len(before[name]) for name in _TABLES}
    if isinstance(after, str):
        return DebuggerPart("failed", f"cannot be read any more: {after}", reader, compared)
    wrong = next((name for name in _TABLES if not _same(before[name], after[name], name, spans)), None)
    return DebuggerPart("failed" if wrong else "ok", f"other {wrong}" if wrong else "", reader, compared)


def _ask(descriptor: int, options: ProveOptions) -> dict[str, Any] | str:
    """What the package says, or why it says nothing."""
    argv = [sys.executable, "-I", str(_WORKER), f"/proc/self/fd/{descriptor}"]
    finished = run(argv, [descriptor], options.debugger_seconds)
    if finished.code == _NOT_INSTALLED:
        raise RedactionError("the Python package minidump is not installed")
    try:
        answer = json.loads(finished.output)
    except ValueError:
        lines = finished.errors.strip().splitlines()
        return (lines[-1] if lines else f"exit code {finished.code}")[:200]
    return answer if isinstance(answer, dict) else "no answer"


def _same(
    before: list[dict[str, int]],
    after: list[dict[str, int]],
    table: str,
    spans: Sequence[tuple[int, int]],
) -> bool:
    """Whether a table is the same; of threads, registers but for those in contexts that were redacted."""
    if table != "threads":
        return before == after
    if len(before) != len(after):
        return False
    for ours, theirs in zip(before, after, strict=True):
        start, stop = ours["context"], ours["context"] + ours["context_size"]
        erased = any(first < stop and last > start for first, last in spans)
        if any(ours[name] != theirs.get(name) for name in ours if not (erased and name.startswith("reg_"))):
            return False
    return True
