"""The ways to ask for a token without a person in front of a browser.

``client_credentials`` (RFC 6749, section 4.4), token exchange (RFC 8693), and assertions of another issuer
(RFC 7523, section 2.1). Each says what was granted; :mod:`.issuing` makes the token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from immure import clock
from immure.digest import signed_digest
from immure.errors import KeySourceError
from immure.registry.store import Store
from immure.signing.clients import Asking
from immure.signing.issuing import Grant
from immure.signing.oauth import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    InvalidTargetError,
    unavailable,
)
from immure.signing.own import own_tokens
from immure.signing.settings import Issuer, Settings
from immure.signing.state import State
from immure.tokens.check import AllOf
from immure.tokens.checks import HasAudience, HasClaims, HasType, IssuedInThePast, NotExpired, NotTooEarly
from immure.tokens.claims import Claims
from immure.tokens.errors import TokenError
from immure.tokens.key_checks import WithinKeyScope
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.validator import Validator

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
_TOKEN_TYPES: Final = (ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt")
#: How deep actors may be nested.
_MOST_ACTORS: Final = 5
_MOST_SCOPES: Final = 50
#: Seconds that an assertion of another issuer may still be valid for: as long as that it is remembered.
_LONGEST_ASSERTION: Final = 3600


def audiences_of(asking: Asking, form: Mapping[str, str]) -> tuple[str, ...]:
    """For whom the token will be: what the client asks for (``resource``, RFC 8707; ``audience``, RFC 8693).

    Raises:
        InvalidTargetError: not for this client.
    """
    asked = form.get("resource", form.get("audience"))
    if asked is None:
        return (asking.client.audiences[0],)
    if form.get("audience", asked) != asked:
        raise InvalidTargetError("a token is for one audience: resource and audience name two")
    if asked not in asking.client.audiences:
        raise InvalidTargetError("the client may not have tokens for this audience")
    return (asked,)


def scopes_of(
    asking: Asking,
    form: Mapping[str, str],
    audiences: Iterable[str],
    settings: Settings,
    within: frozenset[str] | None = None,
) -> tuple[str, ...]:
    """The OAuth scopes that are granted: those that are asked for, all of which must be allowed; without
    asking, all that the client may have there.

    Args:
        within: of these at most, if the token is given for another one.

    Raises:
        InvalidScopeError: one is not allowed.
    """
    allowed = asking.client.scopes & frozenset().union(*(settings.audiences[one].scopes for one in audiences))
    if within is not None:
        allowed &= within
    asked = form.get("scope")
    if asked is None:
        return tuple(sorted(allowed))
    names = asked.split(" ")
    if len(names) > _MOST_SCOPES or not frozenset(names) <= allowed:
        raise InvalidScopeError("one of the scopes is not the client's to ask for")
    return tuple(sorted(set(names)))


class Grants:
    """The grants of one issuer.

    Args:
        settings: of the service.
        issuer: its name and itself.
        registry: with the keys of all issuers.
        state: where revoked tokens and used assertions are remembered.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        issuer: tuple[str, Issuer],
        registry: Store,
        state: State,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self._settings = settings
        self.name, self.issuer = issuer
        self._state = state
        self._time = time
        names = {self.name, *self.issuer.exchange_from}
        self._subjects = own_tokens(settings, names, registry, time=time)
        self._assertions = self._foreign_tokens()
        self._own_clients = {one for one, client in settings.clients.items() if client.issuer == self.name}

    def client_credentials(self, asking: Asking, form: Mapping[str, str]) -> Grant:
        """The client asks for itself."""
        audiences = audiences_of(asking, form)
        scopes = scopes_of(asking, form, audiences, self._settings)
        return Grant(asking.name, asking.name, audiences, scopes, asking.client.tenant)

    async def exchange(self, asking: Asking, form: Mapping[str, str], key: str | None = None) -> Grant:
        """The client shows a token that it was given, and gets one for somebody else to take (RFC 8693).

        The new token speaks of the same subject, says that the client acts for it, has no scope that the old
        one had not, and ends no later.

        Args:
            key: thumbprint of the key that the client proved to have (DPoP).

        Raises:
            InvalidRequestError, InvalidGrantError, InvalidTargetError, InvalidScopeError: it does not.
        """
        shown = form.get("subject_token")
        if not shown or form.get("subject_token_type") not in _TOKEN_TYPES:
            raise InvalidRequestError("subject_token, and its type, an access token, are needed")
        if form.get("requested_token_type", ACCESS_TOKEN) not in _TOKEN_TYPES or "actor_token" in form:
            raise InvalidRequestError("only access tokens are given, and the actor is the client")
        claims = await self._validated(self._subjects, shown)
        if claims["exp"] <= self._time().timestamp():
            raise InvalidGrantError("the token has expired")  # within the skew: nothing new would live
        await self._not_revoked(shown, claims)
        if claims.issuer != self.issuer.url and claims.subject in self._own_clients:
            raise InvalidGrantError("the token is about somebody with the name of a client here")
        if claims.get("client_id") == asking.name:
            _has_its_key(claims, asking, key)
        elif asking.client.serves.isdisjoint(claims.audience):
            raise InvalidGrantError("the token is neither the client's own nor for it")
        audiences = audiences_of(asking, form)
        within = frozenset(str(claims.get("scope", "")).split())
        scopes = scopes_of(asking, form, audiences, self._settings, within)
        return Grant(
            asking.name,
            claims.subject or "",
            audiences,
            scopes,
            claims.tenant or "",
            str(claims.get("sid", "")),
            actor=_actor(asking.name, claims.get("act")),
            authenticated=claims.get("auth_time"),
            until=int(claims["exp"]),
        )

    async def bearer(self, asking: Asking, form: Mapping[str, str]) -> Grant:
        """The client shows an assertion of another issuer that is trusted here (RFC 7523)."""
        shown = form.get("assertion")
        if not shown:
            raise InvalidRequestError("assertion is missing")
        claims = await self._validated(self._assertions, shown)
        if "cnf" in claims:
            raise InvalidGrantError("an assertion that is bound to a key is not taken")
        trusted = self.issuer.trusted[claims.issuer]
        if claims.subject in self._own_clients:
            raise InvalidGrantError("the assertion is about somebody with the name of a client here")
        if trusted.subjects and claims.subject not in trusted.subjects:
            raise InvalidGrantError("assertions about this subject are not taken")
        digest = hashlib.sha256(shown.rpartition(".")[0].encode("utf-8", "surrogatepass")).digest()
        now = int(self._time().timestamp())
        if claims["exp"] > now + _LONGEST_ASSERTION:
            raise InvalidGrantError("the assertion is valid for more than an hour")
        audiences = audiences_of(asking, form)
        scopes = scopes_of(asking, form, audiences, self._settings)
        until = int(claims["exp"]) + 120
        if not await self._state.ask(self._state.once, "bearer", digest, until=until, now=now):
            raise InvalidGrantError("the assertion was used before")
        return Grant(asking.name, claims.subject or "", audiences, scopes, trusted.tenant)

    async def _validated(self, validator: Validator | None, shown: str) -> Claims:
        if validator is None:
            raise InvalidGrantError("tokens of others are not taken here")
        try:
            return await validator.avalidate(shown)
        except TokenError as error:
            raise InvalidGrantError(f"what was shown is refused ({error.code})") from error
        except KeySourceError as error:
            raise unavailable(error) from error

    async def _not_revoked(self, shown: str, claims: Claims) -> None:
        digest = signed_digest(shown.rpartition(".")[0].encode())
        if await self._state.ask(self._state.is_over, digest, str(claims.get("sid", ""))):
            raise InvalidGrantError("the token was revoked, or its sign-in is over")

    def _foreign_tokens(self) -> Validator | None:
        if not self.issuer.trusted:
            return None
        issuers = {url: IssuerRule(one.source, "assertion") for url, one in self.issuer.trusted.items()}
        ends = frozenset({self.issuer.url, f"{self.issuer.url}/token"})
        checks = AllOf(
            HasType(),
            WithinKeyScope(),
            HasClaims(),
            HasAudience(),
            NotExpired(),
            NotTooEarly(),
            IssuedInThePast(),
        )
        policy = Policy(
            issuers,
            {one: frozenset({"assertion"}) for one in ends},
            require=frozenset({"exp", "sub"}),
            check=checks,
        )
        return Validator(policy, time=self._time)


def _has_its_key(claims: Claims, asking: Asking, key: str | None) -> None:
    """A token that is bound to a key is worth nothing without it; else an exchange would take that off."""
    wanted = claims.get("cnf", {})
    shown = {"jkt": key, "x5t#S256": asking.certificate}
    if any(shown.get(kind) != value for kind, value in wanted.items()):
        raise InvalidGrantError("the token is bound to a key that the client did not show")


def _actor(client: str, before: Any) -> dict[str, Any]:
    """Who acts, and who acted before (RFC 8693, section 4.1)."""
    made: dict[str, Any] = {"sub": client}
    depth, inner = 1, before
    while isinstance(inner, dict):
        depth, inner = depth + 1, inner.get("act")
    if depth > _MOST_ACTORS:
        raise InvalidGrantError("the token was exchanged too often")
    if isinstance(before, dict):
        made["act"] = before
    return made
