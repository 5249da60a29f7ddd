"""``immure keyholder`` as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from custody import keys as files
from custody.keyholder.making import CHEAP, claims
from immure.cli.main import run as run_immure
from immure.custody.keyholder import KeyHolder, launch

FILE = "own/keys.sealed"
PIN = ("--pin-file", "pin")
RULES = ("--issuer", "https://login.example/consumers", "--class", "consumer")
AUDIENCE = ("--audience", "https://api.example=consumer,enterprise")


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("IMMURE_PIN", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("pin", "alice", "bob"):
        files.write_key(Path(name), f"the pin of {name}\n".encode())

    def run(*arguments: str) -> Result:
        code = run_immure(["keyholder", *arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """PINs are stretched as little as may be; at their price they are in the tests that start a program."""
    monkeypatch.setattr(launch, "COST", CHEAP["cost"])


@pytest.mark.usefixtures("cheap")
def test_from_an_empty_file_to_a_backup_and_back(run):
    assert run("init", FILE, *PIN).exit_code == 0
    made = run("generate", FILE, "c1", *PIN, "--alg", "ES256", *RULES, *AUDIENCE, "--quota", "9")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["kid"] == "c1"
    imported = ("import", FILE, "i1", "key", *PIN, "--alg", "ES256", *RULES)
    files.write_key(Path("key"), files.private_bytes("P-256"))
    assert run(*imported).exit_code == 2
    assert run(*imported, "--yes-others-may-have-it").exit_code == 0
    listed = json.loads(run("list", FILE, *PIN, "-f", "json").stdout)
    assert [(key["kid"], key["origin"]) for key in listed] == [("c1", "generated"), ("i1", "imported")]
    assert listed[0]["rules"]["audiences"] == {"https://api.example": ["consumer", "enterprise"]}
    assert "the pin" not in run("status", FILE, *PIN).stdout
    people = ("--backup-pin-file", "alice", "--backup-pin-file", "bob")
    assert run("backup", FILE, "backup", *PIN, *people).exit_code == 0
    assert run("restore", "backup", "again/keys", *PIN, *people[:2]).exit_code == 3
    assert run("restore", "backup", "again/keys", *PIN, *people).exit_code == 0
    assert run("state", "again/keys", "c1", "suspended", "--reason", "a test", *PIN).exit_code == 0
    assert (
        "c1                   suspended   ES256 generated, restored" in run("list", "again/keys", *PIN).stdout
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list", FILE), 2, "there is no PIN"),
        (("list", FILE, "--pin-file", "alice"), 3, "No such file"),
        (("init", FILE, "--pin-file", "none"), 3, "none: No such file"),
        (("generate", FILE, "a", *PIN, "--alg", "ES256", *RULES, "--audience", "a"), 2, "not AUDIENCE=CLASS"),
        (("serve", FILE, "--socket", "s", "--allow", "nobody-at-all", *PIN), 2, "no user 'nobody-at-all'"),
    ],
)
def test_what_goes_wrong(run, arguments, code, words):
    done = run(*arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert "the pin of" not in done.stderr


def test_serving(run, tmp_path):
    run("init", FILE, *PIN)
    run("generate", FILE, "c1", *PIN, "--alg", "EdDSA", *RULES, *AUDIENCE)
    program = "import sys\nfrom immure.cli.keyholder import keyholder\nkeyholder(sys.argv[1:])"
    command = ["serve", FILE, "--socket", "socket", "--allow", str(os.geteuid()), *PIN]
    with subprocess.Popen([sys.executable, "-c", program, *command], stderr=subprocess.PIPE) as served:
        assert served.stderr is not None
        assert b"1 keys of own/keys.sealed are served at socket" in served.stderr.readline()
        with KeyHolder.connect(tmp_path / "socket", uid=os.geteuid()) as holder:
            assert holder.sign_token("c1", claims())
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
    assert not Path("socket").exists()
    assert json.loads(run("list", FILE, *PIN, "-f", "json").stdout)[0]["signed"] == 1
