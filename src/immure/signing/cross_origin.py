"""Scripts in browsers that may ask for tokens: those of public clients, from where these are sent back to.

The Fetch Standard's CORS. The endpoints go by no cookie, so that a page of somebody else gains nothing by
asking; but it gains nothing by reading either if it is not allowed to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from immure.introspection.asgi import Message, Receive, Scope, Send, answer, header_values
from immure.signing.settings import Settings

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Where the way back is noted in the scope of a request.
SEND: Final = "immure.send"
#: Seconds for which a browser may remember that it may ask.
_REMEMBER: Final = b"600"


class CrossOrigin:
    """Lets some origins read the answers of an endpoint.

    Args:
        origins: as browsers write them, such as ``https://app.example``.
    """

    def __init__(self, origins: frozenset[bytes]) -> None:
        self._origins = origins

    @classmethod
    def of(cls, settings: Settings, issuer: str) -> CrossOrigin:
        """For the public clients of an issuer."""
        places = (
            urlsplit(uri)
            for client in settings.clients.values()
            if client.public and client.issuer == issuer
            for uri in client.redirect_uris
        )
        return cls(
            frozenset(
                f"{one.scheme}://{one.netloc}".lower().encode("ascii")
                for one in places
                if one.scheme in ("http", "https")
            )
        )

    def around(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for those origins, too."""
        if not self._origins:
            return endpoint

        async def shared(scope: Scope, receive: Receive, send: Send) -> None:
            origins = header_values(scope, b"origin")
            if len(origins) != 1 or origins[0] not in self._origins:
                await endpoint(scope, receive, send)
            elif scope["method"] == "OPTIONS":
                await answer(send, 204, b"", _preflight(origins[0]))
            else:
                sending = scope[SEND] = _sending(send, origins[0])  # errors go the same way
                await endpoint(scope, receive, sending)

        return shared


def _preflight(origin: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (
        *_allowed(origin),
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", b"content-type, dpop"),
        (b"access-control-max-age", _REMEMBER),
    )


def _allowed(origin: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"access-control-allow-origin", origin), (b"vary", b"Origin"))


def _sending(send: Send, origin: bytes) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_allowed(origin)]
        await send(message)

    return sending
