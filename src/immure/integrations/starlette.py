"""Starlette behind a guard.

    app = Starlette(routes=[…], middleware=[Middleware(Protect, guard=guard)])   # all of it, or
    @protect(guard, scopes=["mail.send"])                                        # one endpoint
    async def send(request):
        return PlainTextResponse(claims(request)["sub"])

:class:`Backend` is for those who have Starlette's ``AuthenticationMiddleware`` and ``requires`` already.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket

from immure.errors import UsageError
from immure.integrations import asgi
from immure.integrations.asgi import Certificate, Scope
from immure.integrations.bearer import Guard, Refusal, metadata_path, scopes_of
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

Arguments = ParamSpec("Arguments")


class TokenUser(BaseUser):
    """Whom a token is about.

    Attributes:
        claims: of the token.
    """

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    @property
    def is_authenticated(self) -> bool:
        """True."""
        return True

    @property
    def display_name(self) -> str:
        """``sub``, which says nothing without its issuer; empty if there is none."""
        return self.claims.subject or ""

    @property
    def identity(self) -> str:
        """Issuer and subject, with a blank between them: no other issuer's subject has the same."""
        return f"{self.claims.issuer} {self.display_name}"


class Protect(asgi.Protect):
    """As :class:`immure.integrations.asgi.Protect`; sets ``request.user`` and ``request.auth`` too."""

    def admitted(self, scope: Scope, found: Claims) -> None:
        """So that ``requires`` knows the scopes."""
        scope["auth"], scope["user"] = credentials(found), TokenUser(found)


def protect(
    guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> Callable[[Callable[Arguments, Any]], Callable[Arguments, Awaitable[Any]]]:
    """Decorator of an endpoint: a function or method of a request or a WebSocket, async or not.

    Args:
        guard, scopes, certificate: as :class:`Protect` has them.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    def decorate(endpoint: Callable[Arguments, Any]) -> Callable[Arguments, Awaitable[Any]]:
        @wraps(endpoint)
        async def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
            connection = _connection([*args, *kwargs.values()])
            try:
                await asgi.admit(guard, connection.scope, asked, certificate)
            except Refusal as answer:
                return await _refuse(answer, connection)
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        return guarded

    return decorate


def _connection(arguments: Sequence[object]) -> HTTPConnection:
    for argument in arguments:
        if isinstance(argument, HTTPConnection):
            return argument
    raise UsageError("protect is for endpoints: functions of a request or a WebSocket")


async def _refuse(answer: Refusal, connection: HTTPConnection) -> Response | None:
    if isinstance(connection, WebSocket):
        await asgi.send_refusal(answer, connection.scope, connection.send)
        return None
    return response(answer)


def claims(connection: HTTPConnection) -> Claims:
    """The claims of the token that came with this request; raises UsageError if nobody has looked at one."""
    return asgi.claims(connection.scope)


def scopes(connection: HTTPConnection) -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return asgi.scopes(connection.scope)


def credentials(claims: Claims) -> AuthCredentials:
    """What ``requires`` looks at: the token's scopes, and ``authenticated``."""
    return AuthCredentials(["authenticated", *sorted(scopes_of(claims))])


class TokenRefusedError(AuthenticationError):
    """What :class:`Backend` raises; ``refusal`` is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.description)
        self.refusal = refusal


class Backend(AuthenticationBackend):
    """For Starlette's ``AuthenticationMiddleware``, with ``on_error=on_error``.

    A request without a token goes through as nobody's: it is for ``requires`` to stop it, which it does with
    403 and without a challenge. :class:`Protect` and :func:`protect` need no second step.
    """

    def __init__(self, guard: Guard, *, certificate: Certificate | None = None) -> None:
        self._guard = guard
        self._certificate = certificate

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises TokenRefusedError for a token that is refused; None if there is no token."""
        try:
            found = await asgi.admit(self._guard, conn.scope, certificate=self._certificate)
        except Refusal as answer:
            if answer.rule == "token-absent":
                return None
            raise TokenRefusedError(answer) from answer
        return credentials(found), TokenUser(found)


def on_error(_connection: HTTPConnection, error: AuthenticationError) -> Response:
    """The answer to what :class:`Backend` raises; to another backend's errors, as Starlette has it."""
    if isinstance(error, TokenRefusedError):
        return response(error.refusal)
    return Response(str(error), 400, media_type="text/plain")


def response(refusal: Refusal) -> Response:
    """The answer as Starlette has it."""
    return Response(
        refusal.body(), refusal.status, headers=dict(refusal.headers), media_type=refusal.media_type
    )


def metadata_route(document: Mapping[str, Any]) -> Route:
    """Serves the document of :func:`~immure.integrations.metadata.protected_resource_metadata`."""

    def endpoint(_request: HTTPConnection) -> Response:
        return JSONResponse(dict(document), headers={"Access-Control-Allow-Origin": "*"})

    return Route(metadata_path(document["resource"]), endpoint, methods=["GET"])
