"""Before any page: who asks, whether a form comes from our own page, and in which tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from immure.access.web.guard import Guard, check_host
from immure.access.web.wire import Receive, Scope, Send, WireError, read_request
from immure.access.web.wire import Request as Wire
from immure.console.assets import PREFIX
from immure.console.pages import PAGES, Page
from immure.console.render import render
from immure.console.sessions import COOKIE, Session, Sessions
from immure.console.tenant import Tenant
from immure.errors import ImmureError

#: Paths that know nobody: files, and whether the server is there.
_NOBODY: Final = (PREFIX, "/healthz")
#: The field by which the script says that it fetches a page because there is news.
NEWS: Final = b"immure-news"
Endpoint = Callable[[Request], Response]


class Visits:
    """ASGI middleware: fills ``request.state``, and refuses forms that are not ours.

    Args:
        app: what is asked next.
        guard: of forms.
        sessions: of people.
        tenants: by name.
        origin: of our own pages.
        told: is told what happens.
    """

    def __init__(
        self,
        app: Any,
        *,
        guard: Guard,
        sessions: Sessions,
        tenants: Mapping[str, Tenant],
        origin: str,
        told: Callable[..., None],
    ) -> None:
        self._app, self._guard, self._sessions = app, guard, sessions
        self._tenants, self._origin, self._told = tenants, origin, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http" or str(scope["path"]).startswith(_NOBODY):
            await self._app(scope, receive, send)
            return
        try:
            request = await read_request(scope, receive)
            check_host(request, (self._origin,))
            visit, fields = self._guard.visit(request)
            if request.method not in ("GET", "HEAD"):
                self._guard.check(request, (self._origin,))
            cookie = request.cookie(COOKIE)
            session = await self._session(cookie, use=_is_use(request))
        except WireError as error:
            await refused(Request(scope), error.status, error.words)(scope, receive, send)
            return
        except ImmureError as error:
            words = f"who has signed in cannot be told now ({error.code})"
            await refused(Request(scope), 503, words)(scope, receive, send)
            return
        person = session.person if session else None
        scope.setdefault("state", {}).update(
            wire=request,
            form=request.form,
            token=self._guard.token(visit),
            cookie=cookie,
            session=session,
            sessions=self._sessions,
            told=self._told,
            person=person,
            tenants=[one for one in self._tenants.values() if person and one.role_of(person)],
        )

        async def with_visit(message: Scope) -> None:
            if message["type"] == "http.response.start" and fields:
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            await send(message)

        await self._app(scope, receive, with_visit)

    async def _session(self, cookie: str | None, *, use: bool) -> Session | None:
        if self._sessions.is_due(cookie):
            return await asyncio.to_thread(self._sessions.find, cookie, use=use)
        return self._sessions.find(cookie, use=use)


def _is_use(request: Wire) -> bool:
    """Whether somebody does something: a page that fetches itself again because there is news is no sign that
    anybody sits before it."""
    return NEWS not in request.fields and not request.path.endswith("/events")


def refused(request: Request, status: int, words: str) -> Response:
    """A page that says why not."""
    return render(request, "error.html", status=status, code=status, words=words)


def in_tenant(page: Page, endpoint: Endpoint, tenants: Mapping[str, Tenant]) -> Endpoint:
    """An endpoint of a page for those only who may look at it. A tenant in which one has no role, and a page
    that a tenant does not have, are not there."""

    def view(request: Request) -> Response:
        answer = enter(request, tenants)
        if answer is not None:
            return answer
        if not page.is_there(request.state.tenant.settings):
            raise HTTPException(404, "there is no such page")
        if request.state.role < page.role:
            raise HTTPException(403, f"to look at this takes the role {page.role.word}")
        return endpoint(request)

    return view


def enter(request: Request, tenants: Mapping[str, Tenant]) -> Response | None:
    """Set tenant and role of a request; the way to sign in if nobody has.

    Raises:
        HTTPException: there is no such tenant, for this person.
    """
    person = request.state.person
    if person is None:
        if request.method == "POST":
            raise HTTPException(401, "your session has ended: sign in again")
        return RedirectResponse("/sign-in", 303)
    tenant = tenants.get(request.path_params["tenant"])
    role = tenant.role_of(person) if tenant else None
    if tenant is None or role is None:
        raise HTTPException(404, "there is no such page")
    request.state.tenant, request.state.role = tenant, role
    request.state.menu = [one for one in PAGES if one.is_there(tenant.settings) and role >= one.role]
    return None
