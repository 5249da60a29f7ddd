"""Signing in by an issuer: the whole way with our own signing service, and every way to break it off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from immure.console.app import create_app
from immure.console.issuer import COOKIE as BEGUN
from immure.console.sessions import COOKIE
from immure.console.settings import Settings
from immure.errors import InputError, KeySourceError
from immure.signing.service import Service
from servers.asgi import serving
from signing.browsing import hidden
from signing.house import DIGEST, ENTERPRISE, MAIL, SECRET, SETTINGS, House

from .world import ORIGIN, ConsoleWorld, Visitor

CLIENT = f"""
[clients.console]
issuer = "enterprise"
grants = ["authorization_code"]
audiences = ["{MAIL}"]
scopes = ["mail.read"]
redirect_uris = ["{ORIGIN}/sign-in/back"]
secrets = ["{DIGEST}"]
"""
POLICY = f"""
version = 1
max_age_seconds = 7200
[sources.login]
file = "login.json"
[issuers."{ENTERPRISE}"]
source = "login"
audience_class = "enterprise"
[audiences]
"console" = ["enterprise"]
"""
CONSOLE = """
version = 1
origin = "{origin}"
[sign_in.issuer]
policy = "tokens.toml"
authorize = "{url}/enterprise/authorize"
token = "{url}/enterprise/token"
client = "console"
prefix = "corp:"
secret = "secret.txt"
[tenants.acme]
registry = "keys.db"
[tenants.acme.roles]
viewer = ["corp:ada"]
admin = ["ada"]
"""


class Started:
    """A signing service that starts and stops in the loop of its server."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._service: Service | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            assert self._service is not None
            await self._service.app(scope, receive, send)
            return
        await receive()
        self._service = await Service.start(self._settings, stream=None)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._service.stop()
        await send({"type": "lifespan.shutdown.complete"})


class Login:
    """A signing service on a port, and a console that asks it."""

    def __init__(self, directory: Path, url: str, world: ConsoleWorld) -> None:
        self.url, self.world = url, world
        keys = httpx.get(f"{url}/enterprise/.well-known/openid-configuration", trust_env=False).json()
        path = urlsplit(keys["jwks_uri"]).path
        (directory / "login.json").write_text(httpx.get(f"{url}{path}", trust_env=False).text)
        (directory / "tokens.toml").write_text(POLICY)
        (directory / "secret.txt").write_text(SECRET + "\n")
        (directory / "console.toml").write_text(CONSOLE.format(origin=ORIGIN, url=url))
        self.now = datetime.now(UTC)
        self.told: list[Any] = []
        settings = Settings.read(directory / "console.toml")
        app = create_app(
            settings, clock=lambda: self.now, told=lambda *event, **facts: self.told.append(event)
        )
        self.client = TestClient(app, base_url=ORIGIN, follow_redirects=False)

    def visitor(self) -> Visitor:
        return Visitor(self.world, self.client)

    def begin(self, visitor: Visitor) -> str:
        sent = visitor.get("/sign-in/issuer")
        assert sent.status_code == 303
        return str(sent.headers["location"])

    def answer(self, address: str) -> dict[str, str]:
        """What the issuer sends back, when ada has signed in there."""
        with httpx.Client(trust_env=False) as browser:
            page = browser.get(address)
            assert page.status_code == 200, page.text
            sent = {**hidden(page.text), "name": "ada", "password": "lovelace"}
            done = browser.post(f"{self.url}/enterprise/sign-in", data=sent)
            back = browser.get(self.url + done.headers["location"])
        location = back.headers["location"]
        assert location.startswith(f"{ORIGIN}/sign-in/back?")
        return {name: value[0] for name, value in parse_qs(urlsplit(location).query).items()}


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory, console_world: ConsoleWorld) -> Iterator[Login]:
    house = House(tmp_path_factory.mktemp("house"), SETTINGS + CLIENT)
    with serving(Started(house.settings)) as port:
        yield Login(tmp_path_factory.mktemp("console"), f"http://127.0.0.1:{port}", console_world)


def test_the_whole_way(login: Login) -> None:
    visitor = login.visitor()
    assert 'href="/sign-in/issuer"' in visitor.get("/sign-in").text
    address = login.begin(visitor)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
    assert (asked["client_id"], asked["code_challenge_method"]) == ("console", "S256")
    back = visitor.get(f"/sign-in/back?{urlencode(login.answer(address))}")
    assert back.status_code == 200, back.text
    assert re.search(r'http-equiv="refresh" content="0; url=/"', back.text)
    assert BEGUN not in visitor.cookies
    assert COOKIE in visitor.cookies
    assert visitor.get("/").headers["location"] == "/t/acme"
    page = visitor.get("/t/acme/keys")
    assert "corp:ada" in page.text
    assert "(viewer)" in page.text  # and not what an account of that name may
    assert ("signed-in",) in login.told


