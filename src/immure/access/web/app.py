"""The server of a room: its page, and what proxies ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from immure.access.door import Door
from immure.access.errors import AccessError, DeniedError
from immure.access.web import looking, pages, people, policy_page
from immure.access.web.assets import SCRIPT, STYLE
from immure.access.web.doing import Doing
from immure.access.web.guard import LOOK, Guard, check_host, drop_cookie, secret_of
from immure.access.web.opening import Opening
from immure.access.web.present import Parse, Present
from immure.access.web.setting_up import SettingUp
from immure.access.web.tools import AUTH, TAKE, Tools
from immure.access.web.wire import (
    HEADERS,
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    WireError,
    page_answer,
    read_request,
    redirect,
    send_answer,
)
from immure.errors import ImmureError, LogError

_ASSETS: Final = {
    "/assets/room.css": (b"text/css; charset=utf-8", STYLE.encode()),
    "/assets/room.js": (b"text/javascript; charset=utf-8", SCRIPT.encode()),
}
#: What proxies ask, by whatever name they know this server.
_FOR_PROXIES: Final = (AUTH, TAKE, "/healthz")
Handler = Callable[[Request], Answer]


class AccessApp:
    """ASGI application.

    Args:
        door: opened with what signs its log. Its calls block, so they run in threads.
        tools: origins of web tools, by their resources (``room:NAME``).
        header: in which a proxy on this machine hands on the certificate of a workstation (lower case), and
            what reads it; None if no proxy does, and then nobody can go in by this server.
        told: is told what happens: events, and facts that are no secrets.
    """

    def __init__(
        self,
        door: Door,
        *,
        tools: Mapping[str, str] | None = None,
        header: tuple[bytes, Parse] | None = None,
        told: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        self._door, self._told = door, told
        self._tools = Tools(door, tools or {})
        self._guard = Guard()
        self._present = Present(door, header)
        self._setting_up = SettingUp(door)
        self._doing = Doing(door, self._present, self._guard, self._setting_up, self._tools, told)
        self._opening = Opening(door, self._doing, self._guard, self._setting_up, told)
        self._shown: Final[Mapping[str, Handler]] = {
            "/": self._overview,
            "/founder": self._opening.form,
            "/people": self._people,
            "/person": self._person,
            "/workstations": self._workstations,
            "/policy": self._policy,
            "/healthz": lambda _: Answer(204),
            AUTH: self._auth,
            TAKE: lambda request: self._tools.take(request, self._present.workstation(request)),
        }
        self._done: Final[Mapping[str, Handler]] = {
            "/complete": self._doing.complete,
            "/founder": self._opening.founder,
            "/policy": self._policy_tests,
            "/set-up": self._opening.set_up,
            "/sign-out": self._sign_out,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, self._start, self._stop)
            return
        try:
            request = await read_request(scope, receive)
            answer = await asyncio.to_thread(self._answer, request)
        except WireError as error:
            answer = page_answer(error.status, pages.error_page(error.words), error.fields)
        await send_answer(send, answer)

    def _start(self) -> None:
        """A room that is not open yet gets a set-up code; where it is, is told."""
        try:
            if self._setting_up.begin():
                self._told("set-up", path=str(self._setting_up.path))
        except AccessError as error:
            self._told("broken", path=str(self._setting_up.path), code=error.code)

    def _stop(self) -> None:
        try:
            self._setting_up.end()
        except AccessError as error:
            self._told("broken", path=str(self._setting_up.path), code=error.code)

    def _answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except DeniedError as error:
            self._told("refused", path=request.path, rule=error.rule)
            return page_answer(403, pages.error_page(error.reason, error.rule))
        except (AccessError, LogError) as error:
            self._told("broken", path=request.path, code=error.code)
            return page_answer(503, pages.error_page("the room cannot be asked now; its server says why"))
        except ImmureError as error:
            return page_answer(400, pages.error_page(error.reason))

    def _route(self, request: Request) -> Answer:
        path, method = request.path, request.method
        origins = self._door.policy.party.origins
        if path not in _FOR_PROXIES:
            check_host(request, origins)
        if method == "POST":
            self._guard.check(request, origins)
            if path.startswith("/do/"):
                return self._doing.begin(request, path[4:])
            if path in self._done:
                return self._done[path](request)
        elif method in ("GET", "HEAD"):
            if path in _ASSETS:
                kind, body = _ASSETS[path]
                return Answer(200, body, (*HEADERS, (b"content-type", kind)))
            if path.startswith("/do/"):
                return self._doing.form(request, path[4:])
            if path in self._shown:
                return self._shown[path](request)
        if method not in ("GET", "HEAD", "POST") or path in {*self._shown, *self._done, *_ASSETS}:
            raise WireError(405, "this is not done here", (b"allow", b"GET, HEAD, POST"))
        raise WireError(404, "there is no such page")

    # --- looking ---

    def _overview(self, request: Request) -> Answer:
        if not self._door.open_for_requests:
            return self._opening.show(request)
        who = self._present.who(request)
        if not who:
            return self._doing.form(request, "sign-in")
        return self._looked(request, lambda token: looking.overview(self._door, who, token))

    def _looked(self, request: Request, render: Callable[[str], bytes]) -> Answer:
        visit, fields = self._guard.visit(request)
        return page_answer(200, render(self._guard.token(visit)), fields)

    def _signed_in(self, request: Request, render: Callable[[str, str], bytes]) -> Answer:
        who = self._present.who(request)
        return self._looked(request, lambda token: render(who, token)) if who else redirect("/")

    def _people(self, request: Request) -> Answer:
        return self._signed_in(request, lambda who, token: people.people_page(self._door, who, token))

    def _person(self, request: Request) -> Answer:
        account = request.query.get("account", "")
        return self._signed_in(
            request, lambda who, token: people.person_page(self._door, account, who, token)
        )

    def _workstations(self, request: Request) -> Answer:
        here = self._present.workstation(request)
        return self._signed_in(
            request, lambda who, token: people.workstations_page(self._door, who, token, here)
        )

    def _policy(self, request: Request) -> Answer:
        return self._signed_in(request, lambda who, token: policy_page.policy_page(self._door, who, token))

    def _policy_tests(self, request: Request) -> Answer:
        who = self._present.person(request).id
        values = {name: text.replace("\r\n", "\n") for name, text in request.form.items()}
        visit, fields = self._guard.visit(request)
        status, body = policy_page.tested_page(self._door, values, who, self._guard.token(visit))
        return page_answer(status, body, fields)

    # --- the rest ---

    def _sign_out(self, request: Request) -> Answer:
        looking.end_session(self._door, secret_of(request, LOOK))
        return redirect("/", drop_cookie(LOOK))

    def _auth(self, request: Request) -> Answer:
        """A door that cannot be asked lets nobody in: nginx makes an error of any other status."""
        try:
            return self._tools.auth(request, self._present.workstation(request))
        except (AccessError, LogError) as error:
            self._told("broken", path=request.path, code=error.code)
            return Answer(503)


async def _lifespan(receive: Receive, send: Send, start: Callable[[], None], end: Callable[[], None]) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await asyncio.to_thread(start)
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(end)
            await send({"type": "lifespan.shutdown.complete"})
            return
