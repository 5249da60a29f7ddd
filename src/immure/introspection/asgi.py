"""As little of ASGI as the server needs: a request with its headers, a bounded body, an answer.

The two ways in are called for every login and every request of others, so nothing stands between them and the
server's own loop: see ``docs/adr/0009-introspection-server.md``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from immure.introspection.errors import BodySizeError, BrokenBodyError, RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON: Final = (b"content-type", b"application/json")
NO_STORE: Final = (b"cache-control", b"no-store")


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header; its name in lower case."""
    return [value for key, value in scope["headers"] if key == name]


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request. That it comes in time is up to the server (:mod:`.protocol`).

    Raises:
        BodySizeError: it is, or says that it is, longer than ``most`` bytes.
        BrokenBodyError: its sender went away.
    """
    for key, value in scope["headers"]:
        if key == b"content-length" and (len(value) > 10 or not value.isdigit() or int(value) > most):
            raise BodySizeError(f"the body is longer than {most} bytes")
    message = await receive()
    parts, size = [message.get("body", b"")], 0
    while True:
        size += len(parts[-1])
        if message["type"] != "http.request":
            raise BrokenBodyError("who asked went away")
        if size > most:
            raise BodySizeError(f"the body is longer than {most} bytes")
        if not message.get("more_body", False):
            return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))


async def answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send a whole answer; its length is added to the headers."""
    fields = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def answer_error(send: Send, error: RequestError) -> None:
    """Answer as RFC 6749, section 5.2, has it."""
    body = json.dumps({"error": error.error, "error_description": error.reason}).encode("ascii")
    await answer(send, error.status, body, (JSON, NO_STORE, *error.headers))
