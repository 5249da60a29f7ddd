from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immure.capture.pattern import CORE_PATTERN
from immure.dumps.open import open_image
from immure.replay import crash
from immure.replay.errors import ReplayError

CODE = """
import os, resource, sys
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
kept = os.urandom(64)
print(kept.hex(), flush=True)
sys.stdin.read()
"""


@contextmanager
def victim(directory: Path) -> Iterator[tuple[int, bytes]]:
    """A process that keeps 64 bytes in its memory; a grandchild, so that it leaves no zombie of ours."""
    shell = ["/bin/sh", "-c", 'exec 3<&0; "$@" <&3 & echo $!; wait', "sh", sys.executable, "-c", CODE]
    process = subprocess.Popen(shell, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        lines = [process.stdout.readline().decode().strip() for _ in range(2)]
        pid, secret = sorted(lines, key=len)
        yield int(pid), bytes.fromhex(secret)
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def nothing(*_: object) -> None:
    """A way that is not possible."""


@pytest.mark.parametrize("way", ["_by_kernel", "_by_copy", "_by_debugger"])
def test_a_dump_has_what_was_in_memory(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in {"_by_kernel", "_by_copy", "_by_debugger"} - {way}:
        monkeypatch.setattr(crash, other, nothing)
    before = CORE_PATTERN.read_text()
    with victim(tmp_path) as (pid, secret):
        try:
            crash.crash(pid, tmp_path, tmp_path / "dump.core")
        except ReplayError as error:
            pytest.skip(f"NOT TESTED: {error.reason} ({way})")
        assert not crash.is_alive(pid)
    assert secret in (tmp_path / "dump.core").read_bytes()
    with open_image(str(tmp_path / "dump.core")) as image:
        assert image.format == "elf-core"
    if os.access(CORE_PATTERN, os.W_OK) and before.startswith("core"):
        assert CORE_PATTERN.read_text() == before


@pytest.mark.parametrize("broken", [OSError("gone"), KeyboardInterrupt()])
def test_core_pattern_is_put_back_whatever_happens(
    broken: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.access(CORE_PATTERN, os.W_OK):
        pytest.skip("NOT TESTED: core_pattern is not ours to change (root)")
    before = CORE_PATTERN.read_text()
    monkeypatch.setattr(crash, "_is_plain", lambda: False)
    if not crash._await_lock():
        pytest.skip("NOT TESTED: somebody else has the lock on core_pattern")
    seen: list[str] = []

    def break_off() -> None:
        with crash._kernel_cores(tmp_path):
            seen.append(CORE_PATTERN.read_text())
            raise broken

    with pytest.raises(type(broken)):
        break_off()
    assert seen == [f"{tmp_path}/core.%p\n"]
    assert CORE_PATTERN.read_text() == before


def test_a_process_that_is_gone_leaves_no_dump(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="left no dump"):
        crash.crash(2**22 + 1, tmp_path, tmp_path / "dump.core")


def test_one_way_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def way(name: str, answer: str | None) -> Callable[..., str | None]:
        def take(*_: object) -> str | None:
            tried.append(name)
            return answer

        return take

    monkeypatch.setattr(crash, "_by_kernel", way("kernel", None))
    monkeypatch.setattr(crash, "_by_copy", way("copy", "by copy"))
    monkeypatch.setattr(crash, "_by_debugger", way("debugger", "by gdb"))
    assert crash.crash(os.getpid(), tmp_path, tmp_path / "dump.core") == "by copy"
    assert tried == ["kernel", "copy"]
    with pytest.raises(ReplayError, match="left no dump"):
        crash.crash(os.getpid(), tmp_path, tmp_path / "dump.core", kernel_only=True)
    assert tried == ["kernel", "copy", "kernel"]
