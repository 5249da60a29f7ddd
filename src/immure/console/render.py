"""Pages of templates: everything is escaped, and what cannot be seen, or turns others around, is spelled out.

Texts come from whoever made a dump, a token or a key set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from immure.console.assets import address_of
from immure.scanning.report.markup import Markup as Report
from immure.scanning.report.words import visible

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page of ``templates/NAME``, which gets ``context`` and

    ``tenant``, ``role``, ``person``, ``tenants``, ``menu``: who looks at what; None or empty before sign-in;
    ``token``: what a form must bring as ``token``;
    ``base``: the address of the tenant, ``/t/NAME``;
    ``path``, ``query``: of the request; ``here(page=2)`` is its address with another query.
    """
    state = request.state
    tenant = getattr(state, "tenant", None)
    role = getattr(state, "role", None)
    known = {
        "tenant": tenant,
        "role": role,
        "person": getattr(state, "person", None),
        "tenants": getattr(state, "tenants", ()),
        "menu": getattr(state, "menu", ()),
        "token": getattr(state, "token", ""),
        "base": f"/t/{tenant.name}" if tenant else "",
        "path": request.url.path,
        "query": request.query_params,
        "here": _here(request),
        "live": False,
    }
    text = environment().get_template(name).render({**known, **context})
    return HTMLResponse(text, status)


def _here(request: Request) -> Any:
    """Makes addresses of this page with some members of the query replaced; None takes one away."""

    def here(**changes: object) -> str:
        query: Mapping[str, object] = {**dict(request.query_params), **changes}
        kept = {name: str(one) for name, one in query.items() if one is not None and one != ""}
        return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path

    return here


@cache
def environment() -> Environment:
    """The templates, and what they may call."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(moment=moment, age=age, size=size, count=count, whole=whole)
    made.globals.update(asset=address_of)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Report):  # what the reports of other rooms are made of
        return Markup(value)  # noqa: S704 - it was escaped when it was made
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def moment(at: datetime | None) -> Markup | str:
    """A time, for people and programs: in UTC, to the minute, whole in the title."""
    if at is None:
        return "–"
    whole = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(whole, f"{whole[:10]} {whole[11:16]}")


def age(seconds: float | None) -> str:
    """A span of time in its two largest units.

    >>> age(93784), age(59), age(None)
    ('1 d 2 h', '59 s', '–')
    """
    if seconds is None:
        return "–"
    left = int(abs(seconds))
    words: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number or (unit == "s" and not words):
            words.append(f"{number} {unit}")
    return " ".join(words[:2])


def size(octets: int | None) -> str:
    """Bytes, in the unit that they are read in.

    >>> size(512), size(5_242_880)
    ('512 B', '5.0 MiB')
    """
    if octets is None:
        return "–"
    value, unit = float(octets), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{octets} B" if unit == "B" else f"{value:.1f} {unit}"


def count(number: int) -> Markup:
    """A number with its thousands apart (no-break narrow spaces, as ISO 80000-1 has spaces).

    >>> str(count(1234567)).encode("ascii", "xmlcharrefreplace")
    b'1&#8239;234&#8239;567'
    """
    return Markup(f"{number:,}".replace(",", "\u202f"))  # noqa: S704 - digits and spaces


def whole(text: str) -> Markup:
    """A text of our own that must not be cut or spelled out (JSON for the script); escaped."""
    return Markup("{}").format(text)
