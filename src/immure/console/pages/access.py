"""The access room: requests, grants, broken glass. Nothing is approved here: the room has a page for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from immure.console.pages.asked import number, one_of
from immure.console.paging import SIZE, Paging
from immure.console.render import render
from immure.console.roles import Role
from immure.console.sources import access

if TYPE_CHECKING:
    from immure.console.tenant import Tenant

ROLE: Final = Role.VIEWER
_WHICH: Final = ("live", "glass", "all")


def overview(request: Request) -> Response:
    """Where the room stands."""
    tenant: Tenant = request.state.tenant
    which = one_of(request, "grants", _WHICH, "live")
    asked = Paging.of(1 << 30, number(request, "page"))
    with access.opened(tenant.settings, tenant.clock) as door:
        room = access.overview(door)
        grants = access.grants(door, which, asked.offset, SIZE)
    return render(
        request, "access.html", room=room, grants=grants, which=which, choices=_WHICH,
        paging=Paging.of(grants.total, number(request, "page")), page_of_room=_page(tenant), live="access",
    )  # fmt: skip


def stamp(tenant: Tenant) -> object:
    """What changes when anything happens in the room."""
    return access.stamp(tenant.settings)


ROUTES: Final = (Route("/access", overview),)


def _page(tenant: Tenant) -> str | None:
    """The address of the room's own page, if it is the room by which people sign in."""
    room = tenant.console.room
    return None if room is None or room.room != tenant.settings.room else room.page
