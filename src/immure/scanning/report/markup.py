"""HTML that is safe by construction: whatever is not :class:`Markup` already is made visible and escaped.

>>> element("p", "a < b", element("br"), id="x")
'<p id="x">a &lt; b<br></p>'
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from immure.scanning.report.words import visible

_VOID = frozenset({"meta", "br", "hr"})


class Markup(str):
    """Text that is HTML already. Only this module and constants of ours may make it."""

    __slots__ = ()


def text(value: str) -> Markup:
    """``value`` as HTML text."""
    return value if isinstance(value, Markup) else Markup(escape(visible(value)))


def join(parts: Iterable[str]) -> Markup:
    """Parts side by side."""
    return Markup("".join(text(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str | int | None) -> Markup:
    """An element. ``class_``, ``aria_label`` stand for ``class``, ``aria-label``; None leaves one out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], label: str) -> Markup:
    """A table that scrolls sideways by itself on narrow screens, also by keyboard."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    grid = element("table", element("thead", head), element("tbody", *body))
    return element("div", grid, class_="scroll", role="region", aria_label=label, tabindex="0")


def page_head(title: str, style: str) -> Markup:
    """The head of a page that stands alone: nothing may be loaded from anywhere, no script may run, and of
    styles only this one is in force (Content Security Policy, level 3)."""
    digest = base64.b64encode(hashlib.sha256(style.encode("ascii")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style)),
    )


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Terms and what is to be said of them."""
    return element(
        "dl",
        *(element("div", element("dt", term), element("dd", fact)) for term, fact in pairs),
        class_="facts",
    )
