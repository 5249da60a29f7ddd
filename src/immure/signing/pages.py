"""The pages of signing in: a form, and an error. No script, nothing from elsewhere, usable by keyboard."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlsplit

_STYLE: Final = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0; display: grid; min-height: 100vh; place-items: center; padding: 1rem }
main { width: min(24rem, 100%) }
h1 { font-size: 1.4rem; margin: 0 0 .25rem }
label { display: block; margin: 1rem 0 .25rem }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid GrayText;
  border-radius: .25rem; background: Field; color: FieldText }
button { font: inherit; margin-top: 1.5rem; padding: .5rem 1.5rem; border: 0; border-radius: .25rem;
  background: #1d4ed8; color: #fff; cursor: pointer }
:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px }
.error { border-left: .25rem solid #b91c1c; padding-left: .75rem }
"""


#: What a policy may name: an origin, or the scheme of an app.
_TARGET: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+|[A-Za-z0-9+.\-]+:")


def headers_for(uri: str | None = None) -> tuple[tuple[bytes, bytes], ...]:
    """Of a page with a form, after which a browser is sent on to an address, if one is given.

    The policy of a page also holds for where its form is sent on to.
    """
    target = "" if uri is None else _origin(uri)
    return (*_FIXED, (b"content-security-policy", f"{_POLICY}; form-action 'self'{target}".encode()))


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    made = f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
    return f" {made}" if _TARGET.fullmatch(made) else ""


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"


_POLICY: Final = _policy()
_FIXED: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    # with "no-referrer" browsers say "Origin: null" even to ourselves, and our own form would be refused
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
#: Of a page without a form.
HEADERS: Final = headers_for()


def sign_in(*, action: str, client: str, issuer: str, guard: str, request: str, error: str | None) -> bytes:
    """The form.

    Args:
        action: path that it is sent to.
        client, issuer: where somebody wants to go, and who asks.
        guard: value that must come back with the cookie of the same value.
        request: what was asked for, to go on with.
        error: what was wrong with the last try.
    """
    note = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    body = f"""<h1>Sign in</h1>
<p>to go on to <strong>{escape(client)}</strong></p>
{note}
<form method="post" action="{escape(action)}">
<input type="hidden" name="guard" value="{escape(guard)}">
<input type="hidden" name="request" value="{escape(request)}">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
</form>
<p><small>{escape(issuer)}</small></p>"""
    return _page("Sign in", body)


def signing_out(*, action: str, guard: str, asked: Mapping[str, str]) -> bytes:
    """Asks whether to sign out.

    Args:
        action: path that the form is sent to.
        guard: value that must come back with the cookie of the same value.
        asked: what was asked for, to go on with.
    """
    kept = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in {"guard": guard, **asked}.items()
    )
    body = f"""<h1>Sign out?</h1>
<form method="post" action="{escape(action)}">
{kept}
<button type="submit">Sign out</button>
</form>"""
    return _page("Sign out", body)


def signed_out() -> bytes:
    """What somebody sees who has signed out, and goes nowhere."""
    return _page("Signed out", "<h1>Signed out</h1>\n<p>You may close this page.</p>")


def error_page(words: str) -> bytes:
    """What somebody sees whom a client sent with a request that cannot be answered to it."""
    return _page(
        "This did not work", f'<h1>This did not work</h1>\n<p class="error" role="alert">{escape(words)}</p>'
    )


def _page(title: str, body: str) -> bytes:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
""".encode()
