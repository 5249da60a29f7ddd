"""`immure drill signer`, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immure.capture.pattern import read_pattern
from immure.cli import drill_signer as command
from immure.cli.exit_codes import ExitCode
from immure.cli.main import run
from immure.signing.drill import running
from immure.signing.drill.backends import BACKENDS
from immure.signing.drill.looking import Residue
from immure.signing.drill.report import Report
from immure.signing.drill.running import Options
from immure.signing.drill.ways import WAYS

Drill = Callable[[list[str], Options], Report]
LEAKY = Residue(2, 3, 1, 10, ("p le64",))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Options]]:
    """What the command asks for; only the control leaks, and core_pattern is not touched."""
    return _with(monkeypatch, control=LEAKY, holder=Residue(size=10))


def _with(
    monkeypatch: pytest.MonkeyPatch, control: Residue, holder: Residue
) -> list[tuple[list[str], Options]]:
    calls: list[tuple[list[str], Options]] = []

    def drill(names: list[str], options: Options) -> Report:
        calls.append((names, options))
        report = Report(options.seed, controls={"file+unsafe"}, skipped={"oom": "no memory cgroup"})
        report.row("file+unsafe", "front end", "gcore", "as shipped", False).count(control)
        report.row("keyholder", "front end", "segv", "as shipped", True).count(None, note="no core")
        report.row("keyholder", "holder", "live", "off", True).count(holder)
        options.progress("keyholder", 2, 2)
        return report

    monkeypatch.setattr(running, "drill_signer", drill)
    return calls


LIVE = ("drill", "signer", "--way", "live", "--way", "gcore")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "signer", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: immure drill signer [OPTIONS]")
    for word in ("Exit codes:", "Examples:", *BACKENDS, *WAYS):
        assert word in said


def test_names_are_those_of_the_drill() -> None:
    """They are written down here, too, so that --help need not load the service."""
    assert tuple(BACKENDS) == command._BACKENDS
    assert WAYS == command._WAYS


def test_a_program_of_that_name_and_the_command_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "--way", "nonsense", "signer"]) == ExitCode.USAGE
    assert "unknown way 'nonsense'" in capsys.readouterr().err
    assert run(["drill"]) == ExitCode.USAGE
    assert "name a program" in capsys.readouterr().err
    assert run(["drill", "--help"]) == 0
    assert "signer" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [("--backend", "hsm"), ("--way", "shock"), ("--count", "0"), ("--seed", "-1"), ("--jobs", "0"),
     ("--format", "html"), ("--directory", "/no/such"), ("program",)],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_understood(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "signer", *words]) == ExitCode.USAGE
    assert "Error: " in capsys.readouterr().err


def test_options_arrive(asked: list[tuple[list[str], Options]], tmp_path: Path) -> None:
    words = ("--count", "7", "--seed", "9", "--jobs", "2", "--exhaustive", "--directory", str(tmp_path), "-q")
    assert run([*LIVE, "--backend", "keyholder", *words]) == ExitCode.CLEAN
    [(names, options)] = asked
    assert names == ["keyholder"]
    assert (options.crashes, options.seed, options.jobs, options.mode) == (7, 9, 2, "exhaustive")
    assert tuple(options.ways) == ("live", "gcore")
    assert (options.directory, options.cores) == (str(tmp_path), None)


def test_text(asked: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LIVE) == ExitCode.CLEAN
    said = capsys.readouterr()
    table = [line.split() for line in said.out.splitlines()]
    assert table[1] == ["file+unsafe", "front", "end", "gcore", "as", "shipped", "1", "1", "2", "3", "leaks"]
    assert ["keyholder", "front", "end", "segv", "as", "shipped", "1", "0", "–", "–"] in table
    assert "skipped  oom: no memory cgroup" in said.out
    assert "3 crashes, 2 images" in said.out
    assert "nothing where nothing may be" in said.out
    assert said.err == "immure: crashes: keyholder 2 of 2\n"


def test_json_and_markdown(asked: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*LIVE, "-f", "json", "-q"]) == ExitCode.CLEAN
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (said["crashes"], said["leaks"], said["blind"], said["complete"]) == (3, 0, [], True)
    assert run([*LIVE, "-f", "markdown", "-q"]) == ExitCode.CLEAN
    assert "| file+unsafe | front end | gcore | as shipped | 1 | 1 | 1 | 2 | 3 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("control", "holder", "code", "said"),
    [
        (LEAKY, Residue(size=1), ExitCode.CLEAN, "nothing where nothing may be"),
        (LEAKY, LEAKY, ExitCode.FINDINGS, "5 numbers and pieces where nothing may be"),
        (Residue(size=1), LEAKY, ExitCode.FINDINGS, "LEAK"),
        (Residue(size=1), Residue(size=1), ExitCode.INCOMPLETE, "the drill sees nothing"),
        (LEAKY, Residue(error="truncated"), ExitCode.INCOMPLETE, "nothing where"),
    ],
)
def test_exit_codes(
    control: Residue,
    holder: Residue,
    code: ExitCode,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _with(monkeypatch, control, holder)
    assert run(LIVE) == code
    assert said in capsys.readouterr().out


def test_a_drill_needs_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(LIVE) == ExitCode.INCOMPLETE
    assert "run it as root" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_does_not_disturb_what_is_put_back(sent: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in command._SIGNALS]
    put_back = []

    def work() -> None:
        with command._ending_by_signals():
            try:
                os.kill(os.getpid(), sent)
                time.sleep(10)
            finally:
                for one in command._SIGNALS:
                    os.kill(os.getpid(), one)
                put_back.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert put_back
    assert [signal.getsignal(one) for one in command._SIGNALS] == before


def test_a_directory_that_cannot_stand_in_core_pattern(
    asked: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a b").mkdir()
    before = read_pattern()
    assert run(["drill", "signer", "--directory", str(tmp_path / "a b")]) == ExitCode.USAGE
    assert "cannot stand in core_pattern" in capsys.readouterr().err
    assert read_pattern() == before
    assert not list((tmp_path / "a b").iterdir())


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: core_pattern takes root")
def test_a_signal_puts_core_pattern_back() -> None:
    # a short name: a socket in it has no more than 108 characters
    place = Path(tempfile.mkdtemp(prefix="drill-"))
    words = [
        sys.executable,
        "-m",
        "immure",
        "drill",
        "signer",
        "--count",
        "1000",
        "--directory",
        str(place),
    ]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True)
    limit = time.monotonic() + 120
    while not (str(place) in read_pattern().text and list(place.glob("immure-drill-*/*/*/service/http"))):
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED
    assert b"interrupted" in said
    assert str(place) not in read_pattern().text
    place.rmdir()  # nothing is left in it
    assert not [one for one in Path("/proc").glob("[0-9]*/cmdline") if _has(one, str(place))]


def _has(command_line: Path, word: str) -> bool:
    try:
        return word.encode() in command_line.read_bytes()
    except OSError:
        return False
