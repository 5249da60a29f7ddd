"""A writer that is killed leaves at most one torn line, which the next one takes away."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.log import AcceptanceLog, Keeping
from immure.tokens.acceptance.reader import read_decisions, segments
from immure.tokens.acceptance.recovery import recover
from tokens.acceptance.test_log import numbers, row, written

WRITER = """
import os, sys
sys.path.insert(0, sys.argv[3])
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.log import AcceptanceLog, Keeping
from tokens.acceptance.test_log import row
log = AcceptanceLog(sys.argv[1], Keeping(sys.argv[2], segment_bytes=128 << 10, sync_every=0.001))
number = 0
while True:
    log.record(row(number, subject="x" * 500))
    os.write(1, b"%d\\n" % number)
    number += 1
"""


@pytest.mark.parametrize("durable", ["write", "fsync"])
def test_all_that_was_acknowledged_is_there(tmp_path: Path, durable: str):
    tests = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), durable, tests], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(1000)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split(b"\n")[:-1]]
    process.stdout.close()
    process.wait()
    assert any(path.name.endswith(".open") for path in segments(tmp_path))
    with AcceptanceLog(tmp_path) as log:
        log.record(row(10**6))
    assert len(log.recovered) >= 1
    found = numbers(tmp_path)  # raises if any segment is not what its seal says
    assert found[-1] == 10**6
    assert found[:-1] in (acknowledged, [*acknowledged, len(acknowledged)])  # the last may not have been said
    assert not list(tmp_path.glob("*.open"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 10_000), junk=st.binary(max_size=40))
def test_wherever_a_segment_ends_its_whole_lines_stay(tmp_path: Path, cut: int, junk: bytes):
    for path in tmp_path.iterdir():
        path.unlink()
    sealed = written(tmp_path, 10)
    data = sealed.read_bytes()
    sealed.with_name(sealed.name + ".sha256").unlink()
    opened = sealed.rename(sealed.with_name(sealed.name + ".open"))
    left = data[: max(cut % len(data), data.index(b"\n") + 1)] + junk.replace(b"\n", b"")
    opened.write_bytes(left)
    whole = left[: left.rindex(b"\n") + 1]
    [found] = recover(tmp_path)
    assert (found.path, found.torn) == (sealed, len(left) - len(whole))
    assert sealed.read_bytes() == whole
    assert list(read_decisions(tmp_path)) == [row(number) for number in range(whole.count(b"\n") - 1)]
    assert recover(tmp_path) == []


def test_an_empty_segment_is_sealed_too(tmp_path: Path):
    (tmp_path / "20261125T000000.000000Z-1-00000000.jsonl.open").write_bytes(b"half of a fi")
    [found] = recover(tmp_path)
    assert (found.torn, found.path.read_bytes()) == (12, b"")
    assert (
        found.path.with_name(found.path.name + ".sha256").read_text()[:64] == hashlib.sha256(b"").hexdigest()
    )
    assert list(read_decisions(tmp_path)) == []


def test_a_segment_in_use_is_left_alone(tmp_path: Path):
    with AcceptanceLog(tmp_path) as first:
        first.record(row(1))
        with AcceptanceLog(tmp_path, Keeping()) as second:
            assert second.recovered == []
            second.record(row(2))
        first.record(row(3))
    assert sorted(numbers(tmp_path)) == [1, 2, 3]


def test_a_link_is_not_followed(tmp_path: Path):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "log").mkdir()
    os.symlink(target, tmp_path / "log" / "20261125T000000.000000Z-1-00000000.jsonl.open")
    with pytest.raises(AcceptanceLogError):
        recover(tmp_path / "log")
    assert target.read_bytes() == b"precious"
