"""The application: endpoints of all issuers, each under the path of its own URL, and those of the service.

``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json`` are the service's. As in front of introspection,
little stands between a request and its answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

from immure.errors import ImmureError
from immure.introspection.asgi import JSON, NO_STORE, Receive, Scope, Send, answer
from immure.introspection.errors import NoSuchPageError, RequestError
from immure.introspection.metrics import MEDIA_TYPE
from immure.signing.cross_origin import SEND
from immure.signing.endpoints import PRIVATE, Endpoint, IssuerEndpoints, only_reading
from immure.signing.oauth import unavailable
from immure.signing.observer import Observer
from immure.signing.wholes import Answer, Whole, Wholes

#: Characters that a description may not have (RFC 6749, section 5.2).
_PLAIN: Final = {ord('"'): "'", ord("\\"): "/"}


class SigningApp:
    """All issuers.

    Args:
        observer: is told what goes on.
        ready: says whether tokens can be given now; raises ImmureError if not.
        measure: brings the gauges up to date; None if nobody may read them.
    """

    def __init__(
        self,
        observer: Observer,
        *,
        ready: Callable[[], Awaitable[None]],
        measure: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._observer = observer
        self._ready = ready
        self._measure = measure
        self._document = b""
        self._routes: dict[str, Endpoint] = {}
        self._wholes = Wholes()

    def serve(
        self, issuers: Iterable[IssuerEndpoints], document: bytes, wholes: Wholes | None = None
    ) -> None:
        """Answer for these issuers from now on.

        Args:
            document: OpenAPI, JSON.
            wholes: where the issuers keep requests that are known as a whole.
        """
        self._document = document
        self._wholes = Wholes() if wholes is None else wholes
        routes: dict[str, Endpoint] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/openapi.json": self._openapi,
        }
        if self._measure is not None:
            routes["/metrics"] = self._metrics
        for one in issuers:
            routes |= one.routes()
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self._routes.get(scope["path"])
        try:
            if endpoint is None:
                raise NoSuchPageError("there is nothing here")
            await endpoint(scope, receive, send)
        except RequestError as error:
            await self._refuse(scope, send, error)
        except ImmureError as error:
            await self._refuse(scope, send, unavailable(error))

    def again(self, data: bytes) -> Coroutine[Any, Any, Answer] | None:
        """Answer a request that is known as a whole; None if it is not, and must be read.

        Args:
            data: all of it, head and body.
        """
        known = self._wholes.find(data)
        return None if known is None else self._again(known)

    async def _again(self, known: Whole) -> Answer:
        try:
            return 200, PRIVATE, await known.answer()
        except RequestError as error:
            return self._refusal(known.path, known.client, error)
        except ImmureError as error:
            return self._refusal(known.path, known.client, unavailable(error))

    async def _refuse(self, scope: Scope, send: Send, error: RequestError) -> None:
        path = scope["path"] if scope["path"] in self._routes else "-"
        status, headers, body = self._refusal(path, scope.get("immure.client"), error)
        await answer(scope.get(SEND, send), status, body, headers)

    def _refusal(self, path: str, client: str | None, error: RequestError) -> Answer:
        self._observer.refused(path, client, error)
        reason = error.reason.translate(_PLAIN)
        body = json.dumps({"error": error.error, "error_description": reason}).encode("ascii")
        return error.status, (JSON, NO_STORE, *error.headers), body

    # --- for those who watch ---

    async def _healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_reading(scope)
        await answer(send, 200, b'{"status":"ok"}', (JSON, NO_STORE))

    async def _readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_reading(scope)
        await self._ready()
        await answer(send, 200, b'{"status":"ready"}', (JSON, NO_STORE))

    async def _openapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_reading(scope)
        await answer(send, 200, self._document, (JSON, NO_STORE))

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_reading(scope)
        if self._measure is not None:
            await self._measure()
        text = self._observer.metrics.text()
        await answer(send, 200, text, ((b"content-type", MEDIA_TYPE.encode("ascii")), NO_STORE))
