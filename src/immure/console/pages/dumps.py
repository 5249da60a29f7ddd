"""Dumps: where each is on its way out, and what was erased of it."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from immure.console.dump_map import Mapped, Maps, places
from immure.console.paging import Paging
from immure.console.plots.memory_map import KINDS, kind_of, memory_map, regions_map
from immure.console.render import render
from immure.console.roles import Role
from immure.console.sources import dumps as source
from immure.console.sources.dump_record import MOST_LISTED, Record, record_of
from immure.console.tenant import Tenant
from immure.errors import ImmureError

ROLE = Role.VIEWER
#: Why the memory of some dumps is not drawn.
_AS_IT_CAME = "the dump is in the vault as it came, and is not opened to draw it"


def listing(request: Request) -> Response:
    """The list, the newest first."""
    tenant: Tenant = request.state.tenant
    index, at = source.index_of(tenant), tenant.clock()
    whole, trouble = _refreshed(tenant)
    state, text = request.query_params.get("state", ""), request.query_params.get("q", "").strip()
    rows, paging = source.dump_list(index, at, state=state, text=text, page=request.query_params.get("page"))
    return render(
        request,
        "dumps.html",
        rows=rows,
        paging=paging,
        counts=source.counts(index, at),
        choices=[(word, title) for word, (title, _) in source.FILTERS.items()],
        state=state,
        text=text,
        whole=whole,
        trouble=trouble,
        live="dumps",
    )


def one(request: Request) -> Response:
    """One dump."""
    tenant: Tenant = request.state.tenant
    index, at = source.index_of(tenant), tenant.clock()
    _, trouble = _refreshed(tenant)
    row = source.dump(index, request.path_params["id"], at)
    if row is None:
        raise HTTPException(404)
    try:
        record = record_of(tenant.settings, row)
    except ImmureError as error:
        record, trouble = Record(), str(error)
    maps = tenant.source("dump-maps", lambda settings: Maps(settings.vault))
    mapped = maps.of(row.digest) if record.redacted else Mapped(reason=_AS_IT_CAME)
    placed = places(mapped, record.spans)
    spans = Paging.of(len(record.spans), request.query_params.get("page"))
    return render(
        request,
        "dump.html",
        row=row,
        record=record,
        mapped=mapped,
        placed=[one for one in placed if one.spans or one.region.kind == "memory"][:MOST_LISTED],
        picture=memory_map(mapped.size or row.size, placed, record.gaps),
        rows=regions_map(placed),
        kinds=[kind for kind in KINDS if any(kind_of(one.region) is kind for one in placed)],
        clearings=source.clearings(index, row, at),
        decisions=source.decisions(index, row),
        spans=spans.cut(record.spans),
        paging=spans,
        trouble=trouble,
        live="dumps",
    )


def _refreshed(tenant: Tenant) -> tuple[bool, str]:
    """Whether the index is up to date, and what went wrong when it was to be."""
    try:
        return source.index_of(tenant).current(), ""
    except ImmureError as error:
        return True, str(error)


def stamp(tenant: Tenant) -> Any:
    """Differs when something has arrived, was cleared, or was decided."""
    index = source.index_of(tenant)
    return index.stamp(), index.generation


def refresh(tenant: Tenant) -> None:
    """Bring the index up to date."""
    source.index_of(tenant).refresh()


ROUTES = (Route("/dumps", listing), Route("/dumps/{id}", one))
