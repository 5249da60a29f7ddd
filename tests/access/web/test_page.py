"""The page of a room in a real Chromium, with its virtual authenticator: every path of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from access.rooms import World
from access.web.client import ORIGIN
from access.web.conftest import Stage, signed_in
from immure.access import Grant, HardwareKey
from immure.access.records import Request, Session
from servers.asgi import serving
from servers.chromium import Chromium, Visitor

Person = Callable[[str], Visitor]


def ask(ada: Visitor, **changes: str) -> str:
    ada.go(f"{ORIGIN}/do/request")
    ada.fill(
        **{
            "resource": "room:debug",
            "actions": "enter",
            "purpose": "crash of the mailer",
            "ticket": "INC-12",
            "hours": "2",
            **changes,
        }
    )
    ada.click("main form button")
    ada.click("#sign button")
    found = re.search(r"request ([a-z2-7]{16}): open", ada.text())
    assert found, ada.text()
    return found[1]


def approve(visitor: Visitor, request: str) -> str:
    visitor.go(ORIGIN)
    visitor.click(f'form[action="/do/approve"]:has(input[value="{request}"]) button')
    words = visitor.text()
    visitor.click("#sign button")
    return words


def test_one_asks_and_two_approve(person: Person, served: World) -> None:
    request = ask(person("prd-ada"))
    words = approve(person("prd-grace"), request)
    for line in (
        "prd-grace: APPROVE",
        "what: room:debug",
        "to do: enter",
        "because: crash of the mailer",
        "for: 2 hours",
        "asked by: prd-ada (P-ada)",
        f"request: {request}",
    ):
        assert line in words
    assert served.door.record(Request, request).state == "open"
    edsger = person("prd-edsger")
    approve(edsger, request)
    assert f"approve {request}: done" in edsger.text()
    grant = served.door.live_grant("room:debug", "enter", account="prd-ada")
    assert grant.id == request
    assert set(grant.approvers) == {"prd-grace", "prd-edsger"}


def test_nobody_approves_themselves(person: Person, served: World) -> None:
    ada = person("prd-ada")
    request = ask(ada)
    ada.go(ORIGIN)
    ada.click(f'form[action="/do/approve"]:has(input[value="{request}"]) button')
    assert "rule: self" in ada.text()
    assert ada.run("document.querySelector('[role=alert]').innerText")
    assert not ada.run("document.getElementById('sign')")


def test_what_the_policy_does_not_allow_is_shown(person: Person) -> None:
    """Above the form, which still says what it said; and it has the focus."""
    ada = person("prd-ada")
    ada.go(f"{ORIGIN}/do/request")
    ada.fill(resource="room:debug", actions="enter", purpose="crash of\nthe mailer", ticket="12", hours="2")
    ada.click("main form button")
    assert "rule: ticket" in ada.run("document.activeElement.innerText")
    assert ada.run("document.title") == "Not done: Ask for a grant - production room"
    kept = ada.run("[...document.querySelectorAll('main form .code, main [id]')].map((one) => one.value)")
    assert [one for one in kept if one] == ["room:debug", "enter", "crash of\nthe mailer", "12", "2"]
    ada.fill(ticket="INC-12")
    ada.click("main form button")
    assert "because: crash of" in ada.text()


def test_a_key_of_somebody_else_signs_nothing(stranger: Visitor) -> None:
    stranger.go(ORIGIN)
    stranger.fill(account="prd-ada")
    stranger.click("main form button")
    stranger.run("document.querySelector('#sign button').click()")
    assert "did not sign: NotAllowedError" in stranger.wait("document.getElementById('trouble').textContent")
    stranger.go(ORIGIN)
    assert "Sign in" in stranger.text()


def test_chromiums_own_authenticator_is_not_registered(
    person: Person, stranger: Visitor, served: World
) -> None:
    """What vouches for it is a certificate that Chromium makes, of no model that a policy knows."""
    ada = person("prd-ada")
    ada.go(f"{ORIGIN}/do/key")
    ada.fill(account="prd-ada")
    ada.click("main form button")
    ada.click("#sign button")
    found = re.search(r"request ([a-z2-7]{16}): keys", ada.text())
    assert found, ada.text()
    stranger.go(f"{ORIGIN}/do/register?account=prd-ada&request={found[1]}")
    stranger.click("main form button")
    assert "register a hardware key" in stranger.text()
    stranger.click("#sign button")
    assert "rule: attestation-aaguid" in stranger.text()
    assert not served.door.records(HardwareKey, about="prd-ada", state="proposed")


def test_glass_is_broken_and_reviewed(person: Person, served: World) -> None:
    barbara = person("prd-barbara")
    barbara.go(f"{ORIGIN}/do/break-glass")
    barbara.fill(resource="room:debug", actions="enter", reason="signing is down, nobody answers")
    barbara.click("main form button")
    assert "BREAK THE GLASS" in barbara.text()
    barbara.click("#sign button")
    assert "not heard: http://127.0.0.1:9/alarm" in barbara.text()
    grant = served.door.live_grant("room:debug", "enter", account="prd-barbara")
    assert grant.glass
    grace = person("prd-grace")
    assert "nobody has reviewed it" in grace.text()
    grace.click(f'a[href="/do/review?grant={grant.id}"]')
    grace.fill(reason="signing was down indeed")
    grace.click("main form button")
    grace.click("#sign button")
    assert f"review {grant.id}: justified" in grace.text()
    grace.go(f"{ORIGIN}/do/revoke?grant={grant.id}")
    grace.fill(reason="it is over now")
    grace.click("main form button")
    grace.click("#sign button")
    assert served.door.record(Grant, grant.id).state == "revoked"


def test_signing_out(browser: Chromium, served: World) -> None:
    barbara = signed_in(browser, served, "prd-barbara")
    barbara.click("header form button")
    assert "Sign in" in barbara.text()
    browser.leave(barbara)
    ended = [one for one in served.door.records(Session) if one.state == "ended"]
    assert {one.account for one in ended} >= {"prd-barbara"}


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(person: Person, browser: Chromium) -> None:
    ada = person("prd-ada")
    ada.go(f"{ORIGIN}/do/request")
    requested = {
        event["params"]["request"]["url"]
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    }
    assert {re.match(r"[a-z]+://[^/]*", one)[0] for one in requested if one != "about:blank"} == {ORIGIN}  # type: ignore[index]
    assert not ada.run("document.cookie")  # no script gets a cookie
    assert browser.complaints() == []
    blocked = ada.run(
        """(() => { const made = document.createElement('style'); made.textContent = 'h1{display:none}';
        document.head.append(made); return getComputedStyle(document.querySelector('h1')).display })()"""
    )
    assert blocked == "block"
    assert any("Content Security Policy" in one for one in browser.complaints())  # it would be seen


EVIL = """<!doctype html><title>evil</title>
<iframe id="framed" src="https://access.prod.example/do/request"></iframe>
<form id="own" method="post" action="https://access.prod.example/do/request">
<input name="resource" value="room:debug"><input name="token" value="x"></form>"""


def test_a_page_of_somebody_else(person: Person, browser: Chromium, stage: Stage) -> None:
    """It can put ours in no frame, and its form is not taken, also if it is sent by who has signed in."""
    with serving(_evil, stage.pair, stage.ports["evil.example"]):
        ada = person("prd-ada")
        ada.go("https://evil.example")
        refused = [one for one in browser.complaints() if "frame" in one]
        assert refused, "the browser has not said that it shows no frame"
        ada.leaving()
        ada.run("document.getElementById('own').submit()")
        ada.arrived()
        assert "this form was not sent by this page" in ada.text()
        assert "sign this" not in ada.text()


async def _evil(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    fields = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": EVIL.encode()})
