"""Logs: checkpoints as they stand, and the button that has a whole log verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from immure.console.render import render
from immure.console.roles import Role, need
from immure.console.sources.logs import Logs

if TYPE_CHECKING:
    from immure.console.tenant import Tenant

ROLE: Final = Role.VIEWER
#: Who may have a log verified: it reads the whole of it.
VERIFY: Final = Role.RESPONDER
#: Seconds that a verification may take before the page says that it runs.
_PATIENCE: Final = 2.0


def overview(request: Request) -> Response:
    """All logs of the tenant."""
    tenant: Tenant = request.state.tenant
    return render(
        request, "logs.html", logs=_logs(tenant).states(), may=request.state.role >= VERIFY, live="logs"
    )


def verify(request: Request) -> Response:
    """Have one verified."""
    need(request, VERIFY)
    tenant: Tenant = request.state.tenant
    name = request.path_params["name"]
    if _logs(tenant).state(name) is None:
        raise HTTPException(404, "there is no such log")
    _logs(tenant).verify(name, patience=_PATIENCE)
    return RedirectResponse(f"/t/{tenant.name}/logs", 303)


def checkpoint(request: Request) -> Response:
    """The signed checkpoint of one, to be kept elsewhere."""
    state = _logs(request.state.tenant).state(request.path_params["name"])
    if state is None or state.standing.checkpoint is None:
        raise HTTPException(404, "there is no such checkpoint")
    fields = {"content-disposition": 'attachment; filename="checkpoint"'}
    return Response(state.standing.checkpoint.note, media_type="text/plain; charset=utf-8", headers=fields)


def stamp(tenant: Tenant) -> object:
    """What changes when a log grows, or a verification begins or ends."""
    return _logs(tenant).stamp()


ROUTES: Final = (
    Route("/logs", overview),
    Route("/logs/{name}/verify", verify, methods=["POST"]),
    Route("/logs/{name}/checkpoint", checkpoint),
)


def _logs(tenant: Tenant) -> Logs:
    state = tenant.console.state
    kept = None if state is None else state / tenant.name / "logs"
    return tenant.source("logs", lambda settings: Logs(settings.logs, kept, tenant.clock))
