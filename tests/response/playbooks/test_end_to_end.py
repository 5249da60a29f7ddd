"""Each playbook to its end, with the real signing service, Dovecot and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from immure.response.incident import Incident
from immure.response.playbooks.playbook import find
from immure.response.playbooks.playing import Player
from response.containment.house import Contained, contained, immure
from servers.postgres import running as postgres

#: Playbook, kind of finding, what people say (step and outcome), and whether the key is stopped.
PLAYS: list[tuple[str, str, str, bool]] = [
    ("key-stayed-in-the-room", "key-in-dump", "seal left=no why", True),
    ("key-left-the-room", "key-in-dump", "holders evidence radius tell advisory", True),
    ("forged-token-seen", "forged-token", "real=forged where radius tell", True),
    ("forged-token-seen", "forged-token", "real=ledger gap", False),
    ("hsm-counter-mismatch", "hsm-counter", "again=more access radius", True),
    ("hsm-counter-mismatch", "hsm-counter", "again=explained explain", False),
    ("strangers-report", "report", "answer shown=yes radius thank", True),
    ("relying-party-misconfigured", "relying-party", "shut probed=clean used=yes key=yes tell", True),
    ("relying-party-misconfigured", "relying-party", "shut probed=clean used=no tell", False),
]
ROLES = ("responder", "communicator", "approver")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    with postgres() as server:
        places = {name: server.url() for name in ("registry", "state", "ledger")}
        with contained(tmp_path_factory.mktemp("plays"), dovecot=True, places=places) as running:
            yield running


@pytest.mark.drill
@pytest.mark.parametrize("number", range(len(PLAYS)), ids=[f"{one[0]} {one[2]}" for one in PLAYS])
def test_to_its_end(house: Contained, number: int) -> None:
    name, kind, said, stopped = PLAYS[number]
    kid, token = house.signs(), house.token()
    folder = house.open(f"incident-{number}", kind=kind)
    who = ("--by", "ann", "--key", house.key)
    with house.incident(folder) as incident:
        for role in ROLES:
            incident.grant_role(role, "ann", actor="ann")
        player = Player(find(name), incident, house.settings, actor="ann")
        player.go_on()
        for step, _, outcome in (word.partition("=") for word in said.split()):
            player.say(step, outcome=outcome)
            player.go_on()
    go = ("respond", "play", name, folder, "-c", house.config, "--go", *who)
    rows = json.loads(immure(*go, "--format", "json"))["steps"]
    assert {one["standing"] for one in rows} <= {"done", "passed over"}
    assert len(rows) == len(find(name).steps)
    assert house.takes("mail", token) is not stopped
    assert (house.states()[kid] == "compromised") is stopped
    proofs = [one for one in Incident.load(folder).entries() if "proof" in one.body]
    assert bool(proofs) is stopped
