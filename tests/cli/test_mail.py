"""``immure mail setup`` and ``immure mail log`` as commands: what they print, and their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from immure.cli.main import run
from immure.mail.access import decode_access
from mail.events import login, opened
from mail.test_setup import TEXT
from servers.program import found
from servers.tls import Authority


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    found("doveconf", "Debian: dovecot-core")
    Authority(tmp_path).issue("mail")
    (tmp_path / "secret").write_text("the-secret-of-dovecot-there")
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "mail.toml"
    path.write_text(TEXT)
    return path


def test_setup(settings: Path, capsys: pytest.CaptureFixture[str]):
    where = str(settings.parent / "conf")
    command = ["mail", "setup", where, "--settings", str(settings)]
    assert run([*command, "--dry-run"]) == 1
    assert "would be written" in capsys.readouterr().out
    assert not Path(where).exists()
    assert run([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["mode"]) for one in told["files"]] == [
        ("domains", "0644"),
        ("dovecot.conf", "0600"),
    ]
    assert run([*command, "--dry-run"]) == 0
    assert run([*command, "-q"]) == 0
    capsys.readouterr()
    (Path(where) / "dovecot.conf").write_text("mine")
    assert run(command) == 2
    assert "changed by hand; --force" in capsys.readouterr().err
    assert run([*command, "--dry-run"]) == 1
    assert run([*command, "--force", "-q"]) == 0
    assert run([*command, "--dry-run", "-q"]) == 0


def test_setup_with_settings_that_are_wrong(settings: Path, capsys: pytest.CaptureFixture[str]):
    settings.write_text("version = 2")
    assert run(["mail", "setup", str(settings.parent / "conf"), "--settings", str(settings)]) == 2
    assert "version is not 1" in capsys.readouterr().err
    assert run(["mail", "setup", str(settings.parent / "a b"), "--settings", str(settings)]) == 2


def test_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    events, output = tmp_path / "events.jsonl", tmp_path / "access.jsonl"
    events.write_bytes(login() + b"\n" + opened() + b"\n")
    command = ["mail", "log", str(events), "--output", str(output)]
    assert run(command) == 0
    assert "3 new records" in capsys.readouterr().err
    assert run(command) == 0
    with events.open("ab") as stream:
        stream.write(b"junk\n")
    assert run(command) == 1
    assert "1 of them gaps" in capsys.readouterr().err
    actions = [decode_access(line).action for line in output.read_bytes().splitlines()]
    assert actions == ["gap", "login", "bind", "gap"]
    assert run(["mail", "log", str(events), "--output", str(events)]) == 2
    assert run(["mail", "log", str(events), "--output", str(tmp_path / "none" / "x")]) == 3
    assert "cannot be opened" in capsys.readouterr().err


def test_log_follows_until_it_is_stopped(tmp_path: Path):
    events, output = tmp_path / "events.jsonl", tmp_path / "access.jsonl"
    events.write_bytes(login() + b"\n")
    command = [sys.executable, "-m", "immure", "mail", "log", str(events), "-o", str(output), "--follow"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 60
            while not (output.exists() and output.read_bytes().count(b"\n") == 2):
                assert time.monotonic() < end
                assert process.poll() is None
                time.sleep(0.05)
            with events.open("ab") as stream:
                stream.write(opened() + b"\n")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert output.read_bytes().count(b"\n") == 3
