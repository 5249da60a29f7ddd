"""From an incident that is opened to the last relying party that refuses the key, with all parts real."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.response.containment.running import ACTIONS
from immure.response.events.kinds import ISSUER_KEY_COMPROMISE
from response.containment.house import Contained, contained, immure


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Contained]:
    with contained(tmp_path, dovecot=True) as running:
        yield running


def test_by_the_command_line(house: Contained) -> None:
    """A first list beforehand, opened, planned, contained, proved; a second time changes nothing."""
    immure("respond", "contain", "--first-list", "-c", house.config)
    first = house.list_at("calendar")
    assert first is not None
    kid, tokens = house.signs(), {"mail": house.token(), "calendar": house.token("agenda")}
    assert all(house.takes(party, token) for party, token in tokens.items())
    folder = house.directory / "incident"
    who = ("--by", "ann", "--key", house.key)
    found = ("--kind", "key-in-dump", "--kid", kid, "--issuer", house.issuer, "--summary", "in app.core")
    begun = time.monotonic()
    immure("respond", "open", folder, *found, *who)
    plan = immure("respond", "contain", folder, "-c", house.config, "--dry-run")
    assert [line.split()[1] for line in plan.splitlines() if " mail" in line][:2] == ["witness", "push"]
    assert house.states() == {kid: "active"}
    contain = ("respond", "contain", folder, "-c", house.config, *who)
    printed = immure(*contain)
    assert {line.split()[1] for line in printed.splitlines()} == {one.name for one in ACTIONS}
    proof = json.loads(immure("respond", "prove", folder, "-c", house.config, *who, "--format", "json"))
    seconds = time.monotonic() - begun
    assert proof["holding"] == []
    assert {one["party"]: one["verdict"] for one in proof["relying_parties"]} == {
        "mail": "refuses",
        "calendar": "refuses",
        "dovecot": "refuses",
    }
    assert proof["relying_parties"][0]["logged"]["refused_since"] >= 1
    assert seconds < 30  # whatever else the machine does: benchmarks/containment.py has the bar
    assert house.states()[kid] == "compromised"
    assert kid not in house.jwks()
    assert house.signs() != kid
    assert not any(house.takes(party, token) for party, token in tokens.items())
    assert house.takes("mail", house.token())
    assert house.takes("calendar", house.token("agenda"))
    kinds = [next(iter(one["events"])) for one in house.receiver.taken.values()]
    assert kinds == [ISSUER_KEY_COMPROMISE]
    assert not list((folder / "work" / "witness").iterdir())  # they are not needed any more
    # again: all was done, and what was seen counts
    proof = json.loads(immure("respond", "prove", folder, "-c", house.config, *who, "--format", "json"))
    assert {one["why"] for one in proof["relying_parties"]} == {
        "it was seen to refuse a token of the key, which is deleted since"
    }
    again = json.loads(immure(*contain, "--format", "json"))
    assert again["done"]
    assert {one["words"] for one in again["steps"]} == {"was done"}
    assert len(house.receiver.bodies) == 1
    sequences = {house.list_at("mail"), house.list_at("calendar")}
    assert len(sequences) == 1
    assert sequences.pop() > first
    assert "holds        timeline" in immure("respond", "verify", folder, code=3)  # 3: no key was given
