"""`immure capture` and `immure drill`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from capture.helpers import CRASH, BytesChannel, cores_to, crash_all, needs_core_socket, sleepers, wait_until
from capture.test_server import serving, settings_in
from immure.capture.handing import ask_state
from immure.cli import main
from immure.cli.capture import capture
from immure.cli.drill import drill
from immure.cli.exit_codes import ExitCode
from immure.vault import Vault

HOLDER = "import os, time; key = open(os.environ['IMMURE_CANARY']).read(); print('up'); time.sleep(60)"


def run(*words: str) -> int:
    return main.run(list(words))


@pytest.mark.parametrize(
    "command", [capture, *capture.commands.values(), drill], ids=lambda command: command.name
)
def test_help_teaches(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.name  # type: ignore[attr-defined]
    words = [name] if name in ("capture", "drill") else ["capture", name]
    assert run(*words, "--help") == 0
    text = capsys.readouterr().out
    assert "Usage: immure" in text
    if name not in ("capture", "handle"):
        assert "Exit codes:" in text
    assert "handle" not in text or name == "handle"  # the kernel's, not the user's


def test_installing_below_another_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "capture",
        "install",
        "--root",
        str(tmp_path),
        "--via",
        "socket",
        "--memory",
        "2GiB",
        "--keys",
        "jwks.json",
    )
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert "written:" in said
    assert "nothing was put in force" in said
    config = (tmp_path / "etc/immure/capture.toml").read_text()
    assert f'keys = ["{os.getcwd()}/jwks.json"]' in config  # the service starts in another directory
    assert "memory = 2147483648" in config
    assert (
        "ExecStart=/usr/bin/immure capture serve"
        in (tmp_path / "etc/systemd/system/immure-capture.service").read_text()
    )
    assert run("capture", "uninstall", "--root", str(tmp_path), "-q") == 0
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("install", "--root", "ROOT", "--forward"), 2, "only redacted cores"),
        (("install", "--root", "ROOT", "--memory", "much"), 2, "is no size"),
        (("install", "--root", "ROOT", "--keep", "all"), 2, "'all' is not one of"),
        (("install", "--root", "ROOT", "-c", "/nonexistent"), 2, "no such file"),
        (("install", "--root", "ROOT", "--program", "immure"), 2, "absolute path"),
        (("status", "-c", "/nonexistent"), 2, "no such file"),
        (("serve", "--vault", "/nonexistent/vault"), 2, "parent directory"),
        (("handle", "0", "6", "0", "0"), 2, "not in the range"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "usr/lib/sysctl.d").mkdir(parents=True)
    (tmp_path / "usr/lib/sysctl.d/50-coredump.conf").write_text("kernel.core_pattern=|/usr/lib/systemd/x\n")
    words = tuple(word.replace("ROOT", str(tmp_path)) for word in words)
    replace = ("--replace",) if words[0] == "install" else ()
    assert run("capture", *words, *replace) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()


def test_somebody_else_is_not_pushed_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usr/lib/sysctl.d").mkdir(parents=True)
    (tmp_path / "usr/lib/sysctl.d/50-coredump.conf").write_text("kernel.core_pattern=|/usr/lib/systemd/x\n")
    assert run("capture", "install", "--root", str(tmp_path)) == 2
    assert "--replace" in capsys.readouterr().err
    assert (
        run("capture", "install", "--root", str(tmp_path), "--replace", "--keep", "redacted", "--forward")
        == 0
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(settings_in(tmp_path, scan=False).to_toml())
    return path


def test_status_without_a_server(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("capture", "status", "-c", str(config)) == ExitCode.FINDINGS
    assert capsys.readouterr().out.startswith("NOT ACTIVE")
    assert run("capture", "status", "-c", str(config), "-q") == ExitCode.FINDINGS
    assert capsys.readouterr().out == ""
    assert run("capture", "status", "-c", str(config), "-f", "json") == ExitCode.FINDINGS
    found = json.loads(capsys.readouterr().out)
    assert (found["active"], found["server"]) == (False, "not running")


def test_drill_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--exclusions", "program"), ("--way", "usb", "program"), ("--ready", "(", "program")):
        assert run("drill", *words) == 2
        assert capsys.readouterr().err


class TestReal:
    pytestmark = needs_core_socket

    def test_status_with_a_server(
        self, tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings = settings_in(tmp_path, scan=False)
        with serving(settings) as server, sleepers(1) as [process], cores_to(settings.core_socket):
            crash_all([process])
            wait_until(lambda: server.desk.counters.captured == 1)
            assert run("capture", "status", "-c", str(config)) == 0
        said = capsys.readouterr().out
        assert said.startswith("ACTIVE")
        assert "crashes       1: 1 captured" in said
        assert f"sleep[{process.pid}]" in said

    def test_serving_until_asked_to_stop(self, tmp_path: Path, config: Path) -> None:
        argv = [sys.executable, "-m", "immure", "capture", "serve", "-c", str(config)]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: ask_state(tmp_path / "runtime" / "handle.sock") is not None)
        with sleepers(1) as [sleeper], cores_to(tmp_path / "runtime" / "core.sock"):
            crash_all([sleeper])
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0
        events = [json.loads(line)["event"] for line in said.splitlines()]
        assert [event for event in events if event != "memory-not-locked"] == [
            "serving",
            "captured",
            "stopped",
        ]
        assert len(Vault.open(tmp_path / "vault").list()) == 1
        assert sorted(path.name for path in (tmp_path / "runtime").iterdir()) == ["capture.json"]

    def test_a_drill(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ("drill", "--way", "socket,sealed", "--kind", "p256", "--ready", "up")
        program = (sys.executable, "-u", "-c", HOLDER)
        assert run(*words, *program) == 0
        said = capsys.readouterr().out
        assert "has to be clean, and is" in said
        assert run(*words, "--clean", "all", "-f", "json", *program) == 1
        report = json.loads(capsys.readouterr().out)
        assert report["leaks"] == 1
        assert [trial["must_be_clean"] for trial in report["trials"]] == [True, True]

    def test_a_drill_of_a_program_without_the_key(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("drill", "--way", "socket", "--kind", "p256", "--ready", "0.2", "sleep", "60") == 3
        assert "nothing of the canary was ever seen" in capsys.readouterr().out


def test_what_status_says_fits_a_packet(tmp_path: Path) -> None:
    """The state goes in one packet of 64 KiB: names are long, and crashes many."""
    settings = settings_in(tmp_path, scan=False)
    with serving(settings) as server:
        for number in range(60):
            long = replace(
                CRASH, pid=number + 1, comm="\N{GRINNING FACE}" * 512, executable="\N{GRINNING FACE}" * 512
            )
            server.desk.arrive(long, BytesChannel(b""))
        wait_until(lambda: server.desk.counters.dropped.total() == 60)
        state = ask_state(settings.handle_socket)
    assert state is not None
    assert state["counters"]["arrived"] == 60
