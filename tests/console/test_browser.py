"""The console in a real Chromium: the keyboard, phones, the dark, news, and what axe-core finds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from servers import chromium
from servers.asgi import serving, spki
from servers.chromium import Chromium, Visitor
from servers.program import free_port
from servers.tls import Authority

from .world import HOST, ORIGIN, ConsoleWorld

PAGES = {
    "dumps": "/t/acme/dumps",
    "dumps that are not there": "/t/acme/dumps?q=none",
    "dump": "/t/acme/dumps/REL",
    "dump without a record": "/t/acme/dumps/SEALED",
    "keys": "/t/acme/keys",
    "key": "/t/acme/keys/KEY",
    "people": "/t/acme/people",
    "no page": "/t/acme/nothing",
}


@pytest.fixture(scope="module")
def running(console_world: ConsoleWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that finds the console."""
    pair, port = Authority(tmp_path_factory.mktemp("tls")).issue("page"), free_port()
    with serving(console_world.app(), pair, port), chromium.running({HOST: port}, spki(pair)) as made:
        yield made


@pytest.fixture
def browser(running: Chromium) -> Iterator[Chromium]:
    """The same; a test fails if the browser has complained (Content Security Policy, scripts)."""
    yield running
    assert running.complaints() == []


@pytest.fixture(scope="module")
def arrived(console_world: ConsoleWorld, running: Chromium) -> Callable[[str], Visitor]:
    """Somebody who has signed in, by the page; the same each time."""
    known: dict[str, Visitor] = {}

    def visitor(account: str) -> Visitor:
        if account not in known:
            known[account] = sign_in(running.visitor(console_world.key(account)), account)
        return known[account]

    return visitor


def sign_in(visitor: Visitor, account: str) -> Visitor:
    visitor.go(ORIGIN)
    visitor.fill(account=account)
    visitor.click("main form button")
    assert f"{account}: sign in, to look" in visitor.text()
    visitor.click("#sign button")
    return visitor


@pytest.fixture
def ada(browser: Chromium, arrived: Callable[[str], Visitor]) -> Iterator[Visitor]:
    visitor = arrived("prd-ada")
    yield visitor
    visitor.screen()
    visitor.scheme("light")


def place(world: ConsoleWorld, name: str) -> str:
    key = world.acme.registry.records()[0].thumbprint
    path = PAGES[name].replace("REL", world.acme.released[2].name).replace("KEY", key)
    return ORIGIN + path.replace("SEALED", world.acme.sealed_alone.digest)


def violations(visitor: Visitor, *rules: str) -> list[Any]:
    """Of axe-core; text in drawings apart, whose ground it cannot tell: :func:`test_text_in_drawings`."""
    return [one for one in visitor.violations(*rules) if not one[1].startswith("<text")]


