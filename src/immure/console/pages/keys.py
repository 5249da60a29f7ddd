"""Keys: who could sign what, in which state each is, and what comes next."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from immure.console.render import render
from immure.console.roles import Role
from immure.console.sources import keys as source
from immure.console.tenant import Tenant
from immure.registry.state import KeyState

ROLE = Role.VIEWER
_FILTERS = ("state", "issuer", "audience")
#: Issuers that a menu offers; of more one types a part of the name.
_MOST_ISSUERS = 100


def matrix(request: Request) -> Response:
    """Keys and audience classes."""
    tenant: Tenant = request.state.tenant
    table, fresh = source.keys_of(tenant).current()
    if table is None:
        return render(request, "keys_soon.html", live="keys")
    at = tenant.clock()
    query = request.query_params
    chosen: dict[str, Any] = {name: query.get(name, "") for name in _FILTERS}
    text = query.get("q", "").strip()
    rows, paging = source.key_list(table, at, text=text, page=query.get("page"), **chosen)
    return render(
        request,
        "keys.html",
        rows=rows,
        paging=paging,
        columns=table.columns,
        states=table.states,
        total=len(table.keys),
        turns=source.next_turns(table, at),
        text=text,
        at=at,
        trouble=table.trouble,
        fresh=fresh,
        state_choices=_choices("any", [one.value for one in KeyState]),
        issuer_choices=_choices("any", table.issuers[:_MOST_ISSUERS]),
        audience_choices=_choices("any", table.columns),
        live="keys",
        **chosen,
    )


def one(request: Request) -> Response:
    """One key."""
    tenant: Tenant = request.state.tenant
    found = source.keys_of(tenant).one(request.path_params["thumbprint"])
    if found is None:
        raise HTTPException(404)
    table, record = found
    return render(
        request, "key.html", record=record, row=source.row(table, table.keys[0], tenant.clock()), live="keys"
    )


def _choices(everything: str, names: Any) -> list[tuple[str, str]]:
    return [("", everything), *((one, one) for one in names)]


def stamp(tenant: Tenant) -> Any:
    """Differs when the registry has changed."""
    return source.keys_of(tenant).stamp()


def refresh(tenant: Tenant) -> None:
    """Read the registry, if it has changed."""
    source.keys_of(tenant).table()


ROUTES = (Route("/keys", matrix), Route("/keys/{thumbprint}", one))
