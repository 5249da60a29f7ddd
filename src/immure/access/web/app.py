"""The server of a room: its page, and what proxies ask."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from immure.access.completing import Done
from immure.access.door import Door
from immure.access.errors import AccessError, DeniedError, NoGrantError
from immure.access.records import Grant, Person, Session, Workstation
from immure.access.texts import encode
from immure.access.web import looking, pages
from immure.access.web.assets import SCRIPT, STYLE
from immure.access.web.deeds import deed_of
from immure.access.web.guard import LOOK, Guard, drop_cookie, secret_of, set_cookie
from immure.access.web.tools import AUTH, TAKE, Tools
from immure.access.web.wire import (
    Answer,
    Pair,
    Receive,
    Request,
    Scope,
    Send,
    WireError,
    read_request,
    send_answer,
)
from immure.errors import ImmureError, LogError

#: The DER of the certificate in the values of a header field, or None; raises ImmureError.
Parse = Callable[[list[bytes]], bytes | None]
_ASSETS: Final = {
    "/assets/room.css": (b"text/css; charset=utf-8", STYLE.encode()),
    "/assets/room.js": (b"text/javascript; charset=utf-8", SCRIPT.encode()),
}
#: Acts that nobody needs to have signed in for.
_ALONE: Final = ("sign-in", "register")


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
        self._door, self._header, self._told = door, header, told
        self._tools = Tools(door, tools or {})
        self._guard = Guard()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        try:
            request = await read_request(scope, receive)
            answer = await asyncio.to_thread(self._answer, request)
        except WireError as error:
            answer = _page(error.status, pages.error_page(error.words))
        await send_answer(send, answer)

    def _answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except DeniedError as error:
            self._told("refused", path=request.path, rule=error.rule)
            return _page(403, pages.error_page(error.reason, error.rule))
        except (AccessError, LogError) as error:
            self._told("broken", path=request.path, code=error.code)
            return _page(503, pages.error_page("the room cannot be asked now; its server says why"))
        except ImmureError as error:
            return _page(400, pages.error_page(error.reason))

    def _route(self, request: Request) -> Answer:
        path, method = request.path, request.method
        if method == "POST":
            self._guard.check(request, self._door.policy.party.origins)
            if path.startswith("/do/"):
                return self._begin(request, path[4:])
            if path == "/complete":
                return self._complete(request)
            if path == "/sign-out":
                return self._sign_out(request)
        elif method in ("GET", "HEAD"):
            if path in _ASSETS:
                kind, body = _ASSETS[path]
                return Answer(200, body, (*pages.HEADERS, (b"content-type", kind)))
            if path == "/":
                return self._overview(request)
            if path.startswith("/do/"):
                return self._form(request, path[4:])
            if path == AUTH:
                return self._auth(request)
            if path == TAKE:
                return self._tools.take(request, self._workstation(request))
            if path == "/healthz":
                return Answer(204)
        else:
            raise WireError(405, "GET and POST")
        raise WireError(404, "there is no such page")

    # --- who is there ---

    def _workstation(self, request: Request) -> str:
        """SHA-256 of the certificate that the connection shows; empty if it shows none. The field is taken
        from this machine only: what others send under its name was written by nobody whom we trust."""
        if self._header is None:
            return ""
        name, parse = self._header
        if not _is_local(request.peer):
            return ""
        try:
            der = parse(list(request.fields.get(name, ())))
        except ImmureError as error:
            raise WireError(400, error.reason) from error
        return "" if der is None else hashlib.sha256(der).hexdigest()

    def _person(self, request: Request) -> Person:
        workstation = self._workstation(request)
        return self._door.signed_in(secret_of(request, LOOK), workstation=workstation)

    def _who(self, request: Request) -> str:
        """The account that has signed in; empty if nobody has."""
        try:
            return self._person(request).id
        except NoGrantError:
            return ""

    # --- looking ---

    def _overview(self, request: Request) -> Answer:
        who = self._who(request)
        if not who:
            return self._form(request, "sign-in")
        visit, fields = self._guard.visit(request)
        body = looking.overview(self._door, who, self._guard.token(visit))
        return _page(200, body, fields)

    def _form(self, request: Request, name: str) -> Answer:
        deed, who = deed_of(name), self._who(request)
        if not who and not deed.alone:
            return Answer(303, b"", (*pages.HEADERS, (b"location", b"/")))
        visit, fields = self._guard.visit(request)
        body = pages.deed_page(name, deed, request.query, who=who, token=self._guard.token(visit))
        return _page(200, body, fields)

    # --- doing ---

    def _begin(self, request: Request, name: str) -> Answer:
        deed = deed_of(name)
        workstation = self._workstation(request)
        who = self._who(request) if deed.alone else self._person(request).id
        given = {field.name: request.form.get(field.name, "").strip() for field in deed.fields}
        if name == "sign-in" and not self._is_known(workstation):
            workstation = ""
        ceremony = deed.begin(self._door, who, given, workstation)
        text = looking.policy_text(self._door, ceremony)
        visit, fields = self._guard.visit(request)
        body = pages.sign_page(ceremony, who=who, token=self._guard.token(visit), text=text)
        return _page(200, body, fields)

    def _is_known(self, workstation: str) -> bool:
        """A certificate that nobody has approved yet binds no session; it can still be used to look."""
        return any(one.id == workstation for one in self._door.records(Workstation, state="active"))

    def _complete(self, request: Request) -> Answer:
        response = request.form.get("response", "")
        if not response:
            raise WireError(
                400, "the browser has asked no hardware key: the script of this page must be allowed"
            )
        ceremony = self._door.ceremony(response)
        who = self._who(request)
        if ceremony.act not in _ALONE and ceremony.document.get("account") != self._person(request).id:
            raise DeniedError("what was signed is somebody else's", rule="account")
        done = self._door.complete(response, act=ceremony.act)
        self._told("done", act=done.act, id=done.id, state=done.state, entry=done.entry)
        if done.act == "sign-in" and done.secret is not None:
            cookie = set_cookie(LOOK, encode(done.secret.reveal()))
            return Answer(303, b"", (*pages.HEADERS, cookie, (b"location", b"/")))
        return self._done(request, who, done)

    def _done(self, request: Request, who: str, done: Done) -> Answer:
        link = None
        if done.act == "enter" and done.secret is not None:
            grant = self._door.record(Grant, self._door.record(Session, done.id).grant)
            link = self._tools.hand_over(grant, done.secret.reveal())
        visit, fields = self._guard.visit(request)
        silent = [f"not heard: {one}" for one in done.silent]
        sentence = f"{done.act} {done.id}: {done.state} (entry {done.entry} of the log)"
        token = self._guard.token(visit)
        return _page(200, pages.done_page(sentence, silent, who=who, token=token, link=link), fields)

    def _sign_out(self, request: Request) -> Answer:
        looking.end_session(self._door, secret_of(request, LOOK))
        return Answer(303, b"", (*pages.HEADERS, drop_cookie(LOOK), (b"location", b"/")))

    def _auth(self, request: Request) -> Answer:
        """A door that cannot be asked lets nobody in: nginx makes an error of any other status."""
        try:
            return self._tools.auth(request, self._workstation(request))
        except (AccessError, LogError) as error:
            self._told("broken", path=request.path, code=error.code)
            return Answer(503)


def _page(status: int, body: bytes, fields: tuple[Pair, ...] = ()) -> Answer:
    return Answer(status, body, (*pages.HEADERS, pages.HTML, *fields))


def _is_local(peer: str) -> bool:
    """Whether who is connected is on this machine; a Unix socket has no address."""
    if not peer:
        return True
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
