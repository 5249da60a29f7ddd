"""A real dump, and what a debugger sees of it when nearly all of its memory is gone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drill import crash
from immure.redact import RedactOptions, redact_file
from immure.scanning.options import ScanOptions

PROGRAM = """
import threading, time
def deep(level):
    if level:
        return deep(level - 1)
    print("ready", flush=True)
    time.sleep(600)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
deep(20)
"""


@pytest.mark.real
@pytest.mark.skipif(not crash.has_debugger(), reason="NOT TESTED: gdb is not installed, or may not attach")
@pytest.mark.parametrize("keep", [("stacks",), ("stacks", "files")])
def test_backtraces_need_no_more_than_stacks(keep: tuple[str, ...], tmp_path: Path) -> None:
    target = crash.start([sys.executable, "-c", PROGRAM], tmp_path)
    try:
        core = crash.gcore(target.pid, tmp_path / "core")
    finally:
        target.stop()
    options = RedactOptions(scan=ScanOptions(threads=1), keep=keep)
    record = redact_file(core, tmp_path / "out", options=options)
    assert record.proof is not None
    assert record.proof.debugger.status == "ok", record.proof.debugger.reason
    assert record.proof.debugger.compared["threads"] == 2
    assert record.proof.debugger.compared["frames"] > 20
    assert record.erased_bytes > core.stat().st_size // 4
