"""Programs of a drill: where they find the canary, when they are ready, and that they are ended."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from immure.capture.drill import program as programs
from immure.capture.drill.program import Recipe, Running, parse_ready
from immure.errors import CaptureError, ImmureError, UsageError

READY = re.compile(b"^up$", re.MULTILINE)


LOOKS = """
import os, sys, time
first, second = sys.argv[1], os.environ["IMMURE_CANARY"]
assert open(first).read() == open(second).read() == "the canary"
print("up")
time.sleep(60)
"""
TALKS = """
import signal, sys, time
def last(*_):
    sys.stdout.write("x" * 500_000)
    sys.stdout.flush()
    signal.signal(6, signal.SIG_DFL)
    signal.raise_signal(6)
signal.signal(6, last)
print("up")
time.sleep(60)
"""
STARTS = """
import subprocess, time
print(subprocess.Popen(["sleep", "600"]).pid)
print("up")
time.sleep(60)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-u", "-c", code, *arguments]


@pytest.mark.parametrize(
    ("text", "seconds"), [("2", 2.0), ("0.5", 0.5), ("ready", None), (r"listening on [0-9]+", None)]
)
def test_ready(text: str, seconds: float | None) -> None:
    pattern, waited = parse_ready(text)
    assert (pattern is None) is (seconds is not None)
    assert waited == (seconds or 0.0)


def test_ready_that_says_nothing() -> None:
    with pytest.raises(UsageError, match="neither seconds nor a regular expression"):
        parse_ready("(")


def test_the_program_learns_where_the_canary_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the canary")
    with Running(Recipe(python(LOOKS, "{canary}"), READY), tmp_path / "key", tmp_path) as running:
        running.await_ready()
        running.crash()
    assert not Path(f"/proc/{running.pid}").exists()


def test_seconds_are_waited(tmp_path: Path) -> None:
    with Running(Recipe(["sleep", "60"], None, 0.2), tmp_path, tmp_path) as running:
        running.await_ready()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (python("print('no'); raise SystemExit(3)"), "ended before it was ready; it said: no"),
        (python("import os; os.close(1); os.close(2); os._exit(0)"), "ended before it was ready"),
        (
            python("import time; print('not yet'); time.sleep(60)"),
            "was not ready within 1 s; it said: not yet",
        ),
        (["/nonexistent/program"], "cannot be started"),
        (["bad\0name"], "cannot be started"),
    ],
)
def test_programs_that_are_never_ready(
    tmp_path: Path, argv: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "READY_SECONDS", 1.0)
    with pytest.raises(ImmureError, match=words), Running(Recipe(argv, READY), tmp_path, tmp_path) as running:
        running.await_ready()


def test_one_that_talks_a_lot_and_then_dies_slowly(tmp_path: Path) -> None:
    """A pipe that nobody reads must keep neither the program nor its end."""
    with Running(Recipe(python(TALKS), READY), tmp_path, tmp_path) as running:
        running.await_ready()
        running.crash()


def test_one_that_does_not_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "END_SECONDS", 0.3)
    code = "import signal, time; signal.signal(6, signal.SIG_IGN); print('up'); time.sleep(60)"
    with Running(Recipe(python(code), READY), tmp_path, tmp_path) as running:
        running.await_ready()
        with pytest.raises(CaptureError, match="did not end"):
            running.crash()
    assert not Path(f"/proc/{running.pid}").exists()


def test_what_it_has_started_goes_with_it(tmp_path: Path) -> None:
    with Running(Recipe(python(STARTS), READY), tmp_path, tmp_path) as running:
        running.await_ready()
        child = int(running._output.split()[0])
    stop = time.monotonic() + 20
    while _is_alive(child):
        assert time.monotonic() < stop
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" or os.getppid() == pid
