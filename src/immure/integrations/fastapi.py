"""FastAPI behind a guard.

    app = FastAPI()
    install(app)
    Sender = Annotated[Claims, protect(guard, ["mail.send"])]

    @app.get("/send")
    async def send(claims: Sender): ...

The OpenAPI document shows what each path needs. FastAPI reads and parses a request's body before it asks any
dependency; with ``app.add_middleware(Protect, guard=guard)`` who has no token does not get that far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, Security
from fastapi.openapi.models import HTTPBearer, OpenIdConnect
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from immure.integrations import asgi
from immure.integrations.asgi import POLICY_VIOLATION, Certificate
from immure.integrations.bearer import Guard, Refusal
from immure.integrations.scopes import checked_scopes
from immure.integrations.starlette import Protect, claims, metadata_route, response, scopes
from immure.tokens.claims import Claims

__all__ = ["Bearer", "Protect", "RefusedRequestError", "claims", "install", "protect", "scopes"]


class RefusedRequestError(HTTPException):
    """A request is not let in. Without :func:`install` its body is below FastAPI's ``detail``.

    Attributes:
        refusal: the answer.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal.members(), dict(refusal.headers))
        self.refusal = refusal


class Bearer(SecurityBase):
    """A dependency that gives the claims of the request's token: ``Security(Bearer(guard), scopes=[…])``.

    It honours ``SecurityScopes``. However many there are for a request, a guard looks at its token once.

    Args:
        guard: looks at the tokens.
        scheme_name, description: in the OpenAPI document.
        openid_url: address of the issuer's discovery document, to be shown there, so that tools find the
            issuer. Nothing is fetched from it.
        certificate: see :class:`immure.integrations.asgi.Protect`.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        scheme_name: str = "Bearer",
        description: str | None = None,
        openid_url: str | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.guard = guard
        self.scheme_name = scheme_name
        self.model = (
            HTTPBearer(bearerFormat="JWT", description=description)
            if openid_url is None
            else OpenIdConnect(openIdConnectUrl=openid_url, description=description)
        )
        self._certificate = certificate

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Claims:
        """The claims; raises RefusedRequestError."""
        try:
            return await asgi.admit(self.guard, connection.scope, security_scopes.scopes, self._certificate)
        except Refusal as answer:
            raise RefusedRequestError(answer) from answer


def protect(guard: Guard, scopes: Sequence[str] = (), **options: Any) -> Any:
    """A dependency, for ``Annotated[Claims, …]`` or ``dependencies=[…]``.

    Args:
        guard: looks at the tokens.
        scopes: that the path needs besides the guard's, and besides those of other dependencies.
        options: for :class:`Bearer`.

    Raises:
        UsageError: these are no scopes.
    """
    return Security(Bearer(guard, **options), scopes=checked_scopes(scopes))


def install(app: FastAPI, metadata: Mapping[str, Any] | None = None) -> None:
    """Make an app answer as RFC 6750 has it.

    Args:
        app: to which it is done.
        metadata: the document of :func:`~immure.integrations.metadata.protected_resource_metadata`, to be
            served at its path.
    """
    handler: Any = on_refusal  # for requests and WebSockets in one, which its declared type does not say
    app.add_exception_handler(RefusedRequestError, handler)
    if metadata is not None:
        app.router.routes.append(metadata_route(metadata))


async def on_refusal(connection: HTTPConnection, error: Exception) -> Response | None:
    """The answer to a :class:`RefusedRequestError`; a handshake of a WebSocket is closed if it must be."""
    if not isinstance(error, RefusedRequestError):
        raise error
    if isinstance(connection, WebSocket) and not asgi.can_deny(connection.scope):
        await connection.close(POLICY_VIOLATION)
        return None
    return response(error.refusal)
