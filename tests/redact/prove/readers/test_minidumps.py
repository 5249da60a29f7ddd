"""Minidumps through the package ``minidump``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from immure.redact.prove import DebuggerPart, ProveOptions, inspect
from immure.redact.prove.readers import minidumps
from immure.synth import CoreThread, Module, build_minidump

from ..material import erased, image

pytest.importorskip("minidump", reason="NOT TESTED: the package minidump is not installed")

STACK = 0x7FF0_0000
THREAD = (100).to_bytes(4, "little") + bytes(12)
DUMP = build_minidump(
    [(STACK, bytes(range(256)) * 16), (0x10_0000, b"heap" * 1024)],
    threads=[CoreThread(100, STACK + 64, 0x40_1000), CoreThread(101, STACK + 128, 0x40_2000)],
    modules=[Module(0x40_0000, 0x1_0000, "service.exe"), Module(0x50_0000, 0x2_0000, "crypto.dll")],
    pid=77,
)


def inspected(redacted: bytes, spans: list[tuple[int, int]]) -> DebuggerPart:
    return inspect(image(DUMP.data), image(redacted), spans, options=ProveOptions(debugger_seconds=60))


def test_redacted_memory_is_no_difference() -> None:
    spans = [(DUMP.offset_of(0x10_0000) + 5, 40), (DUMP.offset_of(STACK + 200), 16)]
    part = inspected(erased(DUMP.data, spans), spans)
    assert (part.status, part.reason) == ("ok", "")
    assert part.reader.startswith("minidump 0.")
    assert part.compared == {"streams": 5, "threads": 2, "modules": 2, "memory": 2}


@pytest.mark.parametrize(
    ("find", "put", "reason"),
    [
        ("crypto.dll".encode("utf-16-le"), "Crypto.dll".encode("utf-16-le"), "other modules"),
        ((0x50_0000).to_bytes(8, "little"), (0x50_1000).to_bytes(8, "little"), "other modules"),
        ((101).to_bytes(4, "little") + bytes(12), (102).to_bytes(4, "little") + bytes(12), "other threads"),
        (
            (STACK + 128).to_bytes(8, "little"),
            (STACK + 136).to_bytes(8, "little"),
            "other threads",
        ),  # a register
        ((2).to_bytes(4, "little") + THREAD, (1).to_bytes(4, "little") + THREAD, "other threads"),
        (b"MDMP", b"MDMQ", "cannot be read any more"),
    ],
)
def test_a_damaged_table(find: bytes, put: bytes, reason: str) -> None:
    assert DUMP.data.count(find) == 1
    redacted = DUMP.data.replace(find, put)
    with_format = image(redacted)
    with_format.format = "minidump"
    part = inspect(image(DUMP.data), with_format, [], options=ProveOptions(debugger_seconds=60))
    assert part.status == "failed"
    assert reason in part.reason


def test_a_register_that_was_erased() -> None:
    at = DUMP.data.index((STACK + 128).to_bytes(8, "little"))
    part = inspected(erased(DUMP.data, [(at, 8)]), [(at, 8)])
    assert (part.status, part.reason) == ("ok", "")


def test_an_original_that_cannot_be_read() -> None:
    broken = image(DUMP.data[:40])
    part = inspect(broken, broken, [], options=ProveOptions(debugger_seconds=60))
    assert part.status == "not done"
    assert "cannot read the original" in part.reason


def test_the_package_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed: the worker's own exit code says so."""
    worker = tmp_path / "worker.py"
    worker.write_text("import sys; sys.exit(77)")
    monkeypatch.setattr(minidumps, "_WORKER", worker)
    part = inspected(DUMP.data, [])
    assert (part.status, part.reason) == ("not done", "the Python package minidump is not installed")


def test_the_worker_says_so_when_it_is_not(tmp_path: Path) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(minidumps._WORKER), "/dev/null"], capture_output=True, check=False
    )
    assert done.returncode == 77
