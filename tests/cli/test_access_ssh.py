"""``immure access ssh`` and ``immure access pin``: what they print, write, and end with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from access.sshd import make_key
from cli.test_access import KEY, Desk, Run, desk, place, run  # noqa: F401 - fixtures
from immure.cli import main
from immure.cli.exit_codes import ExitCode
from servers.program import Program


@pytest.fixture
def keys(place: Path) -> None:  # noqa: F811
    make_key(place / "ca")
    make_key(place / "plain")
    make_key(place / "sk", "ed25519-sk")


SIGN = ("--as", "prd-ada", "--resource", "room:debug", "--authority", "ca", *KEY)


def test_sign_and_revoke(desk: Desk, run: Run, keys: None) -> None:  # noqa: F811
    none = run("ssh", "sign", "room", "sk.pub", *SIGN, code=1)
    assert none.err == "immure: nobody was granted enter on room:debug\n"
    assert not Path("sk-cert.pub").exists()
    grant = desk.granted()
    done = run("ssh", "sign", "room", "sk.pub", *SIGN, "--minutes", "20", "-f", "json")
    facts = json.loads(done.out)
    assert facts["grant"] == grant
    assert facts["certificate"] == "sk-cert.pub"
    assert facts["principals"] == ["room:debug", "prd-ada@room:debug"]
    assert facts["key"].startswith("SHA256:")
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", "sk-cert.pub"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert f"Serial: {facts['serial']}" in shown
    again = run("ssh", "sign", "room", "sk.pub", *SIGN, "-o", "other.pub")
    assert again.out.startswith("other.pub: serial ")

    assert (
        run("ssh", "krl", "room", "--authority", "ca.pub", "-o", "krl").out == "krl: 0 revoked certificates\n"
    )
    desk.act(("revoke",), "prd-grace", "room", grant, "--reason", "left the building")
    assert (
        run("ssh", "krl", "room", "--authority", "ca.pub", "-o", "krl").out == "krl: 2 revoked certificates\n"
    )
    revoked = subprocess.run(
        ["ssh-keygen", "-Q", "-f", "krl", "sk-cert.pub"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert revoked.returncode == 1
    assert "REVOKED" in revoked.stdout


def test_plain_keys(desk: Desk, run: Run, keys: None) -> None:  # noqa: F811
    desk.granted()
    refused = run("ssh", "sign", "room", "plain.pub", *SIGN, code=1)
    assert "a key of the type ssh-ed25519 is a file, and can be copied" in refused.err
    allowed = run("ssh", "sign", "room", "plain.pub", *SIGN, "--allow-plain-key")
    assert allowed.err.startswith("immure: UNSAFE: ")


GIVE = ("pin", "give", "room", "--resource", "key:issuer-1", "--socket", "s", *KEY)
NO_CA = ("--as", "prd-ada", "--resource", "room:debug", "--authority", "nobody", *KEY)
WRONG = {
    "no key": (("ssh", "sign", "room", "nothing.pub", *SIGN), 2, "nothing.pub: No such file"),
    "a private key": (("ssh", "sign", "room", "sk", *SIGN), 3, "sk: not one public key of SSH"),
    "no authority": (("ssh", "sign", "room", "sk.pub", *NO_CA), 3, "ssh-keygen does not sign"),
    "no place": (("ssh", "sign", "room", "sk.pub", *SIGN, "-o", "no/where"), 2, "no/where"),
    "no list": (("ssh", "krl", "room", "--authority", "nobody", "-o", "krl"), 3, "ssh-keygen does not sign"),
    "no place for it": (("ssh", "krl", "room", "--authority", "ca.pub", "-o", "no/krl"), 2, "no/krl"),
    "no PIN": ((*GIVE, "--pin-file", "nothing"), 3, "nothing"),
    "no desk": (("pin", "run", "nowhere", "--", "true"), 2, "nowhere: No such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_done(desk: Desk, run: Run, keys: None, case: str) -> None:  # noqa: F811
    desk.granted()
    command, code, words = WRONG[case]
    assert words in run(*command, code=code).err


def test_no_such_user(desk: Desk, run: Run, place: Path) -> None:  # noqa: F811
    Path("pin").write_text("24680\n")
    os.chmod("pin", 0o600)
    given = ("--resource", "key:a", "--pin-file", "pin", "--socket", "s", "--user", "nobody-of-that-name")
    assert "nobody-of-that-name" in run("pin", "give", "room", *given, *KEY, code=2).err
    Path("pin").chmod(0o644)
    assert "pin: " in run("pin", "give", "room", *given, *KEY, code=3).err


def test_the_desk_is_a_program(desk: Desk, place: Path) -> None:  # noqa: F811
    """It listens until it is stopped, and then its socket is gone."""
    Path("pin").write_text("24680\n")
    os.chmod("pin", 0o600)
    command = [sys.executable, "-m", "immure", "access", "pin", "give", "room", "--resource", "key:issuer-1"]
    with Program([*command, "--pin-file", "pin", "--socket", "s", *KEY], log=place / "journal") as program:
        end = time.monotonic() + 30
        while not Path("s").exists() and time.monotonic() < end:
            assert program.process.poll() is None, program.printed()
            time.sleep(0.05)
        ask = ["access", "pin", "run", "s", "--", "true"]
        # the socket is there a moment before somebody listens at it
        while (code := main.run(ask)) == ExitCode.USAGE and time.monotonic() < end:
            time.sleep(0.05)
        assert code == ExitCode.FINDINGS
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(10) == 0, program.printed()
    assert not Path("s").exists()
    assert '"event": "pin-refused"' in program.printed()


@pytest.mark.parametrize("command", ["ssh", "ssh sign", "ssh krl", "pin", "pin give", "pin run"])
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["access", *command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert "Exit codes:" in out
