"""Who may do what on the page: each deed for each kind of person, as the documentation has it.

``yes`` means that the deed begins and a hardware key is asked for; else the name of the rule that says no.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from access.authenticator import der
from access.rooms import RAM, World
from access.web.client import ASK, HEADER, Client
from access.web.machines import certificate, digest, field_of, pem
from access.web.test_people import RECORD
from docs.blocks import ROOT
from immure.access import HardwareKey
from immure.access.web.deeds import DEEDS

#: The columns: who is there, and with which account.
ROLES = {
    "nobody": "",
    "whose it is": "prd-ada",
    "another": "prd-grace",
    "screened lower": "prd-basic",
    "run out": "prd-runout",
    "suspended": "prd-gone",
}
#: Whose it is, if it is not Ada's.
OWNERS = {"review": "prd-barbara"}
SAME = ("session", "yes", "yes", "yes", "screening", "session")
#: What each role is answered, in the order of the columns.
TABLE: dict[str, tuple[str, ...]] = {
    "sign-in": ("yes", "yes", "yes", "yes", "screening", "person"),
    "register": ("yes", "yes", "yes", "yes", "yes", "yes"),
    "founding-key": ("founding",) * 6,
    "found": ("founding",) * 6,
    "request": ("session", "yes", "yes", "level", "screening", "session"),
    "approve": ("session", "self", "yes", "level", "screening", "session"),
    "deny": SAME,
    "break-glass": ("session", "yes", "yes", "level", "screening", "session"),
    "review": ("session", "self", "yes", "yes", "screening", "session"),
    "revoke": SAME,
    "close": ("session", "yes", "person", "person", "screening", "session"),
    "enter": ("session", "yes", "person", "workstation", "screening", "session"),
    "enrol": SAME,
    "screening": SAME,
    "key": SAME,
    "lost-key": SAME,
    "workstation": SAME,
    "retire": SAME,
    "suspend": SAME,
    "leave": SAME,
    "reinstate": SAME,
    "policy": SAME,
}


@dataclass
class Scene:
    """A room in which everything is there that a deed can be about; those who have signed in; their forms."""

    world: World
    clients: dict[str, Client]
    forms: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(dir=RAM) as place:
        world = World(Path(place) / "room")
        world.founder("prd-basic", "P-basic", screening={"level": "basic"})
        world.founder("prd-runout", "P-runout", screening={"expires": "2026-11-30T09:30:00Z"})
        world.found("ada", "grace", "edsger", "barbara", "gone", "away")
        yield made(world)
        world.door.close()


def made(world: World) -> Scene:
    machines = {account: certificate() for account in ("prd-ada", "prd-grace")}
    for account, one in machines.items():
        asking = world.door.request_workstation(account, holder=account, certificate=der(one))
        request = world.sign(asking).id
        for approver in ("prd-edsger", "prd-barbara"):
            world.approve(request, approver)
    request, grant = world.ask(), world.granted()
    glass = world.sign(
        world.door.begin_break_glass(
            "prd-barbara", resource="room:debug", actions=["enter"], reason="nobody answers", hours=1
        )
    ).id
    waiting = world.sign(world.door.begin_request("prd-edsger", "key", {"account": "prd-ada"})).id
    key = world.door.records(HardwareKey, about="prd-edsger")[0].id
    world.sign(world.door.begin_suspension("prd-edsger", "prd-away", "is away for long"))
    clients = {"": Client(world, header=HEADER)}
    for account in [*list(ROLES.values())[1:], "prd-barbara"]:
        clients[account] = Client(world, header=HEADER)
        if account in machines:
            clients[account].fields["client-cert"] = field_of(machines[account])
        clients[account].sign_in(account)
    world.sign(world.door.begin_suspension("prd-edsger", "prd-gone", "laptop stolen"))
    world.clock.pass_(minutes=40)
    whose = {"account": "prd-edsger", "reason": "laptop was lost"}
    forms = {
        "register": {"account": "prd-ada", "request": waiting},
        "founding-key": {"account": "prd-ada"},
        "found": {"account": "prd-ada"},
        "request": ASK,
        "approve": {"request": request},
        "deny": {"request": request},
        "break-glass": {**ASK, "reason": "nobody answers", "hours": "1"},
        "review": {"grant": glass, "verdict": "justified", "reason": "nobody answered"},
        "revoke": {"grant": grant, "reason": "left the building"},
        "close": {"grant": grant},
        "enter": {"grant": grant},
        "enrol": {**RECORD, "account": "prd-alan", "person": "P-alan", "roles": ""},
        "screening": {**RECORD, "account": "prd-edsger"},
        "key": {"account": "prd-edsger"},
        "lost-key": {"credential": key, "since": "2026-11-29", "time": ""},
        "workstation": {"account": "prd-edsger", "certificate": pem(certificate())},
        "retire": {"workstation": digest(machines["prd-ada"]), "reason": "laptop was lost"},
        "suspend": whose,
        "leave": whose,
        "reinstate": {"account": "prd-away", "reason": "is back again"},
        "policy": {"text": world.text.replace("hours = 8", "hours = 4")},
    }
    return Scene(world, clients, forms)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("deed", TABLE)
def test_who_may_do_what(scene: Scene, deed: str, role: str) -> None:
    account = ROLES[role]
    if role == "whose it is":
        account = OWNERS.get(deed, account)
    form = scene.forms.get(deed, {"account": account or "prd-ada"})
    entries = len(scene.world.door.log)
    answer = scene.clients[account].post(f"/do/{deed}", **form)
    found = re.search(r"rule: ([a-z-]+)", answer.text)
    told = found[1] if found else "yes" if 'id="sign"' in answer.text else answer.text
    assert told == TABLE[deed][list(ROLES).index(role)]
    assert answer.status_code == (200 if told == "yes" else 403)
    assert len(scene.world.door.log) == entries


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(DEEDS)
    assert all(len(row) == len(ROLES) for row in TABLE.values())


def test_the_documentation_has_the_same_table() -> None:
    page = (ROOT / "docs" / "reference" / "access-server.md").read_text(encoding="utf-8")
    head = "| deed | " + " | ".join(ROLES) + " |"
    assert head in page
    lines = page[page.index(head) :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    assert {row[0]: tuple(row[1:]) for row in rows} == TABLE
