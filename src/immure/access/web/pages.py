"""The pages: plain HTML, for keyboards and readers aloud; no inline script or style, nobody's frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from immure.access.asking import describe
from immure.access.ceremonies import Ceremony
from immure.access.records import Request as Asked
from immure.access.web.deeds import DEEDS, Deed, Field
from immure.access.web.wire import Pair

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
#: Of every answer that is not for a proxy.
HEADERS: Final[tuple[Pair, ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"permissions-policy", b"publickey-credentials-get=(self), publickey-credentials-create=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # with "no-referrer" browsers say "Origin: null" even to ourselves, and our own form would be refused
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
HTML: Final[Pair] = (b"content-type", b"text/html; charset=utf-8")


def shown(text: object) -> str:
    """A text of somebody's, for HTML: what cannot be seen, or turns others around (Unicode bidi), is spelled
    out."""
    plain = "".join(one if one.isprintable() or one == "\n" else f"\\u{{{ord(one):x}}}" for one in str(text))
    return escape(plain)


def page(title: str, body: str, *, who: str = "", token: str = "", script: bool = False) -> bytes:
    """A whole page."""
    code = '<script src="/assets/room.js" defer></script>' if script else ""
    out = ""
    if who:
        out = (
            f'<header><p><a href="/">Production room</a></p><p>{shown(who)}</p>'
            f'<form method="post" action="/sign-out">{_hidden({"token": token})}'
            '<button class="second">Sign out</button></form></header>'
        )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{shown(title)} - production room</title>
<link rel="stylesheet" href="/assets/room.css">
{code}
</head>
<body>
{out}
<main>
<h1>{shown(title)}</h1>
{body}
</main>
</body>
</html>
""".encode()


def error_page(words: str, rule: str = "") -> bytes:
    """Why something was not done."""
    named = f" <small>(rule: {shown(rule)})</small>" if rule else ""
    back = '<p><a href="/">Back to the beginning</a></p>'
    return page("Not done", f'<p class="error" role="alert">{shown(words)}{named}</p>\n{back}')


def deed_page(name: str, deed: Deed, values: Mapping[str, str], *, who: str, token: str) -> bytes:
    """The form of a deed."""
    fields = "\n".join(_field(field, values.get(field.name, field.value)) for field in deed.fields)
    body = f"""<p>{shown(deed.lead)}</p>
<form method="post" action="/do/{name}">
{_hidden({"token": token})}
{fields}
<button>Go on: read what you will sign</button>
</form>"""
    return page(deed.title, body, who=who, token=token)


def _field(field: Field, value: str) -> str:
    hint = f'<span class="hint" id="{field.name}-hint">{shown(field.hint)}</span>' if field.hint else ""
    named = f'id="{field.name}" name="{field.name}"' + (
        f' aria-describedby="{field.name}-hint"' if hint else ""
    )
    needed = " required" if field.needed else ""
    label = f'<label for="{field.name}">{shown(field.label)}</label>{hint}'
    if field.kind == "long":
        return f'{label}<textarea {named} rows="3" maxlength="2000"{needed}>{shown(value)}</textarea>'
    if field.kind == "choice":
        options = "".join(f"<option>{shown(one)}</option>" for one in field.choices)
        return f"{label}<select {named}{needed}>{options}</select>"
    kind = field.kind if field.kind in ("number", "date") else "text"
    least = ' min="1"' if kind == "number" else ""
    return (
        f'{label}<input {named} type="{kind}"{least} value="{shown(value)}" maxlength="2000" '
        f'autocomplete="{field.complete}" autocapitalize="none"{needed}>'
    )


def sign_page(ceremony: Ceremony, *, who: str, token: str, text: str = "") -> bytes:
    """What a hardware key is about to sign, in words. ``text`` is shown whole: a policy, for instance."""
    told = describe(ceremony)
    options = escape(json.dumps(told["options"]))
    whole = f"<h2>The text</h2>\n<pre>{shown(text)}</pre>" if text else ""
    body = f"""<p id="what">This, and nothing else, is what your hardware key will sign:</p>
{word_list(ceremony.words, "words")}
{whole}
<form id="sign" method="post" action="/complete" data-act="{shown(ceremony.act)}" data-options="{options}">
{_hidden({"token": token, "response": ""})}
<button aria-describedby="what words">Sign with your hardware key</button>
</form>
<p id="trouble" class="error" role="alert"></p>
<p>Good until {shown(told["expires"])}. <a href="/">Do not sign</a></p>"""
    return page("Read, then touch your key", body, who=who, token=token, script=True)


