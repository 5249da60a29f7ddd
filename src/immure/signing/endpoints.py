"""What one issuer answers: tokens, their revocation and introspection, its key set and discovery document."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, Final

from immure import clock
from immure.digest import signed_digest
from immure.errors import KeySourceError
from immure.introspection.asgi import JSON, NO_STORE, Receive, Scope, Send, answer, header_values, read_body
from immure.introspection.errors import ClientError, MediaTypeError, MethodError, ReadMethodError
from immure.introspection.forms import parse_form
from immure.registry.errors import RegistryError
from immure.signing.authorize import Authorization
from immure.signing.clients import Asking, Clients
from immure.signing.cross_origin import CrossOrigin
from immure.signing.discovery import MAX_AGE, PublishedKeys, metadata
from immure.signing.end_session import EndSession
from immure.signing.errors import SigningError
from immure.signing.grants import ACCESS_TOKEN, Grants
from immure.signing.issuing import Grant
from immure.signing.oauth import (
    InvalidProofError,
    InvalidRequestError,
    UnauthorizedClientError,
    UnsupportedGrantError,
    unavailable,
)
from immure.signing.own import own_tokens
from immure.signing.parts import Parts
from immure.signing.proofs import Proofs
from immure.signing.renewing import REFRESH, Renewal, Renewals
from immure.signing.repeats import Known, Repeats
from immure.signing.settings import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    GRANTS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    Issuer,
    Settings,
)
from immure.signing.wholes import WHOLE, Whole
from immure.tokens.errors import TokenError

_MOST_BYTES: Final = 64 << 10
_FORM: Final = b"application/x-www-form-urlencoded"
#: Headers of what is for one client.
PRIVATE: Final = (JSON, NO_STORE)
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class IssuerEndpoints:
    """The endpoints of one issuer.

    Args:
        settings: of the service.
        name: of the issuer.
        parts: of the service, which all its issuers have in common.
        time: where the time is from.
    """

    def __init__(self, settings: Settings, name: str, parts: Parts, *, time: clock.Clock = clock.now) -> None:
        self.issuer: Issuer = settings.issuers[name]
        issuer = (name, self.issuer)
        self.name = name
        self._mint = parts.mint
        self._state = parts.state
        self._observer = parts.observer
        self._fetches = parts.fetches
        self._time = time
        self._clients = Clients(settings, issuer, parts.state, time=time)
        self._grants = Grants(settings, issuer, parts.registry, parts.state, time=time)
        self._renewals = Renewals(settings, issuer, parts.state, parts.users, time=time)
        self._people = self._ending = None
        signs_in = any(one.redirect_uris for one in settings.clients.values() if one.issuer == name)
        if parts.users is not None and signs_in:
            self._people = Authorization(settings, issuer, parts.users, parts.state, time=time)
            self._ending = EndSession(settings, issuer, self._people, parts.registry, parts.state, time=time)
        self._keys = PublishedKeys(parts.view, self.issuer, time=time)
        self._proofs = Proofs(parts.state, f"{self.issuer.url}/token", time=time)
        self._document = json.dumps(metadata(settings, name)).encode()
        self._own = own_tokens(settings, [name], parts.registry, time=time)
        self._cross_origin = CrossOrigin.of(settings, name)
        self._repeats = Repeats(settings.certificate_header)
        self._wholes = parts.wholes

    def routes(self) -> dict[str, Endpoint]:
        """Endpoints by path."""
        base, shared = self.issuer.path, self._cross_origin
        routes: dict[str, Endpoint] = {
            f"{base}/token": shared.around(self.token),
            f"{base}/revoke": shared.around(self.revoke),
            f"{base}/introspect": self.introspect,
            f"{base}/jwks": self.jwks,
            f"{base}/.well-known/openid-configuration": self.discovery,
            f"/.well-known/oauth-authorization-server{base}": self.discovery,
        }
        if self._people is not None and self._ending is not None:
            routes[f"{base}/authorize"] = self._people.authorize
            routes[f"{base}/sign-in"] = self._people.sign_in
            routes[f"{base}/end-session"] = self._ending.end_session
        return routes

    # --- what is read ---

    async def jwks(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The key set (RFC 7517)."""
        only_reading(scope)
        try:
            document = await self._keys.document()
        except RegistryError as error:
            raise unavailable(error) from error
        self._fetches.note(self.issuer.url, scope, self._keys.kids)
        await answer(send, 200, document, _public(b"application/jwk-set+json"))

    async def discovery(self, scope: Scope, receive: Receive, send: Send) -> None:
        """OpenID Discovery 1.0, RFC 8414."""
        only_reading(scope)
        await answer(send, 200, self._document, _public(b"application/json"))

    # --- what is asked for ---

    async def token(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 6749, section 3.2."""
        begun = monotonic()
        request = await read_body(scope, receive, _MOST_BYTES)
        repeat = self._repeats.name(scope, request)
        known = self._repeats.get(repeat)
        if known is not None:
            scope["immure.client"] = known.client
            if WHOLE in scope:
                whole = Whole(scope["path"], known.client, partial(self._again, known))
                self._wholes.keep(scope[WHOLE], whole)
            await answer(send, 200, await self._again(known), PRIVATE)
            return
        form = _form(scope, request)
        asking = await self._asking(scope, form)
        kind = self._kind(asking, form)
        bound, token_type = await self._bound(scope, asking)
        renewal = await self._renewed(kind, asking, form, bound)
        granted = renewal.grant if renewal else await self._granted(kind, asking, form, bound)
        grant = replace(granted, confirmation=bound)
        draft = self._mint.access_token(self.issuer, grant)
        token = await self._mint.issue(draft)
        body: dict[str, Any] = {"token_type": token_type, "expires_in": token.lives}
        if grant.scopes:
            body["scope"] = " ".join(grant.scopes)
        if kind == TOKEN_EXCHANGE:
            body["issued_token_type"] = ACCESS_TOKEN
        if renewal is not None:
            body |= await self._with_it(renewal, grant)
        rest = json.dumps(body)
        if repeat is not None and kind == CLIENT_CREDENTIALS and bound is None:
            self._repeats.keep(repeat, Known(asking.name, draft, rest))
        self._observer.issued(self.name, kind, monotonic() - begun)
        await answer(send, 200, _with_token(token.text, rest), PRIVATE)

    async def _again(self, known: Known) -> bytes:
        """What is answered to a request that is known."""
        begun = monotonic()
        token = await self._mint.issue(known.draft)
        self._observer.issued(self.name, CLIENT_CREDENTIALS, monotonic() - begun)
        return _with_token(token.text, known.rest)

    async def _with_it(self, renewal: Renewal, grant: Grant) -> dict[str, str]:
        """What comes with the access token of somebody who signed in."""
        more = {}
        if renewal.with_id:
            more["id_token"] = (await self._mint.issue(self._mint.id_token(self.issuer, grant))).text
        refresh = await self._renewals.settle(
            renewal
        )  # only now: what failed before has cost the client nothing
        if refresh is not None:
            more["refresh_token"] = refresh
        return more

    @staticmethod
    def _kind(asking: Asking, form: Mapping[str, str]) -> str:
        """The grant that the client asks by."""
        kind = form.get("grant_type", "")
        if not kind:
            raise InvalidRequestError("grant_type is missing")
        if kind not in GRANTS:
            raise UnsupportedGrantError("there is no such grant")
        if kind not in asking.client.grants:
            raise UnauthorizedClientError("the client may not ask in this way")
        return kind

    async def _renewed(
        self, kind: str, asking: Asking, form: Mapping[str, str], bound: Mapping[str, str] | None
    ) -> Renewal | None:
        """What a code or refresh token is good for; None for the other grants."""
        key = next(iter((bound or {}).values()), None)  # a DPoP key, or a certificate (RFC 8705, section 4)
        if kind == AUTHORIZATION_CODE:
            return await self._renewals.code(asking, form, key)
        return await self._renewals.refresh(asking, form, key) if kind == REFRESH_TOKEN else None

    async def _granted(
        self, kind: str, asking: Asking, form: Mapping[str, str], bound: Mapping[str, str] | None
    ) -> Grant:
        if kind == CLIENT_CREDENTIALS:
            return self._grants.client_credentials(asking, form)
        if kind == TOKEN_EXCHANGE:
            return await self._grants.exchange(asking, form, (bound or {}).get("jkt"))
        return await self._grants.bearer(asking, form)

    async def _bound(self, scope: Scope, asking: Asking) -> tuple[dict[str, str] | None, str]:
        """``cnf`` of the token, if it is bound to a key that the client has: that of a DPoP proof, or its TLS
        certificate; and the type of the token."""
        proofs = header_values(scope, b"dpop")
        if asking.client.bound == "mtls" and asking.certificate is None:
            raise InvalidRequestError("tokens of this client are bound: a TLS certificate is needed")
        if proofs and asking.client.bound != "mtls":
            return {"jkt": await self._proofs.proved(proofs)}, "DPoP"
        if asking.client.bound == "dpop":
            raise InvalidProofError("tokens of this client are bound: a DPoP proof is needed")
        if asking.certificate is not None and (asking.client.bound == "mtls" or asking.client.certificates):
            return {"x5t#S256": asking.certificate}, "Bearer"
        return None, "Bearer"

    async def revoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 7009: the answer is the same whether there was such a token or not."""
        shown, asking = await self._shown(scope, receive)
        now = int(self._time().timestamp())
        kept = await self._state.ask(self._state.look, REFRESH, shown, now=now)
        if kept is None:
            await self._revoke_access(shown, asking)
        elif kept.plain.get("client") == asking.name:
            await self._state.ask(self._state.revoke_family, kept.family)
        await answer(send, 200, b"", (NO_STORE,))

    async def _revoke_access(self, shown: str, asking: Asking) -> None:
        try:
            claims = await self._own.avalidate(shown)
        except TokenError:
            return  # no token of ours, or none that is still taken: it is as if it were revoked
        if claims.get("client_id") == asking.name:
            until = int(claims["exp"]) + 120
            await self._state.ask(self._state.revoke, _digest(shown), until=until)

    async def introspect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 7662, for this issuer's own clients: a client hears of tokens that are its own, or for it."""
        shown, asking = await self._shown(scope, receive)
        if asking.client.public:
            raise ClientError("only a client that proves who it is may ask about tokens")
        body = await self._seen(shown, asking)
        await answer(send, 200, json.dumps(body).encode(), (JSON, NO_STORE))

    async def _seen(self, shown: str, asking: Asking) -> dict[str, Any]:
        try:
            claims = await self._own.avalidate(shown)
        except TokenError:
            return {"active": False}
        its_own = claims.get("client_id") == asking.name or asking.client.serves & set(claims.audience)
        session = claims.get("sid", "")
        if not its_own or await self._state.ask(self._state.is_over, _digest(shown), session):
            return {"active": False}
        kind = "DPoP" if "jkt" in claims.get("cnf", ()) else "Bearer"
        return {"active": True, "token_type": kind, **claims}

    async def _shown(self, scope: Scope, receive: Receive) -> tuple[str, Asking]:
        form = _form(scope, await read_body(scope, receive, _MOST_BYTES))
        asking = await self._asking(scope, form)
        shown = form.get("token")
        if not shown:
            raise InvalidRequestError("token is missing")
        return shown, asking

    async def _asking(self, scope: Scope, form: Mapping[str, str]) -> Asking:
        scope["immure.client"] = self._clients.claimed(form)
        try:
            asking = await self._clients.asking(scope, form)
        except (KeySourceError, SigningError) as error:
            raise unavailable(error) from error
        scope["immure.client"] = asking.name
        return asking


def _form(scope: Scope, body: bytes) -> dict[str, str]:
    if scope["method"] != "POST":
        raise MethodError("POST is needed")
    types = header_values(scope, b"content-type")
    if len(types) != 1 or types[0].split(b";")[0].strip().lower() != _FORM:
        raise MediaTypeError("the body is application/x-www-form-urlencoded")
    return parse_form(body)


def only_reading(scope: Scope) -> None:
    """Raises ReadMethodError for anything but GET and HEAD."""
    if scope["method"] not in ("GET", "HEAD"):
        raise ReadMethodError("GET is needed")


def _with_token(text: str, rest: str) -> bytes:
    """The answer: an object of the token, and the rest of its members."""
    return f'{{"access_token": "{text}", {rest[1:]}'.encode("ascii")


def _public(kind: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Anybody may read and keep it, browsers' scripts included."""
    return (
        (b"content-type", kind),
        (b"cache-control", b"public, max-age=%d" % MAX_AGE),
        (b"access-control-allow-origin", b"*"),
    )


def _digest(token: str) -> bytes:
    return signed_digest(token.rpartition(".")[0].encode("utf-8", "surrogatepass"))
