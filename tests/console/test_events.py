"""News by server-sent events: of real changes, to those only who may look, and until their session ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from immure.console.sessions import COOKIE
from immure.registry.state import KeyState
from servers.asgi import serving

from .world import HOST, NOW, ConsoleWorld, Visitor, record_of


class Served:
    """The console on a port, and the cookies of somebody who has signed in by another way to the same one."""

    def __init__(self, world: ConsoleWorld, port: int, app: Any) -> None:
        self.world, self.url, self.app = world, f"http://127.0.0.1:{port}", app

    def cookie(self, account: str) -> str:
        with_app = TestClient(self.app, base_url=f"https://{HOST}", follow_redirects=False)
        visitor = Visitor(self.world, with_app).sign_in(account)
        return visitor.cookies[COOKIE]

    @contextmanager
    def stream(self, cookie: str, tenant: str = "acme") -> Iterator[Iterator[str]]:
        headers = {"host": HOST, "cookie": f"{COOKIE}={cookie}"}
        url = f"{self.url}/t/{tenant}/events"
        with httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield answer.iter_lines()

    def status(self, cookie: str, tenant: str = "acme") -> int:
        headers = {"host": HOST, "cookie": f"{COOKIE}={cookie}"}
        with httpx.stream(
            "GET", f"{self.url}/t/{tenant}/events", headers=headers, timeout=20, trust_env=False
        ) as answer:
            return answer.status_code


@pytest.fixture
def served(console_world: ConsoleWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("immure.console.events._BREATH", 0.3)
    app = console_world.app()
    with serving(app) as port:
        yield Served(console_world, port, app)


def until(lines: Iterator[str], begin: str, seconds: float = 15) -> str:
    end = time.monotonic() + seconds
    for line in lines:
        if line.startswith(begin):
            return line
        assert time.monotonic() < end
    raise AssertionError(f"the stream has ended without {begin!r}")


def test_a_key_that_is_new_is_news(served: Served) -> None:
    edsger = served.cookie("prd-edsger")
    with served.stream(edsger, "globex") as lines, served.stream(edsger, "acme") as others:
        until(lines, ":")  # it has looked once
        until(others, ":")
        at = served.world.room.clock.at
        record = record_of("news", "https://news.example", ("consumer",), KeyState.PRE_ACTIVE, at)
        served.world.globex.registry.add([record])
        assert until(lines, "event:") == "event: changed"
        assert json.loads(until(lines, "data:").removeprefix("data:")) == {"page": "keys"}
        for _ in range(12):  # three looks
            assert not next(others).startswith("event")


def test_a_dump_that_is_new_is_news(served: Served) -> None:
    with served.stream(served.cookie("prd-grace")) as lines:
        until(lines, ":")
        path = served.world.acme.top / "records" / "core.news.1.json"
        path.write_text("{}")
        try:
            assert json.loads(until(lines, "data:").removeprefix("data:")) == {"page": "dumps"}
        finally:
            path.unlink()


def test_the_stream_ends_with_the_session(served: Served) -> None:
    cookie = served.cookie("prd-ada")
    with served.stream(cookie) as lines:
        until(lines, ":")
        served.world.room.clock.pass_(minutes=31)
        until(lines, "event: ended")
        assert list(lines)[-1:] in ([""], ["data: {}"], [])
    assert served.status(cookie) == 401


def test_who_may_not_look(served: Served) -> None:
    ada = served.cookie("prd-ada")
    assert served.status(ada, "globex") == 404
    assert served.status(ada, "nobody") == 404
    assert served.status("A" * 43) == 401


def test_too_many(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immure.console.events.MOST_OF_ONE", 2)
    cookie = served.cookie("prd-ada")
    with served.stream(cookie) as first, served.stream(cookie) as second:
        until(first, "retry:")
        until(second, "retry:")
        assert served.status(cookie) == 503
        other = served.cookie("prd-grace")
        with served.stream(other) as third:
            until(third, "retry:")
    end = time.monotonic() + 10
    while served.status(cookie) == 503:  # those who have gone have made room
        assert time.monotonic() < end


def test_no_more_is_asked_when_nobody_looks_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("immure.console.pages.keys.stamp", lambda tenant: asked.append(tenant.name))
    with served.stream(served.cookie("prd-ada")) as lines:
        until(lines, ":")
    time.sleep(2.5)
    seen = len(asked)
    assert 0 < seen < 5
    time.sleep(1.5)
    assert len(asked) == seen
    assert NOW