def done_page(
    sentence: str, more: Sequence[str], *, who: str, token: str, link: tuple[str, str] | None
) -> bytes:
    """What came of it."""
    lines = "\n".join(f'<p class="error" role="alert">{shown(one)}</p>' for one in more)
    on = f'<p><a href="{shown(link[0])}" rel="noreferrer">{shown(link[1])}</a></p>' if link else ""
    told = f'<p role="status" id="done">{shown(sentence)}</p>'
    body = f'{told}\n{lines}\n{on}\n<p><a href="/">Back to the room</a></p>'
    return page("Done", body, who=who, token=token)


def overview(
    *,
    who: str,
    token: str,
    asked: Iterable[tuple[Asked, Sequence[str], int]],
    grants: Iterable[tuple[str, Sequence[str], Sequence[str]]],
) -> bytes:
    """What waits, and what is granted.

    Args:
        asked: requests, what they say, how many have approved them.
        grants: their ids, what they say, and which deeds there are for them.
    """
    waiting = "\n".join(_request_card(one, words, count, token) for one, words, count in asked)
    granted = "\n".join(_card(f"grant {name}", words, _links(deeds, name)) for name, words, deeds in grants)
    names = ("request", "enrol", "key", "break-glass")
    links = "".join(f'<li><a href="/do/{name}">{shown(DEEDS[name].title)}</a></li>' for name in names)
    body = f"""<nav aria-label="What can be done"><ul>{links}</ul></nav>
<h2>Waiting for approval</h2>
{waiting or "<p>Nothing.</p>"}
<h2>Granted</h2>
{granted or "<p>Nothing.</p>"}"""
    return page("Production room", body, who=who, token=token)


def _request_card(request: Asked, words: Sequence[str], count: int, token: str) -> str:
    if request.state == "keys":
        buttons = f'<p>Waits for keys: <a href="/do/register?{_about(request)}">register one</a></p>'
    else:
        label = f"request {request.id}"
        buttons = _button("approve", "Read, and approve", {"request": request.id, "token": token}, label)
        buttons += _button("deny", "Deny", {"request": request.id, "token": token}, label, second=True)
    lines = [*words, f"{request.account} asks; {count} of {request.needed} have approved"]
    return _card(f"request {request.id}", lines, buttons)


def _about(request: Asked) -> str:
    from urllib.parse import urlencode

    subject: Mapping[str, Any] = request.subject
    return escape(urlencode({"account": str(subject.get("account", "")), "request": request.id}))


def _card(title: str, words: Sequence[str], buttons: str) -> str:
    return f'<section class="card"><h3>{shown(title)}</h3>{word_list(words)}{buttons}</section>'


def _links(deeds: Sequence[str], grant: str) -> str:
    made = (
        f'<li><a href="/do/{name}?grant={escape(grant)}">{shown(DEEDS[name].title)}</a></li>'
        for name in deeds
    )
    return f'<nav aria-label="For grant {escape(grant)}"><ul>{"".join(made)}</ul></nav>' if deeds else ""


def _button(name: str, text: str, values: Mapping[str, str], label: str, *, second: bool = False) -> str:
    kind = ' class="second"' if second else ""
    return (
        f'<form method="post" action="/do/{name}">{_hidden(values)}'
        f'<button{kind} aria-label="{shown(text)}: {shown(label)}">{shown(text)}</button></form>'
    )


def word_list(words: Iterable[str], name: str = "") -> str:
    """Lines of words; ``name`` is what a button is described by."""
    named = f' id="{name}"' if name else ""
    return f'<ul class="words"{named}>{"".join(f"<li>{shown(one)}</li>" for one in words)}</ul>'


def _hidden(values: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(one)}">' for name, one in values.items()
    )
