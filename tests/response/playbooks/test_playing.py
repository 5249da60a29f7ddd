"""Following a playbook: what the program does, what waits for whom, and that it goes on where it was."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.response.errors import BusyError, RoleError
from immure.response.incident import Incident
from immure.response.playbooks.errors import PlaybookError
from immure.response.playbooks.playbook import Playbook, find, parse_playbook
from immure.response.playbooks.playing import Player
from response.containment.light import Light, light

BOOK = """
version = 1
name = "mine"
title = "Mine"
text = "For trials."
findings = ["key-in-dump"]
[[steps]]
id = "real"
do = "ask"
title = "Is it real?"
text = "Look at it."
command = "immure scan {incident} {kid} {issuer} {config}"
outcomes = ["yes", "no"]
role = "lead"
[[steps]]
id = "stop"
do = "contain"
title = "Stop it"
when = { real = "yes" }
[[steps]]
id = "after"
do = "ask"
title = "Go home"
text = "It is over."
needs = ["stop"]
when = { real = "yes" }
[[steps]]
id = "nothing"
do = "ask"
title = "Say that it was nothing"
text = "To whom?"
when = { real = "no" }
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Light]:
    with light(tmp_path) as running:
        yield running


@pytest.fixture
def book() -> Playbook:
    return parse_playbook(BOOK.encode(), "mine.toml")


def standings(player: Player) -> list[str]:
    return [one.standing for one in player.lines()]


def player(house: Light, incident: Incident, book: Playbook, actor: str = "ann") -> Player:
    return Player(book, incident, house.settings, actor=actor, config="contain.toml")


def test_to_its_end(house: Light, book: Playbook) -> None:
    folder = house.fresh()
    with house.incident(folder) as incident:
        one = player(house, incident, book)
        assert standings(one) == ["waits for you", "waits for a step", "waits for a step", "waits for a step"]
        asked = one.lines()[0].words
        assert asked == f"Look at it.\n$ immure scan {folder} {house.kid} https://login.example/ contain.toml"
        assert [line.standing for line in one.go_on()][1] == "waits for a step"  # nothing is done yet
        assert house.state() == "active"
        one.say("real", outcome="yes", note="seen by two")
        assert standings(one) == ["done", "open", "waits for a step", "passed over"]
        assert [line.standing for line in one.go_on()] == ["done", "done", "waits for you", "passed over"]
        assert house.state() == "compromised"
    with house.incident(folder) as incident:  # somebody else, from elsewhere
        other = player(house, incident, book, "bo")
        other.say("after")
        assert other.is_over
        notes = [one.body for one in incident.entries() if one.body.get("step") == "play.mine"]
    assert notes[0]["detail"] == {"outcome": "yes", "note": "seen by two"}


def test_a_command_is_pasted_as_it_is_meant(house: Light, book: Playbook) -> None:
    """What a token calls its key comes into a line that people paste into a shell."""
    made = house.open("named", kid="k; rm -rf ~ {issuer}", issuer="")
    folder = made.rename(made.with_name("it's here"))
    one = Player(book, Incident.load(folder), None, actor="ann", config="a b.toml")
    words = one.lines()[0].words.partition("$ ")[2]
    assert shlex.split(words) == ["immure", "scan", str(folder), "k; rm -rf ~ {issuer}", "", "a b.toml"]


def test_the_other_way(house: Light, book: Playbook) -> None:
    with house.incident(house.fresh()) as incident:
        one = player(house, incident, book)
        one.say("real", outcome="no")
        assert [line.standing for line in one.go_on()] == [
            "done",
            "passed over",
            "passed over",
            "waits for you",
        ]
        assert house.state() == "active"
        one.say("nothing")
        assert one.is_over


#: Step, outcome, who says it; what it is refused with.
SAID: list[tuple[str, str, str, type[Exception], str]] = [
    ("none", "", "ann", PlaybookError, "has no step 'none'"),
    ("stop", "", "ann", PlaybookError, "is done by the program"),
    ("after", "", "ann", PlaybookError, "after: waits for a step stop"),
    ("real", "", "ann", PlaybookError, "the outcome is one of yes, no"),
    ("real", "maybe", "ann", PlaybookError, "the outcome is one of yes, no"),
    ("real", "yes", "bo", RoleError, "for a person with the role lead, which bo has not"),
]


def test_what_cannot_be_said(house: Light, book: Playbook) -> None:
    with house.incident(house.fresh()) as incident:
        for name, outcome, actor, error, words in SAID:
            with pytest.raises(error, match=words):
                player(house, incident, book, actor).say(name, outcome=outcome)
        player(house, incident, book).say("real", outcome="no")
        with pytest.raises(PlaybookError, match="after: passed over"):
            player(house, incident, book).say("after")


def test_a_step_that_fails(house: Light, book: Playbook) -> None:
    """It says why, and the next turn goes on with what is missing."""
    house.receiver.misbehave = 500
    with house.incident(house.fresh()) as incident:
        one = player(house, incident, book)
        one.say("real", outcome="yes")
        line = one.go_on()[1]
        assert (line.standing, "HTTP status 500" in line.words) == ("failed", True)
        house.receiver.misbehave = 0
        assert one.go_on()[1].standing == "done"


def test_without_settings(house: Light, book: Playbook) -> None:
    with house.incident(house.fresh()) as incident:
        one = Player(book, incident, None, actor="ann")
        one.say("real", outcome="yes")
        assert one.go_on()[1].words == "this step needs the settings of a containment (--config)"


def test_for_another_finding(house: Light) -> None:
    with (
        house.incident(house.fresh()) as incident,
        pytest.raises(PlaybookError, match="was opened on key-in-dump"),
    ):
        player(house, incident, find("hsm-counter-mismatch"))


def test_two_at_once(house: Light, book: Playbook) -> None:
    with house.incident(house.fresh()) as incident, incident.alone("play"), pytest.raises(BusyError):
        player(house, incident, book).go_on()


def test_a_proof_of_nobody(house: Light) -> None:
    """Relying parties that cannot be asked do not count as refusing."""
    with house.incident(house.fresh()) as incident:
        one = player(house, incident, find("key-left-the-room"))
        lines = {line.step.id: line for line in one.go_on()}
        assert lines["contain"].standing == "done"
        assert lines["refused"].standing == "failed"
        assert lines["refused"].words == "mail: cannot tell: nobody said how it is asked"