def scrolls_sideways(visitor: Visitor) -> bool:
    return bool(visitor.run("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_signing_in_shows_the_first_page(ada: Visitor) -> None:
    ada.go(ORIGIN)
    assert ada.run("location.pathname") == "/t/acme/dumps"
    assert not ada.run("document.cookie")  # no script gets a cookie


def test_a_key_of_somebody_else(browser: Chromium) -> None:
    mallory = browser.visitor()
    mallory.go(ORIGIN)
    mallory.fill(account="prd-ada")
    mallory.click("main form button")
    mallory.run("document.querySelector('#sign button').click()")
    assert "did not sign: NotAllowedError" in mallory.wait("document.getElementById('trouble').textContent")
    mallory.go(ORIGIN)
    assert "Sign in" in mallory.text()
    browser.leave(mallory)


#: Pages that are looked at each time; the others, which have the same parts, with the drills.
EACH = ("dumps", "dump", "keys", "no page")
ALL = [pytest.param(name, marks=() if name in EACH else pytest.mark.drill) for name in PAGES]


@pytest.mark.parametrize("name", ALL)
def test_accessible_in_light_and_dark(console_world: ConsoleWorld, ada: Visitor, name: str) -> None:
    ada.go(place(console_world, name))
    assert violations(ada) == []
    ada.scheme("dark")
    ada.wait("document.getAnimations().length === 0")
    assert violations(ada, "color-contrast") == []


def test_axe_would_find_something(console_world: ConsoleWorld, ada: Visitor) -> None:
    ada.go(place(console_world, "dumps"))
    ada.run("document.querySelector('label').remove()")
    assert "label" in [rule for rule, _ in violations(ada)]


def test_signing_in_is_accessible(browser: Chromium) -> None:
    guest = browser.visitor()
    guest.go(ORIGIN)
    assert violations(guest) == []
    guest.fill(account="prd-grace")
    guest.click("main form button")
    assert violations(guest) == []
    guest.screen(360)
    assert not scrolls_sideways(guest)
    browser.leave(guest)


@pytest.mark.parametrize("name", ALL)
def test_on_a_phone(console_world: ConsoleWorld, ada: Visitor, name: str) -> None:
    """Nobody scrolls two ways: wide tables scroll by themselves."""
    ada.screen(360)
    ada.go(place(console_world, name))
    assert not scrolls_sideways(ada)
    assert violations(ada, "target-size", "scrollable-region-focusable") == []


CONTRAST = """(() => {
  const plain = (color) => { const made = document.createElement('canvas').getContext('2d');
    made.fillStyle = color; made.fillRect(0, 0, 1, 1);
    return [...made.getImageData(0, 0, 1, 1).data].slice(0, 3) };
  const light = (color) => { const [r, g, b] = plain(color).map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  return [...document.querySelectorAll('svg text')].map((one) => {
    const ground = getComputedStyle(one.closest('.panel')).backgroundColor;
    const [a, b] = [light(getComputedStyle(one).fill), light(ground)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) }) })()"""


def test_text_in_drawings(console_world: ConsoleWorld, ada: Visitor) -> None:
    """Its contrast (WCAG 2.2, 1.4.3), which axe-core cannot tell."""
    ada.go(place(console_world, "dump"))
    for scheme in ("light", "dark"):
        ada.scheme(scheme)
        found = ada.run(CONTRAST)
        assert len(found) == 6
        assert min(found) > 4.5


def test_by_keyboard(console_world: ConsoleWorld, ada: Visitor) -> None:
    """From the address bar to a dump: the skip link first, every stop is seen, and nothing is passed over."""
    ada.go(place(console_world, "dumps"))
    stops = []
    for _ in range(40):
        ada.press("Tab")
        assert ada.focus_is_seen() or ada.run("document.activeElement.matches('select, input')")
        stops.append(ada.focused())
        if stops[-1] == "signer[4700]":
            break
    else:
        raise AssertionError(stops)
    assert stops[0] == "Skip to content"
    wanted = ["Immure", "Sign out", "Dumps", "Keys", "People", "f-q", "f-state", "Show"]
    assert [one for one in stops if one in wanted] == wanted
    ada.leaving()
    ada.press("Enter")
    ada.arrived()
    assert ada.run("document.querySelector('h1').innerText") == "signer[4700]"


def test_skipping_to_the_content(console_world: ConsoleWorld, ada: Visitor) -> None:
    ada.go(place(console_world, "keys"))
    ada.press("Tab")
    ada.press("Enter")
    ada.wait("document.activeElement.id === 'main'")


def test_news_arrive_without_a_reload(console_world: ConsoleWorld, ada: Visitor) -> None:
    """What is open stays open, what has the focus keeps it."""
    ada.go(place(console_world, "dumps"))
    ada.wait("document.getElementById('live-state').textContent === 'Live'")
    ada.run("window.same = true; document.querySelector('tbody th a').focus()")
    records = console_world.acme.top / "records"
    original = next(records.glob("core.indexer*"))
    record = json.loads(original.read_text()) | {"id": None}
    record["crash"] |= {"comm": "newcomer", "time": "2026-11-01T00:00:00Z"}
    path = records / "core.newcomer.1.json"
    path.write_text(json.dumps(record))
    try:
        ada.wait("document.getElementById('content').innerText.includes('newcomer[4704]')")
        assert ada.run("window.same") is True
        assert ada.run("document.activeElement.matches('tbody th a')")
        assert re.match(
            r"New at \d\d:\d\d:\d\d UTC", ada.run("document.getElementById('live-state').textContent")
        )
    finally:
        path.unlink()
    ada.wait("!document.getElementById('content').innerText.includes('newcomer')")


def test_who_is_writing_is_not_disturbed(console_world: ConsoleWorld, ada: Visitor) -> None:
    ada.go(place(console_world, "dumps"))
    ada.wait("document.getElementById('live-state').textContent === 'Live'")
    ada.run("document.getElementById('f-q').focus()")
    ada.write("sig")
    path = console_world.acme.top / "records" / "core.disturbing.1.json"
    path.write_text("{}")
    try:
        ada.wait("document.getElementById('live-state').textContent.startsWith('New')")
        assert ada.run("document.getElementById('f-q').value") == "sig"
        assert ada.focused() == "f-q"
    finally:
        path.unlink()


def test_news_can_be_paused(console_world: ConsoleWorld, ada: Visitor) -> None:
    """WCAG 2.2, 2.2.2."""
    ada.go(place(console_world, "keys"))
    ada.wait("document.getElementById('live-state').textContent === 'Live'")
    ada.run("document.getElementById('live-switch').click()")
    assert ada.run("document.getElementById('live-state').textContent") == "Paused"
    assert ada.run("document.getElementById('live-switch').textContent") == "Go on live"


def test_filters(console_world: ConsoleWorld, ada: Visitor) -> None:
    ada.go(place(console_world, "dumps"))
    ada.run("document.getElementById('f-state').value = 'released'")
    ada.click("form.filter button")
    assert ada.run("location.search") == "?state=released"
    assert ada.run("document.querySelectorAll('tbody tr').length") == 1


def test_without_a_script(console_world: ConsoleWorld, ada: Visitor) -> None:
    ada.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        result = ada.call("Page.navigate", url=place(console_world, "dumps") + "?state=released")
        assert "errorText" not in result
        ada.wait("document.readyState === 'complete' && location.search === '?state=released'")
        assert ada.run("document.querySelectorAll('tbody tr').length") == 1
        assert ada.run("document.getElementById('live-switch').hidden")
    finally:
        ada.call("Emulation.setScriptExecutionDisabled", value=False)


def test_what_is_inline_is_not_obeyed(console_world: ConsoleWorld, running: Chromium, ada: Visitor) -> None:
    ada.go(place(console_world, "dumps"))
    shown = ada.run(
        """(() => { const made = document.createElement('style'); made.textContent = 'h1{display:none}';
        document.head.append(made); return getComputedStyle(document.querySelector('h1')).display })()"""
    )
    assert shown == "block"
    with pytest.raises(chromium.CannotError, match="TrustedHTML"):
        ada.run("document.querySelector('h1').innerHTML = '<b>x</b>'")
    assert running.complaints()  # it was said, and is told apart from the silence of the other tests


def test_nothing_comes_from_elsewhere(console_world: ConsoleWorld, running: Chromium, ada: Visitor) -> None:
    ada.run("1")
    running.events.clear()
    for name in ("dumps", "dump", "keys"):
        ada.go(place(console_world, name))
    asked = {
        event["params"]["request"]["url"]
        for event in running.events
        if event.get("method") == "Network.requestWillBeSent"
    }
    assert asked
    assert {re.match(r"[a-z]+://[^/]*", one)[0] for one in asked} == {ORIGIN}  # type: ignore[index]


def test_signing_out(console_world: ConsoleWorld, browser: Chromium) -> None:
    visitor = sign_in(browser.visitor(console_world.key("prd-grace")), "prd-grace")
    visitor.click("header form button")
    assert "Sign in" in visitor.text()
    visitor.go(place(console_world, "dumps"))
    assert "Sign in" in visitor.text()
    browser.leave(visitor)
