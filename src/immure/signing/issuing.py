"""Tokens: what goes into one, the key that may sign it, and the row in the ledger before it leaves.

    draft = mint.access_token(issuer, grant)
    token = await mint.issue(draft)

The order is fixed. What the token will say is held against the scope of the key (:func:`check_scope`) before
there is a draft of it; the key holder does the same with the very bytes; then the row goes to the ledger; and
when that is on the disk, the token is given out. Whatever fails, no token leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immure import clock
from immure.errors import SignerError
from immure.ledger.deadlines import Deadlines
from immure.ledger.errors import LedgerError, LedgerRowError
from immure.ledger.ledger import Ledger
from immure.registry.errors import RegistryError
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.signing.drafts import Draft
from immure.signing.errors import NoKeyError
from immure.signing.key_view import KeyView
from immure.signing.keys import TokenKeys, compact
from immure.signing.oauth import InvalidGrantError, OutOfScopeError, unavailable
from immure.signing.random_bytes import Names
from immure.signing.settings import Audience, Issuer
from immure.tokens.algorithms import verifier
from immure.tokens.errors import TokenError


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted to whom.

    Attributes:
        client: who gets the token.
        subject: whom it is about.
        audiences: who takes it.
        scopes: OAuth scopes, sorted.
        tenant: "" if there is none.
        session: "" if nobody signed in.
        confirmation: ``cnf``, if the token is bound to a key.
        actor: ``act`` (RFC 8693, section 4.1).
        authenticated: when the person signed in, seconds since 1970.
        nonce: of the request, for an ID token.
        until: when the token ends at the latest, seconds since 1970; None if nothing is said of that.
    """

    client: str
    subject: str
    audiences: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    tenant: str = ""
    session: str = ""
    confirmation: Mapping[str, str] | None = None
    actor: Mapping[str, Any] | None = None
    authenticated: int | None = None
    nonce: str | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token that may leave: it is in the ledger.

    Attributes:
        sequence: its number there.
        lives: seconds.
    """

    text: str = field(repr=False)
    digest: bytes
    sequence: int
    lives: int


class Mint:
    """Makes tokens of all issuers.

    Args:
        view: of the registry, which says which key signs.
        keys: where these are.
        ledger: where tokens are recorded.
        audiences: by name, with their classes.
        patience: seconds in which a signature must be there.
        time: where the time is from.
    """

    def __init__(
        self,
        view: KeyView,
        keys: TokenKeys,
        ledger: Ledger,
        audiences: Mapping[str, Audience],
        *,
        patience: float = 10.0,
        time: clock.Clock = clock.now,
    ) -> None:
        self._view = view
        self._keys = keys
        self._ledger = ledger
        self._classes = {name: one.audience_class for name, one in audiences.items()}
        self._deadlines = Deadlines(patience, self._late)
        self._time = time
        self._names = Names()
        #: Keys of which a signature held: kid, and thumbprint in the registry.
        self._proved: dict[str, str] = {}

    def access_token(self, issuer: Issuer, grant: Grant) -> Draft:
        """An access token (RFC 9068), to be issued once or many times.

        Raises:
            OutOfScopeError: the issuer's key may not sign this.
        """
        claims: dict[str, Any] = {
            "iss": issuer.url,
            "sub": grant.subject,
            "aud": grant.audiences[0] if len(grant.audiences) == 1 else list(grant.audiences),
            "client_id": grant.client,
        }
        more: dict[str, Any] = {}
        if grant.scopes:
            more["scope"] = " ".join(grant.scopes)
        if grant.confirmation:
            more["cnf"] = dict(grant.confirmation)
        if grant.actor:
            more["act"] = dict(grant.actor)
        _add(more, tid=grant.tenant, sid=grant.session, auth_time=grant.authenticated)
        check_scope(issuer.scope, self._classes, {**more, **claims})
        return _draft(issuer, "at+jwt", claims, more, grant, (issuer.access_seconds, grant.until))

    def id_token(self, issuer: Issuer, grant: Grant) -> Draft:
        """An ID token for the client (OpenID Connect Core, section 2). Its audience is the client, which is
        none of the audiences that take access tokens; raises OutOfScopeError if it is one, or if the key may
        not sign for this issuer and tenant."""
        claims: dict[str, Any] = {
            "iss": issuer.url,
            "sub": grant.subject,
            "aud": grant.client,
            "azp": grant.client,
        }
        more: dict[str, Any] = {}
        _add(more, tid=grant.tenant, sid=grant.session, auth_time=grant.authenticated, nonce=grant.nonce)
        check_origin(issuer.scope, {**more, **claims})
        if grant.client in self._classes:
            raise OutOfScopeError("a client has the name of an audience")
        return _draft(issuer, "JWT", claims, more, grant, (issuer.id_seconds, None))

    async def issue(self, draft: Draft) -> Token:
        """A token, in the ledger before this returns.

        Raises:
            InvalidGrantError: what was granted fits in no row of the ledger.
            UnavailableError: there is no token now.
        """
        try:
            issuer = draft.issuer
            key = self._view.known(issuer.url) or await self._view.signing(issuer.url)
            kid = key.kid
            now = int(self._time().timestamp())
            signed, row = draft.write(kid, now, self._names.next())
            at_once = self._keys.sign_at_once(kid, signed)
            if at_once is None:
                signature = await self._signature(kid, issuer.plan.algorithm, signed)
            else:
                self._deadlines.add(at_once)
                signature = await at_once
            if self._proved.get(kid) != key.thumbprint:
                self._prove(key, issuer.plan.algorithm, signed, signature)
            sequence = await self._ledger.asubmit(row)
        except LedgerRowError as error:  # asking again is of no use
            raise InvalidGrantError("the token would say what cannot be written down") from error
        except (LedgerError, NoKeyError, RegistryError, SignerError) as error:
            self._view.forget()
            raise unavailable(error) from error
        return Token(compact(signed, signature), row.digest, sequence, row.expires - now)

    def _prove(self, key: KeyRecord, algorithm: str, signed: bytes, signature: bytes) -> None:
        """See once that the custody's key is the registry's: after a change of custody another one may have
        its name, and nobody could verify what it signs."""
        try:
            holds = verifier(key.key.numbers, algorithm)(signature, signed)
        except TokenError:
            holds = False
        if not holds:
            raise SignerError(f"the key {key.kid!r} of the custody is not the one that the registry has")
        self._proved[key.kid] = key.thumbprint

    async def _signature(self, kid: str, algorithm: str, signed: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._deadlines.seconds):
                return await self._keys.sign(kid, algorithm, signed)
        except TimeoutError as error:
            raise self._late() from error

    def _late(self) -> SignerError:
        return SignerError(f"there was no signature within {self._deadlines.seconds:g} s")


def _draft(
    issuer: Issuer,
    kind: str,
    claims: Mapping[str, Any],
    more: Mapping[str, Any],
    grant: Grant,
    lives: tuple[int, int | None],
) -> Draft:
    about = (grant.tenant, grant.client, grant.session)
    return Draft(issuer, kind, claims, more, *lives, *about)


def check_scope(scope: KeyScope, classes: Mapping[str, str], claims: Mapping[str, Any]) -> None:
    """Hold what a token would say against what the key may sign for, before the key is touched.

    Args:
        scope: of the issuer's keys.
        classes: of audiences, by their names.
        claims: of the token.

    Raises:
        OutOfScopeError: another issuer, tenant or class of audience.
    """
    check_origin(scope, claims)
    named = claims["aud"]
    for audience in (named,) if isinstance(named, str) else named:
        if classes.get(audience) not in scope.audience_classes:
            raise OutOfScopeError("the key may not sign for this audience")


def check_origin(scope: KeyScope, claims: Mapping[str, Any]) -> None:
    """The part of :func:`check_scope` that holds for ID tokens too: whose token it would be.

    Raises:
        OutOfScopeError: another issuer or tenant.
    """
    if not scope.allows_issuer(claims["iss"]):
        raise OutOfScopeError("the key may not sign for this issuer")
    tenant = claims.get("tid")
    if scope.tenants and tenant not in scope.tenants:
        raise OutOfScopeError("the key may not sign for this tenant")


def _add(claims: dict[str, Any], **more: Any) -> None:
    """Claims that are left out where there is nothing to say."""
    claims.update({name: value for name, value in more.items() if value not in (None, "")})