def test_the_cookie_that_waits(login: Login) -> None:
    visitor = login.visitor()
    sent = visitor.get("/sign-in/issuer")
    [line] = [one for one in sent.headers.get_list("set-cookie") if one.startswith(BEGUN)]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
    assert parse_qs(urlsplit(sent.headers["location"]).query)["nonce"][0] not in line


REFUSED = {
    "no cookie": (lambda answer, visitor: visitor.cookies.clear(), "has not begun to sign in here"),
    "another state": (lambda answer, visitor: answer.update(state="A" * 43), "to another sign-in"),
    "no state": (lambda answer, visitor: answer.pop("state"), "to another sign-in"),
    "an error": (
        lambda answer, visitor: (answer.pop("code"), answer.update(error="access_denied")),
        "has not signed you in: access_denied",
    ),
    "another code": (lambda answer, visitor: answer.update(code="A" * 43), "the issuer cannot be asked now"),
    "a cookie of somebody": (
        lambda answer, visitor: visitor.cookies.update({BEGUN: "A" * 200}),
        "has not begun to sign in here",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_off(login: Login, case: str) -> None:
    change, words = REFUSED[case]
    visitor = login.visitor()
    answer = login.answer(login.begin(visitor))
    change(answer, visitor)
    back = visitor.get(f"/sign-in/back?{urlencode(answer)}")
    assert back.status_code == 403
    assert words in back.text
    assert COOKIE not in visitor.cookies


def test_a_code_is_good_once(login: Login) -> None:
    visitor = login.visitor()
    answer = login.answer(login.begin(visitor))
    kept = dict(visitor.cookies)
    assert visitor.get(f"/sign-in/back?{urlencode(answer)}").status_code == 200
    visitor.cookies = kept
    assert visitor.get(f"/sign-in/back?{urlencode(answer)}").status_code == 403


def test_somebody_elses_answer(login: Login) -> None:
    """A link with the attacker's code signs nobody in as the attacker (RFC 6749, section 10.12)."""
    attacker, victim = login.visitor(), login.visitor()
    answer = login.answer(login.begin(attacker))
    login.begin(victim)
    assert victim.get(f"/sign-in/back?{urlencode(answer)}").status_code == 403


def test_it_may_not_take_for_ever(login: Login) -> None:
    visitor = login.visitor()
    answer = login.answer(login.begin(visitor))
    login.now += timedelta(minutes=11)
    try:
        back = visitor.get(f"/sign-in/back?{urlencode(answer)}")
    finally:
        login.now -= timedelta(minutes=11)
    assert "longer than ten minutes" in back.text


CLAIMS = {
    "another audience": ({"aud": "another"}, "for somebody else"),
    "two audiences": ({"aud": ["console", "another"]}, "for somebody else"),
    "another nonce": ({"nonce": "x"}, "of another sign-in"),
    "no nonce": ({"nonce": None}, "of another sign-in"),
    "no name": ({"sub": ""}, "does not say who you are"),
    "a number": ({"sub": 7}, "does not say who you are"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_token_that_is_not_for_this(login: Login, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, words = CLAIMS[case]
    from immure.tokens.validator import Validator

    true = Validator.validate
    monkeypatch.setattr(Validator, "validate", lambda self, token: {**true(self, token), **changes})
    visitor = login.visitor()
    back = visitor.get(f"/sign-in/back?{urlencode(login.answer(login.begin(visitor)))}")
    assert back.status_code == 403
    assert words in back.text


ANSWERS: dict[str, tuple[int, bytes, str]] = {
    "no JSON": (200, b"<html>", "no JSON"),
    "a list": (200, b"[]", "no JSON object"),
    "deep": (200, b"[" * 60_000, "no JSON"),
    "long": (200, b" " * (65 << 10), "more than"),
    "refused": (400, b"{}", "status 400"),
    "elsewhere": (302, b"{}", "status 302"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_of_an_issuer(case: str) -> None:
    from immure.console.asking import ask_form

    status, body, words = ANSWERS[case]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    with serving(app) as port, pytest.raises(InputError, match=words):
        ask_form(f"http://127.0.0.1:{port}/token", {"a": "b"})


def test_an_issuer_that_is_not_there() -> None:
    from immure.console.asking import ask_form

    with pytest.raises(KeySourceError, match="cannot be reached"):
        ask_form("http://127.0.0.1:9/token", {})


def test_what_an_issuer_is_sent() -> None:
    from immure.console.asking import ask_form

    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        seen.update(body=message["body"], fields=dict(scope["headers"]), query=scope["query_string"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"id_token": "x"}).encode()})

    with serving(app) as port:
        answer = ask_form(f"http://127.0.0.1:{port}/token?p=1", {"code": "a b"}, "Basic eA==")
    assert answer == {"id_token": "x"}
    assert (seen["body"], seen["query"]) == (b"code=a+b", b"p=1")
    assert seen["fields"][b"authorization"] == b"Basic eA=="
