"""``POST /introspect`` (RFC 7662): is this token active, and what does it say?

A refused token is answered with ``{"active":false}`` and nothing else: Dovecot lets in whoever comes with a
``username`` beside it, and nobody is to learn why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.errors import KeySourceError
from immure.introspection.answers import encoded, introspection_answer
from immure.introspection.asgi import JSON, NO_STORE, Receive, Scope, Send, answer, header_values, read_body
from immure.introspection.authenticate import Authenticator
from immure.introspection.deciding import Desk
from immure.introspection.errors import ClientError, FormError, MediaTypeError, MethodError, UnavailableError
from immure.introspection.forms import parse_form
from immure.introspection.settings import Settings
from immure.introspection.watch import Watch

MOST_BYTES: Final = 32 << 10
_FORM: Final = b"application/x-www-form-urlencoded"
_INACTIVE: Final = b'{"active":false}'
_HEADERS: Final = (JSON, NO_STORE)


class Introspection:
    """The endpoint.

    Args:
        settings: of the server.
        desks: by the names of the clients.
        authenticator: tells who asks.
        watch: is told who could not say it.
    """

    def __init__(
        self, settings: Settings, desks: Mapping[str, Desk], authenticator: Authenticator, watch: Watch
    ) -> None:
        self._clients, self._desks, self._authenticator = settings.clients, desks, authenticator
        self._username, self._claims = settings.username, settings.claims
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises RequestError for all that is no verdict."""
        if scope["method"] != "POST":
            raise MethodError("introspection takes POST")
        kind = header_values(scope, b"content-type")
        if len(kind) != 1 or kind[0].partition(b";")[0].strip().lower() != _FORM:
            raise MediaTypeError(f"the body must be {_FORM.decode()}")
        form = parse_form(await read_body(scope, receive, MOST_BYTES))
        name = await self._client(scope, form)
        token = form.get("token")
        if token is None:
            raise FormError("there is no token")
        claims = (await self._desks[name].decide(token)).claims
        if claims is None:
            body = _INACTIVE
        else:
            audiences = self._clients[name].audiences
            body = encoded(introspection_answer(claims, audiences, self._username, self._claims))
        await answer(send, 200, body, _HEADERS)

    async def _client(self, scope: Scope, form: Mapping[str, str]) -> str:
        try:
            return await self._authenticator.client(scope, form)
        except ClientError as error:
            self._watch.unknown_client(error)
            raise
        except KeySourceError as error:
            self._watch.undecided("client", error)
            raise UnavailableError("the keys of the client cannot be had now") from error
