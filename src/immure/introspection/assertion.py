"""A client that proves who it is by a token that it signs itself (RFC 7523, section 3; OpenID Connect, 9).

The assertion goes through the same validator as every token: the client is the issuer, its own keys are the
source, and the audience is our endpoint. An assertion is taken once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from immure import clock
from immure.introspection.errors import ClientError
from immure.introspection.settings import Settings
from immure.tokens.check import AllOf, Check, Facts
from immure.tokens.checks import HasAudience, HasClaims, IssuedInThePast, NotExpired, NotTooEarly
from immure.tokens.claims import Claims
from immure.tokens.errors import LifetimeError, TokenError, TokenTypeError
from immure.tokens.key_checks import WithinKeyScope
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.validator import Validator

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds that an assertion may still be valid for.
LONGEST: Final = 300
#: Assertions that are remembered; when there are more, new ones are refused.
_MOST_KEPT: Final = 100_000
_SKEW: Final = timedelta(seconds=10)
_TYPES: Final = (None, "jwt", "client-authentication+jwt")
_CLASS: Final = "client"


class IsAssertion(Check):
    """The token is an assertion of a client, and lives for a few minutes at most."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest

    def verify(self, facts: Facts) -> None:
        """Raises TokenTypeError or LifetimeError."""
        if facts.header.typ not in _TYPES:
            raise TokenTypeError("typ is not that of an assertion")
        if facts.claims["exp"] - facts.now > self._longest + facts.skew:
            raise LifetimeError(f"valid for more than {self._longest} s")


class Assertions:
    """Takes the assertions of all clients that have keys. Each process remembers its own.

    Args:
        settings: of the server.
        longest: seconds that an assertion may still be valid for.
        remember: False if the caller sees to it that each is taken once.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        longest: int = LONGEST,
        remember: bool = True,
        time: clock.Clock = clock.now,
    ) -> None:
        rules = {
            name: IssuerRule(client.keys, _CLASS)
            for name, client in settings.clients.items()
            if client.keys is not None
        }
        self._validator: Validator | None = None
        if rules:
            policy = Policy(
                rules,
                {one: frozenset({_CLASS}) for one in settings.endpoint},
                require=frozenset({"exp", "sub", "jti"}),
                skew=_SKEW,
                check=AllOf(
                    WithinKeyScope(),
                    HasClaims(),
                    IsAssertion(longest),
                    HasAudience(),
                    NotExpired(),
                    NotTooEarly(),
                    IssuedInThePast(),
                ),
            )
            self._validator = Validator(policy, time=time)
        self._remember = remember
        self._time = time
        self._seen: dict[bytes, float] = {}

    async def client(self, form: Mapping[str, str]) -> str:
        """The client whose assertion a form holds.

        Raises:
            ClientError: it is refused, or was taken before.
            KeySourceError: the client's keys cannot be had now.
        """
        if form.get("client_assertion_type") != TYPE or self._validator is None:
            raise ClientError("assertions of that type are not taken")
        try:
            claims = await self._validator.avalidate(form.get("client_assertion", ""))
        except TokenError as error:
            raise ClientError(f"the assertion is refused ({error.code})") from error
        if claims.subject != claims.issuer:
            raise ClientError("the assertion is not of the client itself")
        if self._remember:
            self._once(claims)
        return claims.issuer

    def _once(self, claims: Claims) -> None:
        digest = hashlib.sha256(f"{claims.issuer} {claims['jti']}".encode()).digest()
        now = self._time().timestamp()
        if len(self._seen) >= _MOST_KEPT:
            self._seen = {one: until for one, until in self._seen.items() if until >= now}
        if self._seen.get(digest, 0) >= now:
            raise ClientError("the assertion was used before")
        if len(self._seen) >= _MOST_KEPT:
            raise ClientError("more assertions than can be remembered: try again")
        self._seen[digest] = claims["exp"] + _SKEW.total_seconds()
