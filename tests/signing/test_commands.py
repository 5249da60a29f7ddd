"""``immure signing``: what each command prints, in words and in JSON, and how it ends."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from immure.cli.main import run as run_cli
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.signing.fetches import Fetch
from immure.signing.state_opening import open_state
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.log import AcceptanceLog
from signing.house import ENTERPRISE, SETTINGS, House


def immure(*words: object, **more: Any) -> Result:
    """As a program, with what it ends with."""

    @click.command()
    @click.pass_context
    def program(context: click.Context) -> None:
        context.exit(run_cli(["signing", *map(str, words)]))

    return CliRunner().invoke(program, [], **more)


def plain(*words: object) -> Any:
    done = immure(*words, "-f", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def used(house: House, run) -> House:
    """A house whose service has run once."""

    async def work(client, service):
        return None

    run(house, work)
    return house


@pytest.mark.parametrize(
    "command", ["", "init", "keys", "status", "emergency", "parties", "openapi", "password"]
)
def test_help(command: str) -> None:
    """Every command says what it does, and what its exit codes mean."""
    done = immure(*command.split(), "--help")
    assert done.exit_code == 0
    assert "Exit codes:" in done.output
    assert len(done.output) > 300


def test_init_with_a_key_holder(tmp_path: Path) -> None:
    text = SETTINGS.replace("file+unsafe:private", "keyholder:holder/keys.sealed?pin-source=pin")
    (tmp_path / "pin").write_text("a pin of the tests\n")
    (tmp_path / "pin").chmod(0o600)
    house = House(tmp_path, text)
    made = plain("init", "-c", house.path, "--origin", "login.example/ledger")
    assert made["made"] == ["consumer-0001", "enterprise-0001"]
    assert made["log_key"] == house.log_key
    assert plain("init", "-c", house.path, "--origin", "login.example/ledger")["made"] == []


def test_init_for_a_holder_that_listens(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("a pin of the tests\n")
    (tmp_path / "pin").chmod(0o600)
    house = House(tmp_path, SETTINGS.replace("file+unsafe:private", "keyholder+unix:holder.sock"))
    words = ["init", "-c", house.path, "--key-file", tmp_path / "holder" / "keys.sealed"]
    lonely = immure(*words)
    assert (lonely.exit_code, "belong together" in lonely.output) == (2, True)
    done = immure(*words, "--pin-file", tmp_path / "pin")
    assert done.exit_code == 0, done.output
    assert "made the key consumer-0001" in done.output
    assert "a pin of the tests" not in done.output


def test_keys_and_status(used: House) -> None:
    assert [one["state"] for one in plain("keys", "-c", used.path)["keys"]] == ["active", "active"]
    status = plain("status", "-c", used.path)
    assert status["at_work"] is not None
    (enterprise,) = [one for one in status["issuers"] if one["name"] == "enterprise"]
    assert (enterprise["signs"], enterprise["rows"], enterprise["announced"]) == ("enterprise-0001", 0, None)
    words = immure("status", "-c", used.path).output
    assert "enterprise-0001 signs since 20" in words
    assert "0 tokens in the ledger" in words


def test_status_before_the_first_start(house: House) -> None:
    words = immure("status", "-c", house.path).output
    assert "no key signs" in words
    assert "last at work: never" in words


def fetched(house: House, *rows: tuple[str, str, int, int]) -> None:
    state = open_state(house.settings.state)
    state.fetched([Fetch(ENTERPRISE, *row) for row in rows])
    state.close()


def test_an_emergency(used: House) -> None:
    words = ["-c", used.path, "enterprise", "enterprise-0001"]
    early = immure("parties", *words)
    assert early.exit_code == 2
    assert "enterprise-0001 is active" in early.output
    now = int(time.time())
    fetched(
        used, ("mail", "enterprise-0001", now - 900, now), ("old", "enterprise-0001", now - 900, now - 800)
    )
    done = immure("emergency", *words, "--reason", "in a dump", "--by", "ada", "--no-wait")
    assert done.exit_code == 0, done.output
    assert "mail: may accept it until" in done.output
    assert "old: keeps its set no longer since" in done.output
    assert "1 of 2 relying parties may still accept the key" in done.output
    with open_store(used.settings.registry) as store:
        last = store.find("enterprise-0001").history[-1]
    assert (last.state, last.reason, last.by) == (KeyState.COMPROMISED, "in a dump", "ada")

    fetched(used, ("mail", "enterprise-0002", now, now))
    found = plain("parties", *words)
    assert found["stopped"] is not None
    assert [one["party"] for one in found["parties"]] == ["old", "mail"]
    again = immure("emergency", *words, "--reason", "in a dump", "-q")  # waits for nobody
    assert (again.exit_code, again.output) == (0, "")


def test_a_relying_party_that_does_not_obey(used: House, tmp_path: Path) -> None:
    words = ["-c", used.path, "enterprise", "enterprise-0001"]
    assert immure("emergency", *words, "--reason", "r", "--no-wait").exit_code == 0
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(
            Decision(
                time=time.time() + 60,
                digest=bytes(16),
                issuer=ENTERPRISE,
                kid="enterprise-0001",
                relying_party="mail",
                channel="http",
            )
        )
    done = immure("parties", *words, "--accepted", tmp_path / "accepted")
    assert "mail: accepted 1 tokens since" in done.output


def test_waiting_is_over(used: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may still accept the key: exit code 3, and who it is."""
    monkeypatch.setattr("immure.signing.discovery.MAX_AGE", 0)
    monkeypatch.setattr("immure.cli.signing_emergency._SLACK", 0.1)
    now = int(time.time())
    fetched(used, ("mail", "enterprise-0001", now, now + 500))
    done = immure("emergency", "-c", used.path, "enterprise", "enterprise-0001", "--reason", "r")
    assert done.exit_code == 3, done.output
    assert "waiting for 1 of 1 relying parties" in done.output
    assert "mail: may accept it until" in done.output


WRONG: list[tuple[list[str], int, str]] = [
    (["emergency", "nobody", "k", "--reason", "r"], 2, "there is no issuer 'nobody'"),
    (["emergency", "enterprise", "enterprise-0009", "--reason", "r"], 3, "enterprise-0009"),
    (["emergency", "enterprise", "consumer-0001", "--reason", "r"], 3, "consumer-0001"),
    (["parties", "enterprise", "enterprise-0001", "--accepted", "/nowhere"], 2, "is active"),
    (["emergency", "enterprise", "enterprise-0001"], 2, "--reason"),
]


@pytest.mark.parametrize(("words", "code", "said"), WRONG, ids=[" ".join(one[0]) for one in WRONG])
def test_wrong(used: House, words: list[str], code: int, said: str) -> None:
    done = immure(words[0], "-c", used.path, *words[1:])
    assert (done.exit_code, said in done.output) == (code, True), done.output
    with open_store(used.settings.registry) as store:
        assert {one.state for one in store.records()} == {KeyState.ACTIVE}


def test_a_password() -> None:
    done = immure("password", input="lovelace\nlovelace\n")
    assert done.stdout.strip().startswith("scrypt:16384:8:1:")
    assert "lovelace" not in done.output
