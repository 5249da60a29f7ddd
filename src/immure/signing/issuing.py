"""Tokens: what goes into one, the key that may sign it, and the row in the ledger before it leaves.

    token = await mint.access_token(issuer, grant)

The order is fixed. What the token will say is held against the scope of the key (:func:`check_scope`) before
the key is asked; the key holder does the same with the very bytes; then the row goes to the ledger; and when
that is on the disk, the token is given out. Whatever fails, no token leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from immure import clock
from immure.digest import signed_digest
from immure.errors import SignerError
from immure.ledger.errors import LedgerError, LedgerRowError
from immure.ledger.ledger import Ledger
from immure.ledger.row import Issued
from immure.registry.errors import RegistryError
from immure.registry.scope import KeyScope
from immure.signing.errors import NoKeyError
from immure.signing.key_view import KeyView
from immure.signing.keys import TokenKeys
from immure.signing.oauth import InvalidGrantError, OutOfScopeError, unavailable
from immure.signing.random_bytes import Names
from immure.signing.settings import Audience, Issuer

_NEVER: Final = 1 << 60


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
        self._patience = patience
        self._time = time
        self._names = Names()

    async def access_token(self, issuer: Issuer, grant: Grant) -> Token:
        """An access token (RFC 9068).

        Raises:
            OutOfScopeError: the issuer's key may not sign this.
            InvalidGrantError: what was granted fits in no row of the ledger.
            UnavailableError: there is no token now.
        """
        now = int(self._time().timestamp())
        claims: dict[str, Any] = {
            "iss": issuer.url,
            "sub": grant.subject,
            "aud": grant.audiences[0] if len(grant.audiences) == 1 else list(grant.audiences),
            "client_id": grant.client,
            "iat": now,
            "exp": min(now + issuer.access_seconds, grant.until or _NEVER),
            "jti": self._names.next(),
        }
        if grant.scopes:
            claims["scope"] = " ".join(grant.scopes)
        if grant.confirmation:
            claims["cnf"] = dict(grant.confirmation)
        if grant.actor:
            claims["act"] = dict(grant.actor)
        _add(claims, tid=grant.tenant, sid=grant.session, auth_time=grant.authenticated)
        check_scope(issuer.scope, self._classes, claims)
        return await self._issue(issuer, "at+jwt", claims, grant)

    async def id_token(self, issuer: Issuer, grant: Grant) -> Token:
        """An ID token for the client (OpenID Connect Core, section 2). Its audience is the client, which is
        none of the audiences that take access tokens."""
        now = int(self._time().timestamp())
        claims: dict[str, Any] = {
            "iss": issuer.url,
            "sub": grant.subject,
            "aud": grant.client,
            "azp": grant.client,
            "iat": now,
            "exp": now + issuer.id_seconds,
            "jti": self._names.next(),
        }
        _add(claims, tid=grant.tenant, sid=grant.session, auth_time=grant.authenticated, nonce=grant.nonce)
        if grant.client in self._classes:
            raise OutOfScopeError("a client has the name of an audience")
        return await self._issue(issuer, "JWT", claims, grant)

    async def _issue(self, issuer: Issuer, kind: str, claims: dict[str, Any], grant: Grant) -> Token:
        try:
            record = await self._view.signing(issuer.url)
            header = {"alg": issuer.plan.algorithm, "kid": record.kid, "typ": kind}
            async with asyncio.timeout(self._patience):
                text = await self._keys.sign_token(record.kid, header, claims)
            row = _row(claims, record.kid, signed_digest(text.rpartition(".")[0].encode()), grant)
            sequence = await self._ledger.arecord(row)
        except (LedgerError, NoKeyError, RegistryError, SignerError) as error:
            self._view.forget()
            raise unavailable(error) from error
        except TimeoutError:
            slow = SignerError(f"there was no signature within {self._patience:g} s")
            raise unavailable(slow) from slow
        return Token(text, row.digest, sequence, claims["exp"] - claims["iat"])


def check_scope(scope: KeyScope, classes: Mapping[str, str], claims: Mapping[str, Any]) -> None:
    """Hold what a token would say against what the key may sign for, before the key is touched.

    Args:
        scope: of the issuer's keys.
        classes: of audiences, by their names.
        claims: of the token.

    Raises:
        OutOfScopeError: another issuer, tenant or class of audience.
    """
    if not scope.allows_issuer(claims["iss"]):
        raise OutOfScopeError("the key may not sign for this issuer")
    tenant = claims.get("tid")
    if scope.tenants and tenant not in scope.tenants:
        raise OutOfScopeError("the key may not sign for this tenant")
    named = claims["aud"]
    for audience in (named,) if isinstance(named, str) else named:
        if classes.get(audience) not in scope.audience_classes:
            raise OutOfScopeError("the key may not sign for this audience")


def _row(claims: Mapping[str, Any], kid: str, digest: bytes, grant: Grant) -> Issued:
    """What the ledger keeps of it; raises InvalidGrantError if no row can: then asking again is of no use."""
    named = claims["aud"]
    try:
        return Issued(
            digest,
            claims["iss"],
            kid,
            claims["iat"],
            claims["exp"],
            claims["sub"],
            (named,) if isinstance(named, str) else tuple(named),
            grant.tenant,
            grant.client,
            grant.session,
        )
    except LedgerRowError as error:
        raise InvalidGrantError("the token would say what cannot be written down") from error


def _add(claims: dict[str, Any], **more: Any) -> None:
    """Claims that are left out where there is nothing to say."""
    claims.update({name: value for name, value in more.items() if value not in (None, "")})
