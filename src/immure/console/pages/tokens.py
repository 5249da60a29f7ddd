"""Tokens that were issued, accepted, refused and forged, over time; what is behind a span; its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from immure.console.pages.asked import at, moment, number, one_of, spelled, text
from immure.console.paging import Paging
from immure.console.plots.timeseries import Hit, Strip, timeseries
from immure.console.render import render
from immure.console.roles import Role
from immure.console.rollup import HOUR, KINDS, OTHERS, Bucket, Kind, RollupError, add_up
from immure.console.sources import token_rows, tokens
from immure.errors import UsageError

if TYPE_CHECKING:
    from markupsafe import Markup

    from immure.console.tenant import Tenant

ROLE: Final = Role.VIEWER
_TITLES: Final = {"issued": "Issued", "accepted": "Accepted", "refused": "Refused", "forged": "Forged"}
#: The longest span whose rows are shown.
_LONGEST: Final = 366 * 24 * HOUR
_FINDINGS: Final = 25


def overview(request: Request) -> Response:
    """Counts over time, and what was found."""
    tenant: Tenant = request.state.tenant
    span = one_of(request, "span", tuple(tokens.SPANS), "week")
    end, rule = moment(request, "end"), text(request, "rule")
    asked = Paging.of(1 << 30, number(request, "page"), _FINDINGS)
    judged = tokens.judged(tenant.settings, rule=rule, offset=asked.offset, most=_FINDINGS)
    paging = None if judged is None else Paging.of(judged.findings.total, number(request, "page"), _FINDINGS)
    series, missing = None, ""
    try:
        series = tokens.series(tenant.console, tenant.settings, span, end)
    except RollupError as error:
        missing = error.reason
    return render(
        request, "tokens.html", series=series, missing=missing, judged=judged, paging=paging, rule=rule,
        rules=_rules(judged), span=span, spans=tuple(tokens.SPANS), titles=_TITLES, kinds=KINDS,
        address=_address(request),
        plot=None if series is None else _plot(request, series.begin, series.step, series.buckets),
        earlier=None if series is None else spelled(max(0, series.begin)),
        later=None if series is None else spelled(series.end + series.end - series.begin),
        at=at, live="tokens",
    )  # fmt: skip


def span(request: Request) -> Response:
    """What is behind a span of time: hours, who, and rows."""
    tenant: Tenant = request.state.tenant
    begin, end = moment(request, "begin"), moment(request, "end")
    if begin is None or end is None or not 0 < end - begin <= _LONGEST:
        raise UsageError("begin and end are times, and end comes after begin, by a year at most")
    kind = _kind(one_of(request, "kind", KINDS, "accepted"))
    issuer, party = (request.query_params.get(name) for name in ("issuer", "party"))
    ask = (tenant.console, tenant.settings)
    step = HOUR if end - begin <= 200 * HOUR else -(-(end - begin) // 200 // HOUR) * HOUR
    buckets = tokens.buckets(*ask, begin, end, step)
    rows = token_rows.rows_of(
        *ask, kind, begin, end, issuer=issuer, party=party, after=request.query_params.get("after")
    )
    return render(
        request, "tokens_span.html", begin=begin, end=end, kind=kind, kinds=KINDS, titles=_TITLES,
        sums=add_up(buckets), step=step, buckets=buckets, rows=rows, issuer=issuer, party=party,
        shares=tokens.shares(*ask, kind, begin, end), others=OTHERS, at=at, address=_address(request),
        plot=_plot(request, begin // step * step, step, buckets) if end - begin > HOUR else None,
        earlier=(max(0, 2 * begin - end), begin), later=(end, 2 * end - begin),
    )  # fmt: skip


def refresh(tenant: Tenant) -> None:
    """Count what is new, so that nobody who asks waits for it; given up when the console ends, and gone on
    with when it starts again."""
    end = tenant.source("tokens-end", lambda _: _End()).event
    tokens.refresh_tenant(tenant.console, tenant.settings, stop=end)
    if not end.is_set():
        token_rows.prepare(tenant.console, tenant.settings)
        tokens.judged(tenant.settings, rule="", offset=0, most=0)


class _End:
    """Set when the tenant is closed."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def close(self) -> None:
        """The console ends."""
        self.event.set()


def stamp(tenant: Tenant) -> object:
    """What differs when something else was counted, or found."""
    return tokens.counted(tenant.console, tenant.settings), tokens.newest(tenant.settings)


ROUTES: Final = (Route("/tokens", overview), Route("/tokens/span", span))


def _rules(judged: tokens.Judged | None) -> list[tuple[str, str]]:
    found = () if judged is None else judged.findings.by_rule
    return [("", "all"), *((name, f"{name} ({number:,})") for name, number in found)]


def _kind(word: str) -> Kind:
    return next(one for one in KINDS if one == word)


def _plot(request: Request, begin: int, step: int, buckets: Sequence[Bucket]) -> Markup:
    address = _address(request)
    strips = [
        Strip(_TITLES[kind], kind, [one.counts.get(kind, 0) for one in buckets])
        for kind in KINDS
        if kind != "refused" or any(one.counts.get(kind) for one in buckets)
    ]
    hits = [Hit(address(one.begin, one.begin + step), _words(one)) for one in buckets]
    sums = add_up(buckets)
    span = f"{spelled(begin)} until {spelled(begin + step * len(buckets))}"
    told = f"From {span}: {', '.join(f'{sums[kind]:,} {kind}' for kind in KINDS)}. The table has each bucket."
    return timeseries("Tokens over time", told, begin, step, strips, hits)


def _words(one: Bucket) -> str:
    return f"{spelled(one.begin)}: " + ", ".join(f"{one.counts.get(kind, 0):,} {kind}" for kind in KINDS)


def _address(request: Request) -> Callable[..., str]:
    """Makes addresses of what is behind a span, of all of it or of one issuer at one relying party."""
    base = f"/t/{request.state.tenant.name}/tokens/span"

    def address(begin: int, end: int, kind: str = "accepted", **which: str) -> str:
        query = f"begin={spelled(begin)}&end={spelled(end)}&kind={kind}"  # of no character to be quoted
        return f"{base}?{query}&{urlencode(which)}" if which else f"{base}?{query}"

    return address
