"""What every answer of the console has in its header, whoever made it."""

from __future__ import annotations

from typing import Final

from immure.access.web.wire import Pair, Receive, Scope, Send

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS: Final[tuple[Pair, ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"permissions-policy", b"publickey-credentials-get=(self), camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # with "no-referrer" browsers say "Origin: null" even to ourselves, and our own form would be refused
    (b"referrer-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_CACHE: Final[Pair] = (b"cache-control", b"no-store")


async def send_with_headers(send: Send, message: Scope) -> None:
    """Send a message; the start of an answer with the fields above."""
    if message["type"] == "http.response.start":
        fields = list(message.get("headers", ()))
        if not any(name.lower() == b"cache-control" for name, _ in fields):
            fields.append(_CACHE)
        message = {**message, "headers": [*fields, *HEADERS]}
    await send(message)


class Headed:
    """ASGI middleware."""

    def __init__(self, app: object) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        app: object = self._app
        if scope["type"] != "http":
            await app(scope, receive, send)  # type: ignore[operator]
            return

        async def headed(message: Scope) -> None:
            await send_with_headers(send, message)

        await app(scope, receive, headed)  # type: ignore[operator]
