"""A room is founded in a real Chromium: its page, its script, and hardware keys that somebody vouches for.

The keys are those of ``access.authenticator``: nobody whom a policy can name vouches for Chromium's own.
They are put in the place of ``navigator.credentials.create``; for what is signed later Chromium's virtual
authenticator gets their credentials.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.authenticator import Authenticator
from access.rooms import RAM, World, policy_text
from access.web.conftest import Stage
from access.web.looks import enter, examine, tab_to
from access.web.test_founding import code_of
from immure.access import HardwareKey, Person
from immure.access.web.app import AccessApp
from servers.asgi import serving
from servers.chromium import Chromium, Visitor

HOST = "new.access.prod.example"
PLACE = f"https://{HOST}"
STAND_IN = """
navigator.credentials.create = () => new Promise((done) => {
  window.made = (response) => done({ toJSON: () => response });
});
"""


@pytest.fixture
def fresh(stage: Stage) -> Iterator[World]:
    """A room in which there is nobody, and its page."""
    text = policy_text(**{'origins = ["https://access.prod.example"]': f'origins = ["{PLACE}"]'})
    with tempfile.TemporaryDirectory(dir=RAM) as place:
        world = World(Path(place) / "room", text=text)
        with serving(AccessApp(world.door), stage.pair, stage.ports[HOST]):
            yield world
        world.door.close()


@pytest.fixture
def founder(browser: Chromium) -> Iterator[Visitor]:
    visitor = browser.visitor()
    visitor.screen(360)
    visitor.call("Page.addScriptToEvaluateOnNewDocument", source=STAND_IN)
    yield visitor
    browser.leave(visitor)


def register(visitor: Visitor, world: World, account: str) -> None:
    """Register a new key, from the page of the room on."""
    visitor.go(PLACE)
    visitor.click(f'a[href="/do/founding-key?account={account}"]')
    visitor.click("main form button")
    assert f"{account}: register a hardware key" in visitor.text()
    key = Authenticator(origin=PLACE)
    visitor.leaving()
    visitor.run("document.querySelector('#sign button').click()")
    visitor.wait("typeof window.made === 'function'")
    options = json.loads(visitor.run("document.getElementById('sign').dataset.options"))
    visitor.run(f"window.made({json.dumps(key.create(options))})")
    visitor.arrived()
    assert "register founding: founding" in visitor.text()
    world.keys.setdefault(account, []).append(key)


def test_a_room_is_founded(fresh: World, founder: Visitor) -> None:
    """By keyboard to the first founder; the others come by the library. All sign by the page."""
    for account in ("prd-grace", "prd-edsger"):
        fresh.door.name_founder(account, f"P-{account}", screening=record())
        for _ in range(2):
            fresh.register(account, key=Authenticator(origin=PLACE))
    founder.go(PLACE)
    examine(founder, "the set-up code")
    tab_to(founder, "code")
    founder.write(code_of(fresh))
    enter(founder)
    assert "missing: there are 2 founders; a request needs 3 people" in founder.text()
    tab_to(founder, "Name a founder")
    enter(founder)
    examine(founder, "the form of a founder")
    for name, value in {
        "account": "prd-ada", "person": "P-ada", "roles": "", "attester": "Example Screening Ltd",
        "level": "en", "screened": "11012026", "expires": "11012027", "reference": "case 1",
    }.items():  # fmt: skip
        tab_to(founder, name)
        founder.write(value)
    tab_to(founder, "Name this founder")
    enter(founder)
    assert "prd-ada: founder; register two hardware keys of theirs next" in founder.text()
    person = fresh.door.record(Person, "prd-ada")
    assert (person.level, person.expires.isoformat()) == ("enhanced", "2027-11-01T00:00:00+00:00")
    for _ in range(2):
        register(founder, fresh, "prd-ada")
    founder.go(PLACE)
    examine(founder, "founders")
    for account in ("prd-ada", "prd-grace", "prd-edsger"):
        founder.plug_in(fresh.keys[account][0].credentials.values())
        founder.go(f"{PLACE}/do/found?account={account}")
        founder.click("main form button")
        assert "prd-ada (P-ada), screened to enhanced" in founder.text()
        if account == "prd-ada":
            examine(founder, "what founders sign")
        founder.click("#sign button")
        assert "found founding: " in founder.text()
    assert fresh.door.open_for_requests
    assert len(fresh.door.records(HardwareKey, state="active")) == 6
    founder.go(PLACE)
    assert "Sign in" in founder.text()


def record() -> dict[str, str]:
    return {
        "attester": "Example Screening Ltd", "level": "enhanced", "screened": "2026-11-01T00:00:00Z",
        "expires": "2027-11-01T00:00:00Z", "reference": "case 2",
    }  # fmt: skip


def test_a_wrong_code(fresh: World, founder: Visitor) -> None:
    founder.go(PLACE)
    founder.fill(code="aaaa")
    founder.click("main form button")
    assert "this is not the set-up code of this room" in founder.run("document.activeElement.innerText")
    examine(founder, "a wrong code")
