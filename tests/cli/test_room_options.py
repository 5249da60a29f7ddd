"""Commands that change a key ask the door of a room, where one is named."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from access.rooms import Clock, policy_text
from access.rooms import World as Room
from immure import clock
from immure.cli import main
from immure.custody.note_signer import NoteSigner
from registry.material import ISSUER, document, jwk
from transfer.material import signer

POLICY = {'"room:*", "dump:*"': '"room:*", "key:*"', '"enter", "open", "release"': '"enter", "use", "rotate"'}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    key = NoteSigner("access.prod.example/room", signer(tmp_path, "door"))
    made = Room(tmp_path / "room", signer=key, clock=Clock(clock.now()), text=policy_text(**POLICY))
    yield made.found()
    made.door.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("keys.json").write_bytes(
        document(jwk(kid="k1", issuer=ISSUER), jwk("P-256", kid="k2", issuer=ISSUER))
    )

    def command(line: str) -> tuple[int, str]:
        code = main.run(shlex.split(line))
        printed = capsys.readouterr()
        return int(code), printed.out + printed.err

    assert command(f"keys import keys.json --issuer {ISSUER} --audience-class consumer")[0] == 0
    return command


def test_a_key_is_changed_by_who_was_granted_it(room: Room, run: Run) -> None:
    by_room = "--room room --room-key file:door"
    code, said = run(f"keys activate k1 {by_room}")
    assert (code, "nobody was granted rotate on key:k1" in said) == (1, True)
    identity = room.granted(resource="key:k1", actions=["rotate"])
    assert run(f"keys activate k2 {by_room}")[0] == 1  # another key
    assert run(f"keys activate k1 {by_room} --as prd-grace")[0] == 1  # another's grant
    assert run(f"keys activate k1 {by_room} --as prd-ada")[0] == 0
    used = [one.body["document"] for one in room.again().log.entries() if one.kind.endswith("used")]
    assert used == [
        {**used[0], "grant": identity, "action": "rotate", "detail": {"key": "k1", "act": "activate"}}
    ]


def test_whoever_runs_the_machine_names_the_room(
    room: Room, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMMURE_ROOM", "room")
    monkeypatch.setenv("IMMURE_ROOM_KEY", "file:door")
    assert run("keys activate k1")[0] == 1
    assert run("keys list")[0] == 0  # looking takes no grant
    room.granted(resource="key:k1", actions=["rotate"])
    assert run("keys activate k1")[0] == 0
    room.door.close()
    assert run('keys compromise k1 --reason "in a dump"')[0] == 0


def test_a_room_whose_log_is_elsewhere(
    room: Room, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.granted(resource="key:k1", actions=["rotate"])
    room.door.close()
    (tmp_path / "room" / "log").rename(tmp_path / "decisions")
    by_room = "--room room --room-key file:door"
    assert run(f"keys activate k1 {by_room}")[0] == 3
    assert run(f"keys activate k1 {by_room} --room-log decisions")[0] == 0
    monkeypatch.setenv("IMMURE_ROOM_LOG", "decisions")
    assert run(f"keys suspend k1 --reason odd {by_room}")[0] == 0
    (tmp_path / "decisions").rename(tmp_path / "room" / "log")
    used = [one.body["document"] for one in room.again().log.entries() if one.kind.endswith("used")]
    assert [one["detail"]["act"] for one in used] == ["activate", "suspend"]


@pytest.mark.parametrize(
    ("options", "words"),
    [("--as prd-ada", "--as needs --room"), ("--room room", "--room needs --room-key")],
)
def test_options_that_do_not_go_together(run: Run, options: str, words: str) -> None:
    code, said = run(f"keys activate k1 {options}")
    assert (code, words in said) == (2, True)


def test_an_emergency_asks_too(room: Room, run: Run, tmp_path: Path) -> None:
    (tmp_path / "signing.toml").write_text(
        f"""version = 1
registry = "immure-keys.db"
state = "state.db"
custody = "file+unsafe:private"
ledger.place = "ledger.db"
[issuers.consumer]
url = "{ISSUER}"
audience_classes = ["consumer"]
"""
    )
    assert run("keys activate k1")[0] == 0
    line = 'signing emergency -c signing.toml consumer k1 --reason "in a dump" --no-wait'
    code, said = run(f"{line} --room room --room-key file:door")
    assert (code, "nobody was granted rotate" in said) == (1, True)
    assert "k1  " in run("keys list --state active")[1]
