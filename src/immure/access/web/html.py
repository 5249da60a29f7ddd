"""Pieces of HTML: texts, lists of words, links and buttons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode


def shown(text: object) -> str:
    """A text of somebody's, for HTML: what cannot be seen, or turns others around (Unicode bidi), is spelled
    out."""
    plain = "".join(one if one.isprintable() or one == "\n" else f"\\u{{{ord(one):x}}}" for one in str(text))
    return escape(plain)


def escaped(text: str) -> str:
    """A text for HTML that comes back as it is: what stands in a field, and what a script reads."""
    return escape(text)


def word_list(words: Iterable[str], name: str = "") -> str:
    """Lines of words; ``name`` is what a button is described by."""
    named = f' id="{name}"' if name else ""
    return f'<ul class="words"{named}>{"".join(f"<li>{shown(one)}</li>" for one in words)}</ul>'


def card(title: str, words: Iterable[str], *more: str) -> str:
    """Something that there is, and what can be done with it."""
    return f'<section class="card"><h3>{shown(title)}</h3>{word_list(words)}{"".join(more)}</section>'


def link(path: str, text: str, values: Mapping[str, str] | None = None, about: str = "") -> str:
    """A link; ``about`` is for those who hear it among others of the same text."""
    query = f"?{urlencode(values)}" if values else ""
    label = f' aria-label="{shown(text)}: {shown(about)}"' if about else ""
    return f'<a href="{escape(path + query)}"{label}>{shown(text)}</a>'


def links(about: str, made: Iterable[str]) -> str:
    """A list of links; nothing if there is none."""
    items = "".join(f"<li>{one}</li>" for one in made)
    return f'<nav aria-label="{shown(about)}"><ul>{items}</ul></nav>' if items else ""


def button(path: str, text: str, values: Mapping[str, str], about: str = "", *, second: bool = False) -> str:
    """A form that is a button, and nothing else."""
    kind = ' class="second"' if second else ""
    label = f' aria-label="{shown(text)}: {shown(about)}"' if about else ""
    inside = f"{hidden(values)}<button{kind}{label}>{shown(text)}</button>"
    return f'<form method="post" action="{path}">{inside}</form>'


def hidden(values: Mapping[str, str]) -> str:
    """Fields that nobody sees."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(one)}">' for name, one in values.items()
    )
