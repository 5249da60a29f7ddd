"""``immure serve access`` as a program."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import httpx
import pytest

from access.rooms import policy_text
from cli.test_access import KEY, Desk, Run, desk, place, run  # noqa: F401 - fixtures
from immure.cli import main
from servers.program import Program, free_port

HOST = {"host": "access.prod.example"}


def test_it_serves_until_it_is_stopped(desk: Desk, place: Path) -> None:  # noqa: F811
    port = free_port()
    command = [sys.executable, "-m", "immure", "serve", "access", "room", "--listen", f"127.0.0.1:{port}"]
    with Program([*command, *KEY], log=place / "journal") as program:
        program.wait_for(port)
        page = httpx.get(
            f"http://127.0.0.1:{port}/", headers={"host": "access.prod.example"}, trust_env=False
        )
        assert page.status_code == 200
        assert "<h1>Sign in</h1>" in page.text
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 204
        assert httpx.get(f"http://127.0.0.1:{port}/auth", trust_env=False).status_code == 401
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", headers={"x": "y" * (2 << 20)}, trust_env=False)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == 0, program.printed()
    first = program.printed().splitlines()[0]
    assert first == f"the page of room, on 127.0.0.1:{port}, for https://access.prod.example"


def test_a_room_that_nobody_is_in(desk: Desk, place: Path) -> None:  # noqa: F811
    """The code is in a file as long as the server runs, and the journal says where; not what it is."""
    text = policy_text()
    Path("fresh.toml").write_text(text)
    desk.run("init", "fresh", "--policy", "fresh.toml", "--origin", "access.prod.example/fresh", *KEY)
    port = free_port()
    command = [sys.executable, "-m", "immure", "serve", "access", "fresh", "--listen", f"127.0.0.1:{port}"]
    with Program([*command, *KEY], log=place / "journal") as program:
        program.wait_for(port)
        page = httpx.get(f"http://127.0.0.1:{port}/", headers=HOST, trust_env=False)
        assert "<h1>Found this room</h1>" in page.text
        code = Path("fresh/set-up-code").read_text().strip()
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == 0, program.printed()
    assert not Path("fresh/set-up-code").exists()
    [told] = [json.loads(line) for line in program.printed().splitlines() if '"set-up"' in line]
    assert told["path"] == "fresh/set-up-code"
    assert code not in program.printed()


WRONG = {
    "to the network": (("--listen", "0.0.0.0:0"), "give --certificate, or say --behind-proxy"),
    "no address": (("--listen", "here"), "--listen: HOST:PORT"),
    "half of TLS": (("--certificate", "a.pem"), "go together"),
    "no TLS": (("--certificate", "a.pem", "--certificate-key", "a.key"), "cannot be used"),
    "no tool": (("--tool", "room:debug"), "room:NAME=https"),
    "the page as a tool": (("--tool", "room:debug=https://access.prod.example"), "page's own host"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_served(desk: Desk, case: str, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    arguments, words = WRONG[case]
    assert main.run(["serve", "access", "room", *arguments, *KEY]) == 2
    assert words in capsys.readouterr().err
