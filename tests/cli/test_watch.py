"""``immure watch`` as a person uses it, and a pipeline."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from immure.cli.main import run as run_immure
from immure.cli.watch_progress import INTERVAL, Steps
from watching.making import Made, commit, ed25519_key, git, rsa_key, write_tree

IMMURE = (sys.executable, "-m", "immure")


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def key() -> Made:
    return ed25519_key()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        code = run_immure(["watch", *arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        ({"a": b"text"}, (), 0),
        ({"k": b"KEY"}, (), 1),
        ({"k": b"KEY"}, ("--fail-on", "never"), 0),
        ({"z.zip": b"PK\x03\x04" + bytes(50)}, (), 3),
        ({"z.zip": b"PK\x03\x04" + bytes(50)}, ("--fail-on", "findings"), 0),
        ({"z.zip": b"PK\x03\x04" + bytes(50), "k": b"KEY"}, (), 1),
        ({}, (), 3),
    ],
)
def test_exit_codes(
    run: Run, tmp_path: Path, key: Made, files: dict[str, bytes], options: tuple[str], code: int
) -> None:
    (tmp_path / "t").mkdir()
    write_tree(tmp_path / "t", {name: data.replace(b"KEY", key.pem) for name, data in files.items()})
    assert run("t", *options).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give targets, or --staged"),
        (("t", "--staged"), "give targets, or --staged"),
        (("none",), "none: does not exist"),
        (("ftp://host/x",), "no URL of an object store"),
        (("t", "--every", "soon"), "no period such as 30m"),
        (("t", "--every", "0s"), "no period"),
        (("t", "--exhaustive", "--mode", "quick"), "contradict"),
        (("t", "-o", "report.docx"), "--format is needed"),
        (("t", "-o", "no/such/report.json"), "no such directory"),
        (("t", "--owners", "none"), "none: cannot be read"),
        (("t", "--suppressions", "bad.toml"), "bad.toml: suppression 1: has no day on which it ends"),
        (("t", "--baseline", "bad.toml"), "bad.toml: is no baseline"),
        (("t", "--keys", "none.json"), "none.json"),
        (("t", "--write-baseline", "no/such/dir"), "cannot be written"),
    ],
)
def test_what_cannot_be_done(run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write_tree(
        tmp_path, {"t/a": b"text", "bad.toml": b'[[suppress]]\nplace = "a"\nreason = "because of it"\n'}
    )
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not result.stdout


def test_a_state_that_is_none(run: Run, tmp_path: Path) -> None:
    write_tree(tmp_path, {"t/a": b"text", "text.db": b"this is no database at all" * 99})
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    for name, words in (
        ("text.db", "cannot be used"),
        ("other.db", "not the state of a watch"),
        ("no/x", "cannot"),
    ):
        result = run("t", "--state", name)
        assert result.exit_code == 3
        assert words in result.stderr


def test_a_new_key_in_the_key_set(run: Run, tmp_path: Path) -> None:
    key = rsa_key()
    jwk = {**key.public.to_jwk(), "kid": "prod"}
    write_tree(tmp_path, {"t/k": key.der, "keys.json": json.dumps({"keys": []}).encode()})
    write_tree(tmp_path, {"new.json": json.dumps({"keys": [jwk]}).encode()})
    assert "1 scanned" in run("t", "--state", "s").stdout
    assert "0 scanned" in run("t", "--state", "s").stdout
    result = run("t", "--state", "s", "--keys", "new.json")
    assert "1 scanned" in result.stdout
    assert 'RSA-2048 key "prod"' in result.stdout
    assert "0 scanned" in run("t", "--state", "s", "--keys", "new.json").stdout


def test_baseline_suppressions_and_owners(run: Run, tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"t/old": key.pem, "CODEOWNERS": b"* @security\n"})
    first = run("t", "--write-baseline", "b.json", "--owners", "CODEOWNERS")
    assert (first.exit_code, "owned by @security" in first.stdout) == (1, True)
    assert "1 places are in the baseline" in first.stderr
    assert run("t", "--baseline", "b.json").exit_code == 0
    write_tree(tmp_path, {"t/new": key.pem})
    assert run("t", "--baseline", "b.json").exit_code == 1
    day = date.today() + timedelta(days=10)
    write_tree(
        tmp_path,
        {"s.toml": f'[[suppress]]\nplace = "new"\nreason = "rotated last week"\nexpires = {day}'.encode()},
    )
    result = run("t", "--baseline", "b.json", "--suppressions", "s.toml")
    assert result.exit_code == 0
    assert "rotated last week" in result.stdout


@pytest.mark.parametrize("form", ["json", "sarif", "txt"])
def test_reports_as_files(run: Run, tmp_path: Path, key: Made, form: str) -> None:
    write_tree(tmp_path, {"t/k": key.pem})
    result = run("t", "-o", f"found.{form}")
    assert result.exit_code == 1
    assert not result.stdout
    text = (tmp_path / f"found.{form}").read_text()
    assert key.name in text
    if form != "txt":
        json.loads(text)


def test_staged(run: Run, tmp_path: Path, key: Made) -> None:
    git(tmp_path, "init", "-q")
    commit(tmp_path, {"a": b"text"})
    assert run("--staged").exit_code == 0, "a commit that brings nothing is not held up"
    git(tmp_path, "rm", "-q", "a")
    assert run("--staged").exit_code == 0
    write_tree(tmp_path, {"b": b"more"})
    git(tmp_path, "add", "b")
    assert run("--staged", "--exhaustive").exit_code == 0
    write_tree(tmp_path, {"k": key.pem})
    git(tmp_path, "add", "k")
    result = run("--staged", "-q")
    assert result.exit_code == 1
    assert result.stdout.startswith("FOUND  Ed25519 key ")


def test_staged_outside_of_a_repository(run: Run) -> None:
    result = run("--staged")
    assert result.exit_code == 2
    assert "git says" in result.stderr


def _wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_it_runs_again_and_again_and_ends_when_it_is_told_to(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"t/a": b"text"})
    report = tmp_path / "r.json"
    command = [*IMMURE, "watch", "t", "--every", "1s", "--state", "s", "-o", "r.json", "-q"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # who starts the tests in the background has SIGINT ignored, and its children, too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        _wait(lambda: report.exists() and not json.loads(report.read_text())["open"])
        write_tree(tmp_path, {"t/k": key.pem})
        _wait(lambda: json.loads(report.read_text())["open"])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said


def test_a_run_that_fails_does_not_end_the_watch(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"t/k": key.pem, "owners": b"nonsense nobody"})
    command = [*IMMURE, "watch", "t", "--every", "1s", "--owners", "owners", "-o", "r.json"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "is not understood" in process.stderr.readline()
        write_tree(tmp_path, {"owners": b"* @somebody"})
        _wait((tmp_path / "r.json").exists)
        process.terminate()
        process.communicate(timeout=60)
    assert "@somebody" in (tmp_path / "r.json").read_text()


def test_as_a_hook_of_pre_commit_would_run_it(tmp_path: Path, key: Made) -> None:
    """``pre-commit`` runs the entry in the top directory of the repository."""
    git(tmp_path, "init", "-q")
    commit(tmp_path, {"a": b"text"})
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} -m immure watch --staged --exhaustive -q\n")
    hook.chmod(0o755)
    write_tree(tmp_path, {"k": key.pem})
    git(tmp_path, "add", "k")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git(tmp_path, "commit", "-q", "-m", "a key")
    assert b"FOUND" in refused.value.stdout + refused.value.stderr
    git(tmp_path, "rm", "-q", "--cached", "k")
    write_tree(tmp_path, {"b": b"more"})
    git(tmp_path, "add", "b")
    git(tmp_path, "commit", "-q", "-m", "no key")


def test_progress_is_a_line_now_and_then_and_can_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    moment = 0.0
    steps = Steps(clock=lambda: moment)
    steps(1, 0, "a")
    moment += INTERVAL
    steps(1_234, 5, "b\x1b[31m")
    steps(1_235, 6, "c")
    assert capsys.readouterr().err == "immure: 1,234 items, 5 scanned, now b\\x1b[31m\n"
    steps.stop(0.1)
    with pytest.raises(KeyboardInterrupt):
        steps(1_236, 6, "d")


def test_no_git_directory_is_left_behind(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "r").mkdir()
    git(tmp_path / "r", "init", "-q")
    commit(tmp_path / "r", {"a": b"text"})
    run("r")
    assert not os.listdir(tmp_path / "tmp")
