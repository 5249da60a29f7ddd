"""The application: routes, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from immure.access.door import Door
from immure.access.web.guard import Guard
from immure.clock import Clock, now
from immure.console import assets
from immure.console.events import Events
from immure.console.headers import Headed
from immure.console.pages import PAGES, Page
from immure.console.render import render
from immure.console.sessions import Sessions
from immure.console.settings import Settings
from immure.console.sign_in import SignIn
from immure.console.tenant import Tenant
from immure.console.upkeep import upkeep
from immure.console.visits import Visits, enter, in_tenant, refused
from immure.errors import ImmureError, RefusedError, UsageError

#: Is told what happens: events, and facts that are no secrets.
Told = Callable[..., None]


def create_app(
    settings: Settings,
    *,
    door: Door | None = None,
    clock: Clock = now,
    told: Told = lambda *_, **__: None,
) -> Headed:
    """The console as an ASGI application.

    Args:
        settings: of the console.
        door: of the room by which people sign in, opened with what signs its log; None if they do not.
        clock: tells the time.
        told: see above.
    """
    tenants = {name: Tenant(one, settings, clock) for name, one in settings.tenants.items()}
    idle, most = timedelta(minutes=settings.idle_minutes), timedelta(minutes=settings.most_minutes)
    sessions = Sessions(idle, most, clock)
    events = Events(tenants, sessions, settings.poll_seconds)
    sign_in = SignIn(settings, sessions, door, clock, told)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with events.running():
            async with upkeep(tenants, told):
                yield
        for tenant in tenants.values():
            tenant.close()

    routes: list[BaseRoute] = [
        Route("/healthz", lambda _: Response(status_code=204)),
        Route(assets.PREFIX + "{name}", assets.serve),
        Route("/", _home),
        *sign_in.routes,
        Route("/t/{tenant}", _first(tenants)),
        Route("/t/{tenant}/events", events.stream),
        *(route for page in PAGES for route in _routes(page, tenants)),
    ]
    guard = Guard()
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Visits, guard=guard, sessions=sessions, tenants=tenants, origin=settings.origin, told=told
            )
        ],
        exception_handlers=_handlers(told),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return Headed(app)


def _routes(page: Page, tenants: Mapping[str, Tenant]) -> list[BaseRoute]:
    return [
        Route(f"/t/{{tenant}}{one.path}", in_tenant(page, one.endpoint, tenants), methods=one.methods)
        for one in page.routes
    ]


def _home(request: Request) -> Response:
    """To the one tenant, or a list of them."""
    if request.state.person is None:
        return RedirectResponse("/sign-in", 303)
    known = request.state.tenants
    if len(known) == 1:
        return RedirectResponse(f"/t/{known[0].name}", 303)
    return render(request, "home.html", known=known)


def _first(tenants: Mapping[str, Tenant]) -> Callable[[Request], Response]:
    """To the first page that a tenant has and the person may look at."""

    def view(request: Request) -> Response:
        answer = enter(request, tenants)
        if answer is not None:
            return answer
        for page in request.state.menu:
            return RedirectResponse(f"/t/{request.state.tenant.name}{page.routes[0].path}", 303)
        raise HTTPException(404, "nothing of this tenant is shown here")

    return view


def _handlers(told: Told) -> Mapping[Any, Any]:
    def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is asked for these only
        words = error.detail if error.status_code != 404 else "there is no such page"
        return refused(request, error.status_code, words)

    def broken(request: Request, error: Exception) -> Response:
        assert isinstance(error, ImmureError)  # noqa: S101 - it is asked for these only
        told("broken", path=request.url.path, code=error.code, reason=error.reason)
        if isinstance(error, RefusedError):
            return refused(request, 403, error.reason)
        return refused(request, 400 if isinstance(error, UsageError) else 503, str(error))

    def unknown(request: Request, error: Exception) -> Response:
        told("failed", path=request.url.path, kind=type(error).__name__)
        return refused(request, 500, "this page cannot be made now; the console's own journal says why")

    return {HTTPException: refuse, ImmureError: broken, Exception: unknown}
