"""An MCP server behind a guard, over HTTP.

    server = MCPServer("mail")
    app = Protect(server.streamable_http_app(), Guard(validator, audience=RESOURCE))

    @server.tool()
    def inbox() -> str:
        return mailbox_of(claims().subject)

:class:`Verifier` is for those who have the server's own ``auth`` and ``token_verifier`` already. The server
then answers: all that is refused is ``invalid_token`` to it, and it knows no DPoP. Take one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from pydantic import Field, PrivateAttr
from starlette.authentication import AuthCredentials

from immure.errors import UsageError
from immure.integrations import asgi
from immure.integrations.asgi import App, Certificate, Scope
from immure.integrations.bearer import Guard, Refusal, Request, scopes_of
from immure.integrations.credentials import read_credentials
from immure.tokens.claims import Claims

#: Claims that say to whom a token was issued: RFC 9068, OpenID Connect, Entra (version 1), Okta.
_CLIENTS = ("client_id", "azp", "appid", "cid")


class GuardedToken(AccessToken):
    """An accepted token as an MCP server has it; its representation does not show the token itself.

    Attributes:
        accepted: what it says.
    """

    token: str = Field(repr=False)
    _accepted: Claims = PrivateAttr()

    @property
    def accepted(self) -> Claims:
        """The claims, and with whose key they were signed."""
        return self._accepted


class Protect(asgi.Protect):
    """Middleware around the app that an MCP server makes of itself: nothing gets in without a good token.

    Args:
        app: what ``streamable_http_app()`` or ``sse_app()`` returns, of a server without ``auth``.
        guard, scopes, public, metadata, certificate: see :class:`immure.integrations.asgi.Protect`.
    """

    def __init__(
        self,
        app: App,
        guard: Guard,
        scopes: Sequence[str] = (),
        *,
        public: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__(
            AuthContextMiddleware(app),
            guard,
            scopes,
            public=public,
            metadata=metadata,
            certificate=certificate,
        )

    def admitted(self, scope: Scope, found: Claims) -> None:
        """So that tools can ask, and a session stays with whose token began it."""
        shown = read_credentials(asgi.request_of(scope).authorization)
        token = access_token("" if shown is None else shown.token, found, self.guard)
        scope["user"], scope["auth"] = AuthenticatedUser(token), AuthCredentials(token.scopes)


class Verifier(TokenVerifier):
    """For ``MCPServer(…, token_verifier=Verifier(guard), auth=AuthSettings(…))``.

    The guard's audience must be the address of the server (RFC 8707); with ``validate_token_resource=True``
    the server asks that too.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def verify_token(self, token: str) -> AccessToken | None:
        """The accepted token; None if it is refused.

        Raises:
            Refusal: nobody can tell now, as the keys of the issuer cannot be had. The server answers 500.
        """
        request = Request("POST", "", [f"Bearer {token}"])
        try:
            found = await self._guard.acheck(request)
        except Refusal as answer:
            if answer.status == 503:
                raise
            return None
        return access_token(token, found, self._guard)


def access_token(token: str, found: Claims, guard: Guard) -> GuardedToken:
    """A token and its claims as an MCP server has them."""
    client = next((found[name] for name in _CLIENTS if isinstance(found.get(name), str)), None)
    audience = guard.audience if guard.audience is not None else next(iter(found.audience), None)
    made = GuardedToken(
        token=token,
        client_id=client or found.subject or "",
        scopes=sorted(scopes_of(found)),
        expires_at=None if found.expires is None else int(found["exp"]),
        resource=audience,
        subject=found.subject,
        claims=dict(found),
    )
    made._accepted = found
    return made


def claims() -> Claims:
    """The claims of the token with which the tool, resource or prompt was asked for.

    Raises:
        UsageError: the server is not protected.
    """
    token = get_access_token()
    if not isinstance(token, GuardedToken):
        raise UsageError("this server is not protected: nobody looked at a token")
    return token.accepted


def scopes() -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims())
