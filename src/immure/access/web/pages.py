"""The frame of every page, and those of a deed: its form, what will be signed, what came of it.

Plain HTML, for keyboards and readers aloud; no inline script or style, nobody's frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from immure.access.asking import describe
from immure.access.ceremonies import Ceremony
from immure.access.web.forms import Deed, Field
from immure.access.web.html import button, escaped, hidden, shown, word_list

#: Where somebody can go who has signed in.
_PLACES: Final = {
    "/": "Production room",
    "/people": "People",
    "/workstations": "Workstations",
    "/policy": "Policy",
}


def page(title: str, body: str, *, who: str = "", token: str = "", script: bool = False) -> bytes:
    """A whole page; ``who`` has signed in."""
    code = '<script src="/assets/room.js" defer></script>' if script else ""
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
{_header(who, token) if who else ""}
<main id="main">
<h1>{shown(title)}</h1>
{body}
</main>
</body>
</html>
""".encode()


def _header(who: str, token: str) -> str:
    places = "".join(f'<li><a href="{path}">{name}</a></li>' for path, name in _PLACES.items())
    out = button("/sign-out", "Sign out", {"token": token}, second=True)
    return (
        f'<a class="skip" href="#main">To what this page is about</a>\n'
        f'<header><nav aria-label="The room"><ul>{places}</ul></nav>'
        f'<div class="who"><p>{shown(who)}</p>{out}</div></header>'
    )


def fault_line(words: str, rule: str = "") -> str:
    """Why something was not done; it has the focus when the page is there."""
    named = f" <small>(rule: {shown(rule)})</small>" if rule else ""
    return f'<p class="error" role="alert" tabindex="-1" autofocus>Not done: {shown(words)}{named}</p>'


def error_page(words: str, rule: str = "") -> bytes:
    """Why something was not done."""
    return page("Not done", f'{fault_line(words, rule)}\n<p><a href="/">Back to the beginning</a></p>')


def deed_page(
    name: str,
    deed: Deed,
    values: Mapping[str, str],
    *,
    who: str,
    token: str,
    levels: Sequence[str] = (),
    fault: tuple[str, str] | None = None,
) -> bytes:
    """The form of a deed.

    Args:
        values: what stands in its fields.
        levels: of screening, that the policy has.
        fault: why it was not begun with them: words, and the rule.
    """
    fields = "\n".join(field_html(one, values.get(one.name, one.value), levels) for one in deed.fields)
    told = "" if fault is None else fault_line(*fault)
    body = f"""{told}
<p>{shown(deed.lead)}</p>
<form method="post" action="/do/{name}">
{hidden({"token": token})}
{fields}
<button>Go on: read what you will sign</button>
</form>"""
    return page(deed.title if fault is None else f"Not done: {deed.title}", body, who=who, token=token)


def field_html(field: Field, value: str, levels: Sequence[str] = ()) -> str:
    """A field with its label and hint. What stands in it is sent back as it is: nothing is spelled out."""
    hint = f'<span class="hint" id="{field.name}-hint">{shown(field.hint)}</span>' if field.hint else ""
    named = f'id="{field.name}" name="{field.name}"'
    if hint:
        named += f' aria-describedby="{field.name}-hint"'
    if field.needed:
        named += " required"
    return (
        f'<label for="{field.name}">{shown(field.label)}</label>{hint}{_control(field, named, value, levels)}'
    )


def _control(field: Field, named: str, value: str, levels: Sequence[str]) -> str:
    if field.kind in ("long", "code"):
        look = 'rows="3"' if field.kind == "long" else 'rows="12" class="code" spellcheck="false"'
        # browsers leave out the first line break in it
        return f'<textarea {named} {look} maxlength="{field.most}">\n{escaped(value)}</textarea>'
    if field.kind in ("choice", "level"):
        choices = field.choices if field.kind == "choice" else levels
        options = "".join(
            f"<option{' selected' if one == value else ''}>{shown(one)}</option>" for one in choices
        )
        return f"<select {named}>{options}</select>"
    kind = field.kind if field.kind in ("number", "date", "time") else "text"
    bounds = {"number": ' min="1" max="999"', "text": f' maxlength="{field.most}"'}.get(kind, "")
    return (
        f'<input {named} type="{kind}"{bounds} value="{escaped(value)}" '
        f'autocomplete="{field.complete}" autocapitalize="none">'
    )


def sign_page(ceremony: Ceremony, *, who: str, token: str, text: str = "") -> bytes:
    """What a hardware key is about to sign, in words. ``text`` is shown whole: a policy, for instance."""
    told = describe(ceremony)
    options = escaped(json.dumps(told["options"]))
    whole = f"<h2>The text</h2>\n<pre>{shown(text)}</pre>" if text else ""
    body = f"""<p id="what">This, and nothing else, is what your hardware key will sign:</p>
{word_list(ceremony.words, "words")}
{whole}
<form id="sign" method="post" action="/complete" data-act="{shown(ceremony.act)}" data-options="{options}">
{hidden({"token": token, "response": ""})}
<button aria-describedby="what words">Sign with your hardware key</button>
</form>
<p id="trouble" class="error" role="alert"></p>
<p>Good until {shown(told["expires"])}. <a href="/">Do not sign</a></p>"""
    return page("Read, then touch your key", body, who=who, token=token, script=True)


def done_page(
    sentence: str, more: Sequence[str] = (), *, who: str, token: str, link: tuple[str, str] | None = None
) -> bytes:
    """What came of it."""
    lines = "\n".join(f'<p class="error" role="alert">{shown(one)}</p>' for one in more)
    on = f'<p><a href="{escaped(link[0])}" rel="noreferrer">{shown(link[1])}</a></p>' if link else ""
    told = f'<p role="status" id="done">{shown(sentence)}</p>'
    body = f'{told}\n{lines}\n{on}\n<p><a href="/">Back to the room</a></p>'
    return page("Done", body, who=who, token=token)
