"""What every answer of the console has in its header, whoever made it."""

from __future__ import annotations

from typing import Final

from immure.access.web.wire import SAFE, Pair, Receive, Scope, Send, content_policy

HEADERS: Final[tuple[Pair, ...]] = (
    content_policy("img-src 'self'", "connect-src 'self'"),
    (b"permissions-policy", b"publickey-credentials-get=(self), camera=(), microphone=(), geolocation=()"),
    (b"strict-transport-security", b"max-age=31536000"),
    *SAFE,
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
