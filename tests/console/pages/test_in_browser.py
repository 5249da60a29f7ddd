"""Pages of tokens, incidents, access and logs in a real Chromium: axe-core, phones, dark, the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from console.pages.conftest import LivedIn
from console.test_browser import CONTRAST, scrolls_sideways, sign_in, violations
from console.world import HOST, ORIGIN
from servers import chromium
from servers.asgi import serving, spki
from servers.chromium import Chromium, Visitor
from servers.program import free_port
from servers.tls import Authority

SPAN = "begin=2026-11-01T00:00:00Z&end=2026-11-01T07:00:00Z"
PAGES = {
    "tokens": "tokens",
    "no tokens": "tokens?end=2020-01-01T00:00:00Z",
    "tokens of a span": f"tokens/span?{SPAN}",
    "incidents": "incidents",
    "incident": "incidents/inc-1",
    "access": "access?grants=all",
    "logs": "logs",
}


@pytest.fixture(scope="module")
def running(lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that finds the console."""
    pair, port = Authority(tmp_path_factory.mktemp("tls")).issue("page"), free_port()
    with serving(lived_in.app(), pair, port), chromium.running({HOST: port}, spki(pair)) as made:
        yield made


@pytest.fixture(scope="module")
def arrived(lived_in: LivedIn, running: Chromium, people: Callable[[str], object]) -> Visitor:
    """Somebody who has signed in at a console that has counted."""
    people("")
    return sign_in(running.visitor(lived_in.key("prd-ada")), "prd-ada")


@pytest.fixture
def ada(running: Chromium, arrived: Visitor) -> Iterator[Visitor]:
    """The same; a test fails if the browser has complained (Content Security Policy, scripts)."""
    yield arrived
    arrived.screen()
    arrived.scheme("light")
    assert running.complaints() == []


def place(name: str) -> str:
    return f"{ORIGIN}/t/acme/{PAGES.get(name, name)}"


@pytest.mark.parametrize("name", PAGES)
def test_accessible_in_light_and_dark(ada: Visitor, name: str) -> None:
    ada.go(place(name))
    ada.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert violations(ada) == []
    ada.scheme("dark")
    ada.wait("document.getAnimations().length === 0")
    assert violations(ada, "color-contrast") == []


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone(ada: Visitor, name: str) -> None:
    ada.screen(360)
    ada.go(place(name))
    ada.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert not scrolls_sideways(ada)
    assert violations(ada, "target-size", "scrollable-region-focusable") == []


def test_a_plot_can_be_read_on_a_phone(ada: Visitor) -> None:
    """Its words are as high as small print at least: it scrolls by itself."""
    ada.screen(360)
    ada.go(place("tokens"))
    words = "document.querySelector('svg.plot text').getBoundingClientRect().height"
    assert ada.run(words) >= 9


def test_text_in_plots(ada: Visitor) -> None:
    """Its contrast (WCAG 2.2, 1.4.3), which axe-core cannot tell."""
    ada.go(place("tokens"))
    for scheme in ("light", "dark"):
        ada.scheme(scheme)
        found = ada.run(CONTRAST.replace("'.panel'", "'.scroll'"))
        assert len(found) > 10
        assert min(found) > 4.5


def test_from_a_bar_to_its_rows(ada: Visitor) -> None:
    ada.go(place("tokens"))
    bar = "[...document.querySelectorAll('svg a')].find((one) => / [1-9][0-9]* forged/.test(one.ariaLabel))"
    assert ada.run(f"{bar}.tabIndex") == -1
    ada.leaving()
    ada.run(f"{bar}.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))")
    ada.arrived()
    assert ada.run("location.pathname") == "/t/acme/tokens/span"
    assert "Forged (1)" in ada.text()


def test_from_the_table_to_its_rows_by_keyboard(ada: Visitor) -> None:
    ada.go(place("tokens"))
    ada.run("document.querySelector('summary').focus()")
    ada.press("Enter")
    ada.wait("document.querySelector('details').open")
    for _ in range(4):
        ada.press("Tab")
        if ada.run("document.activeElement.matches('details th a')"):
            break
    assert ada.focus_is_seen()
    ada.leaving()
    ada.press("Enter")
    ada.arrived()
    assert ada.run("document.querySelector('h1').innerText") == "Tokens accepted"


def test_a_log_is_verified(ada: Visitor) -> None:
    ada.go(place("logs"))
    ada.click("form[action$='/verify'] button")
    ada.wait("document.getElementById('content').innerText.includes('VERIFIED')")


def test_an_entry_arrives_without_a_reload(ada: Visitor, lived_in: LivedIn) -> None:
    ada.go(place("incident"))
    ada.wait("document.getElementById('live-state').textContent === 'Live'")
    lived_in.incident.add("fact", {"says": "the browser sees it"}, actor="ann")
    ada.wait("document.getElementById('content').innerText.includes('the browser sees it')")
