"""A client of the page without a browser: it sends what it is told to, keeps cookies, and touches keys."""

from __future__ import annotations

import asyncio
import atexit
import html
import json
import re
from functools import cache
from typing import Any

import httpx

from access.authenticator import Authenticator, unb64
from access.rooms import World
from immure.access.web.app import AccessApp
from immure.access.web.guard import VISIT
from immure.introspection.certificate import certificate_of

ORIGIN = "https://access.prod.example"
TOOLS = {"room:debug": "https://debug.prod.example"}
HEADER = (b"client-cert", certificate_of)
FORM = "application/x-www-form-urlencoded"
ASK = {
    "resource": "room:debug", "actions": "enter", "purpose": "crash of the mailer", "ticket": "INC-12",
    "hours": "2",
}  # fmt: skip


@cache
def _runner() -> asyncio.Runner:
    """One loop for all clients: each would have to start threads of its own."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


class Client:
    """Somebody who comes to the page of a room."""

    def __init__(self, world: World, peer: str = "127.0.0.1", **options: Any) -> None:
        self.world = world
        self.events: list[tuple[str, dict[str, Any]]] = []
        options.setdefault("told", lambda event, **facts: self.events.append((event, facts)))
        self.app = options.pop("app", None) or AccessApp(world.door, **options)
        self.peer = peer
        self.cookies: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        self.link = ""
        self._visit, self._token = (0, ""), ""

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return _runner().run(self.exchange(method, path, **options))

    async def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        given = options.pop("headers", {})
        fields = [*self.fields.items(), *(given if isinstance(given, list) else given.items())]
        if self.cookies:
            fields.append(("cookie", "; ".join(f"{key}={value}" for key, value in self.cookies.items())))
        answer = await self._exchange(method, path, options.pop("base", ORIGIN), headers=fields, **options)
        for line in answer.headers.get_list("set-cookie"):
            key, _, value = line.partition(";")[0].partition("=")
            self.cookies[key] = value
        return answer

    async def _exchange(self, method: str, path: str, base: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, client=(self.peer, 9))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **values: str) -> httpx.Response:
        """Send a form that was opened before: of this visit, and of this server."""
        visit = (id(self.app), self.cookies.get(VISIT, ""))
        if visit != self._visit:
            self._token = self.token()
            self._visit = (id(self.app), self.cookies[VISIT])
        return self.send("POST", path, data={"token": self._token, **values}, headers={"origin": ORIGIN})

    def token(self) -> str:
        """The token of a form that is opened now."""
        found = re.search(r'name="token" value="([^"]+)"', self.get("/do/sign-in").text)
        assert found
        return found[1]

    def sign(self, page: httpx.Response) -> httpx.Response:
        """Touch the key that a page asks for."""
        options = options_of(page)
        keys = [key for keys in self.world.keys.values() for key in keys]
        allowed = {unb64(one["id"]) for one in options["allowCredentials"]}
        key = next(key for key in keys if allowed & set(key.credentials))
        return self.post("/complete", response=json.dumps(key.get(options)))

    def register(self, page: httpx.Response, account: str) -> httpx.Response:
        """Make a credential on a new key of somebody's, as a page asks for it."""
        key = Authenticator()
        self.world.keys.setdefault(account, []).append(key)
        return self.post("/complete", response=json.dumps(key.create(options_of(page))))

    def sign_in(self, account: str = "prd-ada") -> Client:
        answer = self.sign(self.post("/do/sign-in", account=account))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return self


def options_of(page: httpx.Response) -> Any:
    """What a page hands to ``navigator.credentials``."""
    found = re.search(r'data-options="([^"]+)"', page.text)
    assert found, page.text
    return json.loads(html.unescape(found[1]))
