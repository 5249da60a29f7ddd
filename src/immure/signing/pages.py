"""The pages of signing in: a form, and an error. No script, nothing from elsewhere, usable by keyboard."""

from __future__ import annotations

from html import escape
from typing import Final

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


def _headers() -> tuple[tuple[bytes, bytes], ...]:
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    # form-action also holds for the redirect after the form is sent, which goes back to a client
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cache-control", b"no-store"),
    )


#: Of every page.
HEADERS: Final = _headers()


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
