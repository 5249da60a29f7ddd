"""People: who may look at this tenant, and who is signed in. An administrator ends their sessions."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from immure.console.render import render
from immure.console.roles import Role
from immure.console.sessions import Sessions
from immure.console.tenant import Tenant

ROLE: Final = Role.ADMIN


def overview(request: Request) -> Response:
    """People with a role here, and their sessions. Others who are signed in are not this tenant's to know."""
    tenant: Tenant = request.state.tenant
    sessions: Sessions = request.state.sessions
    roles = tenant.settings.roles
    people = sorted(roles, key=lambda name: (-roles[name], name))
    return render(
        request,
        "people.html",
        people=[(name, roles[name]) for name in people],
        sessions=sessions.of(roles),
    )


def end(request: Request) -> Response:
    """End all sessions of a person."""
    tenant: Tenant = request.state.tenant
    person = request.state.form.get("person", "")
    if person not in tenant.settings.roles:
        raise HTTPException(404)
    count = request.state.sessions.end_all(person)
    request.state.told(
        "sessions-ended", tenant=tenant.name, person=person, by=request.state.person, count=count
    )
    if person == request.state.person:
        return RedirectResponse("/sign-in", 303)
    return RedirectResponse(f"/t/{tenant.name}/people", 303)


ROUTES: Final = (Route("/people", overview), Route("/people/end", end, methods=["POST"]))
