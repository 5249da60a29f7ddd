"""Incidents: where each stands; the timeline, deadlines and containment of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from immure.console.pages.asked import at, number, one_of
from immure.console.paging import Paging
from immure.console.render import render
from immure.console.roles import Role
from immure.console.sources.incidents import Shelf, confidences
from immure.response.deadlines.words import line
from immure.response.timeline import KINDS

if TYPE_CHECKING:
    from immure.console.tenant import Tenant

ROLE: Final = Role.VIEWER


def overview(request: Request) -> Response:
    """All incidents of the tenant."""
    tenant: Tenant = request.state.tenant
    found = _shelf(tenant).summaries()
    paging = Paging.of(len(found), number(request, "page"))
    return render(
        request, "incidents.html", incidents=paging.cut(found), paging=paging, at=at, live="incidents",
        open_ones=sum(one.closed is None and not one.error for one in found),
        unread=sum(bool(one.error) for one in found), overdue=sum(one.overdue for one in found),
        words=_words(tenant),
    )  # fmt: skip


def one(request: Request) -> Response:
    """One incident."""
    tenant: Tenant = request.state.tenant
    whole = _shelf(tenant).whole(request.path_params["folder"])
    if whole is None:
        raise HTTPException(404, "there is no such incident")
    kind = one_of(request, "kind", ("", *KINDS), "")
    sure = one_of(request, "sure", ("", *confidences()), "")
    order = one_of(request, "order", ("newest", "oldest"), "newest")
    entries = [
        each for each in whole.entries if kind in ("", each.kind) and sure in ("", each.confidence.value)
    ]
    entries = entries if order == "oldest" else entries[::-1]
    paging = Paging.of(len(entries), number(request, "page"))
    return render(
        request, "incidents_one.html", whole=whole, lines=whole.lines(paging.cut(entries)), paging=paging,
        at=at, kind=kind, sure=sure, order=order, kinds=_choices(KINDS), confidences=_choices(confidences()),
        words=_words(tenant), live="incidents",
    )  # fmt: skip


def stamp(tenant: Tenant) -> object:
    """What changes when any record does."""
    return _shelf(tenant).stamps()


ROUTES: Final = (Route("/incidents", overview), Route("/incidents/{folder}", one))


def _shelf(tenant: Tenant) -> Shelf:
    def make(settings: object) -> Shelf:
        assert tenant.settings.incidents is not None  # noqa: S101 - the page is not there without
        return Shelf(tenant.settings.incidents, tenant.clock)

    return tenant.source("incidents", make)


def _choices(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("", "all"), *((word, word) for word in words)]


def _words(tenant: Tenant) -> object:
    """How a deadline stands now, in a line."""
    moment = int(tenant.clock().timestamp())
    return lambda deadline: line(deadline, moment)
