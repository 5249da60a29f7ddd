"""Every form of the page in a real Chromium, on a phone 360 pixels wide, by keyboard alone: from the top of
the page to what the hardware key will sign. On the way axe-core looks at it, by day and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from access.rooms import World
from access.web.client import ORIGIN
from access.web.conftest import Stage, Things, counted, signed_in
from access.web.looks import enter, examine, tab_to
from access.web.machines import certificate, field_of, pem
from immure.access.web.deeds import DEEDS
from immure.access.web.forms import Field
from servers.axe import violations
from servers.chromium import Chromium, Visitor

SCREENING = {
    "attester": "Example Screening Ltd", "level": "enhanced", "reference": "case 80",
    "screened": "2026-11-29", "expires": "2028-11-29",
}  # fmt: skip
ASK = {"resource": "room:debug", "actions": "enter", "hours": "2"}
#: What is typed; ``{}`` are members of the room's things.
FORMS: dict[str, dict[str, str]] = {
    "request": {**ASK, "purpose": "the mailer\ncrashes", "ticket": "INC-12"},
    "approve": {"request": "{request}"},
    "deny": {"request": "{request}"},
    "break-glass": {**ASK, "reason": "nobody answers", "hours": "1"},
    "review": {"grant": "{glass}", "verdict": "not-justified", "reason": "somebody did answer"},
    "revoke": {"grant": "{grant}", "reason": "left the building"},
    "close": {"grant": "{grant}"},
    "enter": {"grant": "{grant}"},
    "enrol": {**SCREENING, "account": "prd-alan", "person": "P-alan", "roles": "on-call"},
    "screening": {**SCREENING, "account": "prd-grace"},
    "key": {"account": "prd-grace"},
    "register": {"account": "prd-ada", "request": "{waiting}"},
    "lost-key": {"credential": "{key}", "since": "2026-11-29", "time": "21:30"},
    "workstation": {"account": "prd-grace", "certificate": "{pem}", "evidence": ""},
    "retire": {"workstation": "{machine}", "reason": "laptop was lost"},
    "suspend": {"account": "prd-grace", "reason": "laptop was lost"},
    "leave": {"account": "prd-grace", "reason": "has a new job"},
    "reinstate": {"account": "prd-gone", "reason": "is back again"},
    "policy": {"text": "{policy}"},
}


#: Forms that are looked at in the dark too: all kinds of fields are in them.
DARK = ("request", "review", "screening", "lost-key", "policy")


@pytest.fixture(scope="module")
def phone(furnished: tuple[World, Things], stage: Stage) -> Iterator[Visitor]:
    """Ada on her phone."""
    visitor = signed_in(stage.browser, furnished[0], "prd-ada", 1)
    visitor.screen(360)
    yield visitor
    stage.browser.leave(visitor)


def typed(visitor: Visitor, field: Field, value: str) -> None:
    """Type into the field that has the focus, as people do."""
    if field.kind == "code":  # a policy stands there already
        visitor.run("document.activeElement.select()")
        visitor.paste(value)
    elif field.kind in ("choice", "level"):
        visitor.write(value[:2])
    elif field.kind == "date":
        visitor.write(date.fromisoformat(value).strftime("%m%d%Y"))
    elif field.kind == "time":
        hour, minute = value.split(":")
        visitor.write(f"{int(hour) % 12 or 12:02}{minute}{'PM' if int(hour) > 11 else 'AM'}")
    elif field.value:
        visitor.run("document.activeElement.select()")
        visitor.write(value)
    else:
        visitor.write(value)


@pytest.mark.parametrize("deed", FORMS)
def test_a_form(phone: Visitor, furnished: tuple[World, Things], browser: Chromium, deed: str) -> None:
    world, things = furnished
    known = {
        "request": things.request, "waiting": things.waiting, "grant": things.grant, "glass": things.glass,
        "key": things.key, "pem": pem(certificate()), "machine": things.machine_id, "policy": world.text,
    }  # fmt: skip
    field_name = {"Client-Cert": field_of(things.machine)} if deed == "enter" else {}
    phone.call("Network.setExtraHTTPHeaders", headers=field_name)
    phone.go(f"{ORIGIN}/do/{deed}")
    examine(phone, deed, dark=deed in DARK)
    given = {name: value.format(**known) for name, value in FORMS[deed].items()}
    assert set(given) == {field.name for field in DEEDS[deed].fields}
    for field in DEEDS[deed].fields:
        way = tab_to(phone, field.name)
        assert not set(way) & {other.name for other in DEEDS[deed].fields} - {before(deed, field)}, way
        typed(phone, field, given[field.name])
        assert phone.run("document.activeElement.value") == given[field.name]
    tab_to(phone, "Go on: read what you will sign")
    enter(phone)
    assert phone.run("document.getElementById('sign') !== null"), phone.text()
    if deed in ("approve", "policy", "register"):  # the others have a line more or less
        examine(phone, f"what is signed for {deed}")
    tab_to(phone, "Sign with your hardware key")


def before(deed: str, field: Field) -> str:
    """The field before: a date has places of its own, at which the focus is still in it."""
    names = [one.name for one in DEEDS[deed].fields]
    at = names.index(field.name)
    return names[at - 1] if at else ""


def test_all_kinds_of_fields_are_seen_in_the_dark() -> None:
    kinds = {field.kind for deed in DEEDS.values() for field in deed.fields}
    assert kinds == {field.kind for deed in DARK for field in DEEDS[deed].fields}


def test_forms_are_all_here() -> None:
    alone = {"sign-in", "founding-key", "found"}  # below, and in test_founding_by_browser.py
    assert set(FORMS) | alone == set(DEEDS)


def test_signing_in_and_out(browser: Chromium, served: World) -> None:
    """To the end: the hardware key signs, and back out."""
    visitor = browser.visitor(counted(served, "prd-grace", 1))
    visitor.screen(360)
    visitor.go(ORIGIN)
    examine(visitor, "sign in")
    assert tab_to(visitor, "account") == []
    visitor.write("prd-grace")
    enter(visitor)
    tab_to(visitor, "Sign with your hardware key")
    enter(visitor)
    assert "prd-grace" in visitor.text()
    visitor.press("Tab")
    assert visitor.focused() == "To what this page is about"
    visitor.press("Enter")
    visitor.press("Tab")
    assert visitor.focused() == "Ask for a grant"  # what is above it was left out
    visitor.press("Tab", shift=True)
    assert visitor.focused() == "Sign out"
    enter(visitor)
    assert "Sign in" in visitor.text()
    browser.leave(visitor)


def test_the_label_is_missed_if_it_is_not_there(stranger: Visitor) -> None:
    """That axe-core finds nothing means something."""
    stranger.go(ORIGIN)
    stranger.run("document.querySelector('label').remove()")
    assert "label" in [rule for rule, _ in violations(stranger)]
    stranger.go(ORIGIN)
    stranger.run("document.styleSheets[0].insertRule('h1 { color: #888; background: #777; width: 120vw }')")
    assert "color-contrast" in [rule for rule, _ in violations(stranger, "color-contrast")]
    assert stranger.too_wide()


NO_TICKET = """version = 1
[[test]]
name = "x"
resource = "room:debug"
actions = ["enter"]
expect = "allow"
"""
PLACES = {
    "the room": "/",
    "people": "/people",
    "a person": "/person?account=prd-ada",
    "somebody suspended": "/person?account=prd-gone",
    "workstations": "/workstations",
    "the policy": "/policy",
    "no page": "/nothing",
    "no person": "/person?account=prd-nobody",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_page(phone: Visitor, browser: Chromium, place: str) -> None:
    phone.call("Network.setExtraHTTPHeaders", headers={})
    phone.go(ORIGIN + PLACES[place])
    examine(phone, place)
    if place == "the room":  # on a wide screen too
        phone.screen()
        examine(phone, "the room, wide")
        phone.screen(360)


def test_pages_that_come_of_forms(phone: Visitor, browser: Chromium, served: World) -> None:
    phone.go(f"{ORIGIN}/policy")
    phone.fill(tests="version = 1\n")
    phone.click("main form button")
    examine(phone, "tests that cannot be run")
    phone.fill(tests=NO_TICKET)
    phone.click("main form button")
    assert "0 of 1 tests passed" in phone.text()
    examine(phone, "tests of a policy")
    phone.go(f"{ORIGIN}/do/screening?account=prd-nobody")
    phone.fill(**SCREENING)
    phone.click("main form button")
    assert "rule: account" in phone.run("document.activeElement.innerText")
    examine(phone, "a form that was refused")
    phone.go(f"{ORIGIN}/do/key?account=prd-barbara")
    phone.click("main form button")
    phone.click("#sign button")
    assert phone.run("document.getElementById('done') !== null")
    examine(phone, "done")
