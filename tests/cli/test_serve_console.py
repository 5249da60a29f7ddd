"""``immure serve console`` as a program."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from console.world import HOST, ORIGIN, ConsoleWorld
from immure.cli import main
from servers.program import Program, free_port


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleWorld]:
    """A console with its settings, and the key of its room in a file."""
    made = ConsoleWorld(tmp_path_factory.mktemp("console"))
    key = made.room.signer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = made.top / "room.key"
    path.touch(mode=0o600)
    path.write_bytes(key)
    yield made
    made.room.door.close()


def test_it_serves_until_it_is_stopped(world: ConsoleWorld, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "immure", "serve", "console", "-c", str(world.path)]
    with Program([*command, "--listen", f"127.0.0.1:{port}"], log=tmp_path / "journal") as program:
        program.wait_for(port)
        url, host = f"http://127.0.0.1:{port}", {"host": HOST}
        page = httpx.get(f"{url}/sign-in", headers=host, trust_env=False)
        assert page.status_code == 200
        assert "<h1>Sign in</h1>" in page.text
        assert "server" not in page.headers
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 204
        assert httpx.get(f"{url}/t/acme/dumps", headers=host, trust_env=False).status_code == 303
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == 0, program.printed()
    printed = program.printed()
    assert printed.splitlines()[0] == f"the console, on 127.0.0.1:{port}, for {ORIGIN}"
    assert "Traceback" not in printed
    assert (world.top / "state" / "dumps-acme.db").exists()


def test_check(world: ConsoleWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["serve", "console", "-c", str(world.path), "--check"]) == 0
    assert capsys.readouterr().out == (
        f"{world.path}: right\norigin     {ORIGIN}\nsign-in    hardware key\n"
        "tenant     acme: dumps, keys, people; 3 may look\n"
        "tenant     globex: dumps, keys, people; 3 may look\n"
    )


def test_refresh_only(world: ConsoleWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["serve", "console", "-c", str(world.path), "--refresh-only"]) == 0
    assert capsys.readouterr().out == "2 tenants: all is made\n"


def test_what_cannot_be_made(world: ConsoleWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = world.top / "other.toml"
    path.write_text(world.path.read_text().replace("globex/keys.db", "globex/none.db"))
    assert main.run(["serve", "console", "-c", str(path), "--refresh-only"]) == 3
    said = capsys.readouterr()
    assert said.out == "2 tenants: 1 not made\n"
    assert '"tenant": "globex", "page": "keys"' in said.err
    path.unlink()


WRONG = {
    "to the network": (("--listen", "0.0.0.0:0"), "give --certificate, or say --behind-proxy"),
    "no address": (("--listen", "here"), "--listen: HOST:PORT"),
    "half of TLS": (("--certificate", "a.pem"), "go together"),
    "both": (("--check", "--refresh-only"), "do not go together"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_served(world: ConsoleWorld, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = WRONG[case]
    assert main.run(["serve", "console", "-c", str(world.path), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_settings_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "console.toml").write_text("version = 2")
    assert main.run(["serve", "console", "-c", str(tmp_path / "console.toml")]) == 2
    assert "version is not 1" in capsys.readouterr().err


def test_an_origin_that_the_room_does_not_know(
    world: ConsoleWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    path = world.top / "elsewhere.toml"
    path.write_text(world.path.read_text().replace(ORIGIN, "https://elsewhere.example"))
    assert main.run(["serve", "console", "-c", str(path), "--listen", "127.0.0.1:0"]) == 2
    assert "does not name https://elsewhere.example" in capsys.readouterr().err
    path.unlink()


def test_nothing_is_made_to_be_lost(world: ConsoleWorld, capsys: pytest.CaptureFixture[str]) -> None:
    path = world.top / "stateless.toml"
    path.write_text(world.path.read_text().replace('state = "state"\n', ""))
    assert main.run(["serve", "console", "-c", str(path), "--refresh-only"]) == 2
    assert "no directory of state" in capsys.readouterr().err
    path.unlink()
