"""One browser, and one room with its page, for all tests of a session; each begins what it looks at."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from access.authenticator import Authenticator, b64, der
from access.rooms import RAM, World
from access.web.client import HEADER, ORIGIN
from access.web.machines import certificate, digest
from immure.access import HardwareKey
from immure.access.web.app import AccessApp
from servers import chromium
from servers.asgi import serving, spki
from servers.chromium import Chromium, Visitor
from servers.program import free_ports
from servers.tls import Authority, Pair

#: Hosts of the session's browser: the page, that of a room without founders, and a stranger's.
HOSTS = ("access.prod.example", "new.access.prod.example", "evil.example")


class Stage:
    """The session's browser, its certificate, and the ports at which it finds its hosts."""

    def __init__(self, browser: Chromium, pair: Pair, ports: dict[str, int]) -> None:
        self.browser, self.pair, self.ports = browser, pair, ports


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    pair = Authority(tmp_path_factory.mktemp("tls")).issue("page")
    ports = dict(zip(HOSTS, free_ports(len(HOSTS)), strict=True))
    with chromium.running(ports, spki(pair)) as browser:
        yield Stage(browser, pair, ports)


@pytest.fixture(scope="session")
def furnished(stage: Stage) -> Iterator[tuple[World, Things]]:
    """A room in which there is something of everything; its page is served at ORIGIN."""
    with tempfile.TemporaryDirectory(dir=RAM) as place:
        world = World(Path(place) / "room").found("ada", "grace", "edsger", "barbara", "gone")
        things = furnish(world)
        with serving(AccessApp(world.door, header=HEADER), stage.pair, stage.ports[HOSTS[0]]):
            yield world, things
        world.door.close()


@pytest.fixture(scope="session")
def served(furnished: tuple[World, Things]) -> World:
    """The room."""
    return furnished[0]


@dataclass(frozen=True)
class Things:
    """What there is in a room: ids of requests, grants and keys, and a certificate."""

    request: str
    waiting: str
    grant: str
    glass: str
    key: str
    machine: x509.Certificate

    @property
    def machine_id(self) -> str:
        return digest(self.machine)


def furnish(world: World) -> Things:
    """Ada has a grant, a workstation, and a request for one more key; Grace asks for a grant; Edsger has
    broken the glass; somebody is suspended."""
    machine = certificate()
    asking = world.door.request_workstation("prd-ada", holder="prd-ada", certificate=der(machine))
    request = world.sign(asking).id
    for account in ("prd-grace", "prd-barbara"):
        world.approve(request, account)
    glass = world.door.begin_break_glass(
        "prd-edsger", resource="room:mail", actions=["enter"], reason="the mail server is down", hours=1
    )
    world.sign(world.door.begin_suspension("prd-grace", "prd-gone", "is away for long"))
    return Things(
        request=world.ask("prd-grace", resource="room:mail", purpose="x" * 120 + " " + "wide " * 30),
        waiting=world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id,
        grant=world.granted("prd-ada", resource="room:mail"),
        glass=world.sign(glass).id,
        key=world.door.records(HardwareKey, about="prd-barbara")[1].id,
        machine=machine,
    )


@pytest.fixture
def browser(stage: Stage) -> Iterator[Chromium]:
    """The browser; a test fails if it has complained (Content Security Policy, scripts)."""
    yield stage.browser
    assert stage.browser.complaints() == []


@pytest.fixture(scope="session")
def _present() -> dict[str, Visitor]:
    return {}


@pytest.fixture
def person(browser: Chromium, served: World, _present: dict[str, Visitor]) -> Callable[[str], Visitor]:
    """Somebody of the room who has signed in, at the beginning of the page; the same in all tests."""

    def give(account: str) -> Visitor:
        visitor = _present.get(account)
        if visitor is None:
            visitor = _present[account] = signed_in(browser, served, account)
        visitor.go(ORIGIN)
        return visitor

    return give


@pytest.fixture
def stranger(browser: Chromium) -> Iterator[Visitor]:
    """Somebody of whom the page knows nothing, with a hardware key that nobody knows."""
    visitor = browser.visitor(Authenticator())
    yield visitor
    browser.leave(visitor)


def signed_in(browser: Chromium, world: World, account: str, number: int = 0) -> Visitor:
    """Sign in by the page, with one of the person's keys; no two visitors have the same."""
    visitor = browser.visitor(counted(world, account, number))
    visitor.go(ORIGIN)
    visitor.fill(account=account)
    visitor.click("main form button")
    assert f"{account}: sign in, to look" in visitor.text()
    visitor.click("#sign button")
    assert account in visitor.text(), visitor.text()
    return visitor


def counted(world: World, account: str, number: int) -> Authenticator:
    """A key of the person's, counting from where the room has seen it last."""
    key = world.keys[account][number]
    for record in world.door.records(HardwareKey, about=account):
        for credential in key.credentials.values():
            if b64(credential.id) == record.id:
                credential.counter = record.counter
    return key
