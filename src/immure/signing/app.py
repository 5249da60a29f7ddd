"""The application: endpoints of all issuers, each under the path of its own URL.

``/token``, ``/revoke``, ``/introspect``, ``/jwks`` and the discovery documents; ``/healthz`` and ``/readyz``
of the service. As in front of introspection, little stands between a request and its answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from immure import clock
from immure.digest import signed_digest
from immure.errors import ImmureError, KeySourceError
from immure.introspection.asgi import (
    JSON,
    NO_STORE,
    Receive,
    Scope,
    Send,
    answer,
    answer_error,
    header_values,
    read_body,
)
from immure.introspection.errors import (
    MediaTypeError,
    MethodError,
    NoSuchPageError,
    ReadMethodError,
    RequestError,
)
from immure.introspection.forms import parse_form
from immure.introspection.journal import Journal
from immure.registry.errors import RegistryError
from immure.registry.store import Store
from immure.signing.authorize import Authorization
from immure.signing.clients import Asking, Clients
from immure.signing.discovery import MAX_AGE, PublishedKeys, metadata
from immure.signing.errors import SigningError
from immure.signing.grants import ACCESS_TOKEN, Grants
from immure.signing.issuing import Grant, Mint
from immure.signing.oauth import (
    InvalidProofError,
    InvalidRequestError,
    UnauthorizedClientError,
    UnsupportedGrantError,
    unavailable,
)
from immure.signing.own import own_tokens
from immure.signing.renewing import REFRESH, Renewal, Renewals
from immure.signing.settings import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    GRANTS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    Issuer,
    Settings,
)
from immure.signing.state import State
from immure.signing.users import Users
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import ProofError, TokenError

_MOST_BYTES: Final = 64 << 10
_FORM: Final = b"application/x-www-form-urlencoded"
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class IssuerEndpoints:
    """What one issuer answers.

    Args:
        settings: of the service.
        name: of the issuer.
        mint: makes the tokens.
        registry, state: of the service.
        journal: where is written what went wrong.
        users: who may sign in; None if nobody may.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        mint: Mint,
        registry: Store,
        state: State,
        journal: Journal,
        users: Users | None = None,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self.issuer: Issuer = settings.issuers[name]
        issuer = (name, self.issuer)
        self._mint = mint
        self._state = state
        self._journal = journal
        self._time = time
        self._clients = Clients(settings, issuer, state, time=time)
        self._grants = Grants(settings, issuer, registry, state, time=time)
        self._renewals = Renewals(settings, self.issuer, state, time=time)
        self._people = None
        if users is not None:
            self._people = Authorization(settings, issuer, users, state, time=time)
        self._keys = PublishedKeys(registry, self.issuer, time=time)
        self._proofs = ProofChecker(time=time)
        self._document = json.dumps(metadata(settings, name)).encode()
        self._own = own_tokens(settings, [name], registry, time=time)

    def routes(self) -> dict[str, Endpoint]:
        """Endpoints by path."""
        base = self.issuer.path
        routes: dict[str, Endpoint] = {
            f"{base}/token": self.token,
            f"{base}/revoke": self.revoke,
            f"{base}/introspect": self.introspect,
            f"{base}/jwks": self.jwks,
            f"{base}/.well-known/openid-configuration": self.discovery,
            f"/.well-known/oauth-authorization-server{base}": self.discovery,
        }
        if self._people is not None:
            routes[f"{base}/authorize"] = self._people.authorize
            routes[f"{base}/sign-in"] = self._people.sign_in
        return routes

    # --- what is read ---

    async def jwks(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The key set (RFC 7517)."""
        _reading(scope)
        try:
            document = self._keys.document()
        except RegistryError as error:
            raise unavailable(error) from error
        await answer(send, 200, document, _public(b"application/jwk-set+json"))

    async def discovery(self, scope: Scope, receive: Receive, send: Send) -> None:
        """OpenID Discovery 1.0, RFC 8414."""
        _reading(scope)
        await answer(send, 200, self._document, _public(b"application/json"))

    # --- what is asked for ---

    async def token(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 6749, section 3.2."""
        form = await _form(scope, receive)
        asking = await self._asking(scope, form)
        bound, kind = self._bound(scope, asking)
        renewal = self._renewed(asking, form, bound)
        granted = renewal.grant if renewal is not None else await self._granted(asking, form)
        grant = replace(granted, confirmation=bound)
        token = await self._mint.access_token(self.issuer, grant)
        body: dict[str, Any] = {
            "access_token": token.text,
            "token_type": kind,
            "expires_in": token.lives,
        }
        if grant.scopes:
            body["scope"] = " ".join(grant.scopes)
        if form.get("grant_type") == TOKEN_EXCHANGE:
            body["issued_token_type"] = ACCESS_TOKEN
        if renewal is not None and renewal.with_id:
            body["id_token"] = (await self._mint.id_token(self.issuer, grant)).text
        if renewal is not None and renewal.with_refresh:
            body["refresh_token"] = self._renewals.keep(renewal)
        await answer(send, 200, json.dumps(body).encode(), (JSON, NO_STORE))

    def _renewed(
        self, asking: Asking, form: Mapping[str, str], bound: Mapping[str, str] | None
    ) -> Renewal | None:
        """What a code or refresh token is good for; None for the other grants."""
        kind, key = form.get("grant_type"), (bound or {}).get("jkt")
        if kind not in (AUTHORIZATION_CODE, REFRESH_TOKEN) or kind not in asking.client.grants:
            return None
        if kind == AUTHORIZATION_CODE:
            return self._renewals.code(asking, form, key)
        return self._renewals.refresh(asking, form, key)

    async def _granted(self, asking: Asking, form: Mapping[str, str]) -> Grant:
        kind = form.get("grant_type", "")
        if not kind:
            raise InvalidRequestError("grant_type is missing")
        if kind not in GRANTS:
            raise UnsupportedGrantError("there is no such grant")
        if kind not in asking.client.grants:
            raise UnauthorizedClientError("the client may not ask in this way")
        if kind == CLIENT_CREDENTIALS:
            return self._grants.client_credentials(asking, form)
        if kind == TOKEN_EXCHANGE:
            return await self._grants.exchange(asking, form)
        return await self._grants.bearer(asking, form)

    def _bound(self, scope: Scope, asking: Asking) -> tuple[dict[str, str] | None, str]:
        """``cnf`` of the token, if it is bound to a key that the client has: that of a DPoP proof, or its TLS
        certificate; and the type of the token."""
        proofs = header_values(scope, b"dpop")
        if proofs:
            if len(proofs) > 1:
                raise InvalidProofError("more than one DPoP proof")
            url = f"{self.issuer.url}/token"
            try:
                thumbprint = self._proofs.verify(proofs[0], method="POST", url=url, token=None)
            except ProofError as error:
                raise InvalidProofError(error.reason) from error
            return {"jkt": thumbprint}, "DPoP"
        if asking.client.bound == "dpop":
            raise InvalidProofError("tokens of this client are bound: a DPoP proof is needed")
        if asking.certificate is not None and (asking.client.bound == "mtls" or asking.client.certificates):
            return {"x5t#S256": asking.certificate}, "Bearer"
        if asking.client.bound == "mtls":
            raise InvalidRequestError("tokens of this client are bound: a TLS certificate is needed")
        return None, "Bearer"

    async def revoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 7009: the answer is the same whether there was such a token or not."""
        form = await _form(scope, receive)
        asking = await self._asking(scope, form)
        shown = form.get("token")
        if not shown:
            raise InvalidRequestError("token is missing")
        kept = self._state.look(REFRESH, shown, now=int(self._time().timestamp()))
        if kept is not None and kept.plain.get("client") == asking.name:
            self._state.revoke_family(kept.family)
        else:
            await self._revoke_access(shown, asking)
        await answer(send, 200, b"", (NO_STORE,))

    async def _revoke_access(self, shown: str, asking: Asking) -> None:
        try:
            claims = await self._own.avalidate(shown)
        except TokenError:
            return  # no token of ours, or none that is still taken: it is as if it were revoked
        if claims.get("client_id") == asking.name:
            self._state.revoke(_digest(shown), until=int(claims["exp"]) + 120)

    async def introspect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 7662, for this issuer's own clients: a client hears of tokens that are its own, or for it."""
        form = await _form(scope, receive)
        asking = await self._asking(scope, form)
        shown = form.get("token")
        if not shown:
            raise InvalidRequestError("token is missing")
        body = await self._seen(shown, asking)
        await answer(send, 200, json.dumps(body).encode(), (JSON, NO_STORE))

    async def _seen(self, shown: str, asking: Asking) -> dict[str, Any]:
        try:
            claims = await self._own.avalidate(shown)
        except TokenError:
            return {"active": False}
        its_own = claims.get("client_id") == asking.name or asking.client.serves & set(claims.audience)
        if not its_own or self._state.is_revoked(_digest(shown)) or self._is_over(claims.get("sid")):
            return {"active": False}
        kind = "DPoP" if "jkt" in claims.get("cnf", ()) else "Bearer"
        return {"active": True, "token_type": kind, **claims}

    def _is_over(self, session: object) -> bool:
        """Whether the sign-in that a token came of was ended."""
        return isinstance(session, str) and self._state.is_family_revoked(session)

    async def _asking(self, scope: Scope, form: Mapping[str, str]) -> Asking:
        try:
            return await self._clients.asking(scope, form)
        except (KeySourceError, SigningError) as error:
            raise unavailable(error) from error


class SigningApp:
    """All issuers.

    Args:
        issuers: the endpoints of each.
        journal: where is written what went wrong.
        ready: says whether tokens can be given now; raises ImmureError if not.
    """

    def __init__(
        self,
        issuers: Mapping[str, IssuerEndpoints],
        journal: Journal,
        *,
        ready: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._ready = ready
        self._routes: dict[str, Endpoint] = {"/healthz": self._healthz, "/readyz": self._readyz}
        for one in issuers.values():
            self._routes |= one.routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self._routes.get(scope["path"])
        try:
            if endpoint is None:
                raise NoSuchPageError("there is nothing here")
            await endpoint(scope, receive, send)
        except RequestError as error:
            if error.status >= 500:
                self._note(error)
            await answer_error(send, error)
        except ImmureError as error:
            failure = unavailable(error)
            self._note(failure)
            await answer_error(send, failure)

    def _note(self, error: RequestError) -> None:
        cause = error.__cause__
        reason = cause.reason if isinstance(cause, ImmureError) else error.reason
        code = cause.code if isinstance(cause, ImmureError) else error.code
        self._journal.write("unavailable", code=code, reason=reason)

    async def _healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        _reading(scope)
        await answer(send, 200, b'{"status":"ok"}', (JSON, NO_STORE))

    async def _readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        _reading(scope)
        self._ready()
        await answer(send, 200, b'{"status":"ready"}', (JSON, NO_STORE))


async def _form(scope: Scope, receive: Receive) -> dict[str, str]:
    if scope["method"] != "POST":
        raise MethodError("POST is needed")
    types = header_values(scope, b"content-type")
    if len(types) != 1 or types[0].split(b";")[0].strip().lower() != _FORM:
        raise MediaTypeError("the body is application/x-www-form-urlencoded")
    return parse_form(await read_body(scope, receive, _MOST_BYTES))


def _reading(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise ReadMethodError("GET is needed")


def _public(kind: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Anybody may read and keep it, browsers' scripts included."""
    return (
        (b"content-type", kind),
        (b"cache-control", b"public, max-age=%d" % MAX_AGE),
        (b"access-control-allow-origin", b"*"),
    )


def _digest(token: str) -> bytes:
    return signed_digest(token.rpartition(".")[0].encode("utf-8", "surrogatepass"))
