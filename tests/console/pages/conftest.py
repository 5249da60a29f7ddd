"""A console in which something has happened: tokens, incidents, requests, logs."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from access.rooms import RAM
from console.columns import acceptance, accepted
from console.world import ConsoleWorld, Visitor
from detections.turning import long_day, turn
from immure.auditlog import NoteKey
from immure.response.deadlines.rules import presets
from immure.response.deadlines.standing import begin
from immure.response.incident import Incident
from immure.response.steps import Steps
from response.house import make_key, opened

ACME = """
ledger = "acme/day/segments"
findings = "acme/detected"
incidents = "acme/incidents"
room = "room"
[tenants.acme.logs.gate]
directory = "acme/gate-log"
key = "acme/gate.vkey"
[tenants.acme.logs."the room"]
directory = "room/log"
"""
GLOBEX = """
accepted = "globex/accepted"
incidents = "globex/incidents"
"""


class LivedIn(ConsoleWorld):
    """A console with all pages; what tenant ``globex`` has is called so, and is not for ``acme``."""

    incident: Incident

    def __init__(self, top: Path) -> None:
        super().__init__(top, more={"acme": ACME, "globex": GLOBEX})
        long_day(top / "acme" / "day")
        self.outcome = turn(top / "acme" / "day", top / "acme" / "detected")
        signer = self.acme.log_signer
        (top / "acme" / "gate.vkey").write_text(NoteKey(signer.name, signer.public_key).to_vkey() + "\n")
        self.incident = self._incident(top / "acme")
        self._incident(top / "globex").add("fact", {"says": "globex is worried"}, actor="ann")
        accepted(
            top / "globex" / "accepted" / "1.parquet", [acceptance(n, sub="globex-user") for n in range(3)]
        )
        self.request = self.room.ask()
        ceremony = self.room.door.begin_break_glass(
            "prd-grace", resource="room:debug", actions=["enter"], reason="the mailer burns"
        )
        self.glass = self.room.sign(ceremony).id

    def _incident(self, top: Path) -> Incident:
        incident = opened(top / "incidents" / "inc-1", make_key(top))
        incident.add(
            "fact", {"says": "<script>alert(1)</script> left the room"}, actor="ann", source="mail log"
        )
        wrong = incident.add("fact", {"says": "it was April", "about": "when", "value": "April"}, actor="ann")
        incident.add("correction", {"says": "it was May"}, actor="ann", corrects=wrong.sequence)
        begin(incident, presets()["gdpr-33"], origin=0, since=None, actor="ann")
        Steps(incident, "ann").failed("publish", "rp-1", "no answer")
        (top / "incidents" / "broken" / "log").mkdir(parents=True)
        return incident


@pytest.fixture(scope="session")
def lived_in() -> Iterator[LivedIn]:
    """All of it, made once."""
    top = Path(tempfile.mkdtemp(prefix="immure-lived-", dir=RAM))
    world = LivedIn(top)
    yield world
    world.room.door.close()
    shutil.rmtree(top)


@pytest.fixture(scope="session")
def people(lived_in: LivedIn) -> Iterator[Callable[[str], Visitor]]:
    """People who have signed in, by account; "" is somebody who has not."""
    with lived_in.client() as client:
        known = {"": Visitor(lived_in, client)}

        def visitor(account: str) -> Visitor:
            if account not in known:
                known[account] = Visitor(lived_in, client).sign_in(account)
            return known[account]

        _until_counted(visitor("prd-edsger"))
        yield visitor


def _until_counted(visitor: Visitor) -> None:
    """The console counts when it starts, beside."""
    for _ in range(600):
        pages = [visitor.get(f"/t/{name}/tokens").text for name in ("acme", "globex")]
        if all("Over time" in one and "Counted –" not in one for one in pages):
            return
        time.sleep(0.1)
    raise AssertionError("nothing was counted in a minute")
