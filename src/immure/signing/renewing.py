"""Codes and refresh tokens: what a client trades in for tokens (RFC 6749, sections 4.1.3 and 6; RFC 9700).

Both are good for once. A refresh token is replaced by the next one each time; one that is shown a second time
ends the whole sign-in, as one of the two who showed it stole it.

A trade has two steps: what is shown is looked at, and when the new tokens are signed and in the ledger, it is
taken. If they cannot be made, the client has lost nothing, and asks again; of two who ask at once one gets
tokens.
"""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from immure import clock
from immure.keymaterial.key import b64url
from immure.signing.authorize import CODE
from immure.signing.clients import Asking
from immure.signing.issuing import Grant
from immure.signing.oauth import InvalidGrantError, InvalidScopeError, InvalidTargetError
from immure.signing.settings import REFRESH_TOKEN, Issuer, Settings
from immure.signing.state import Heir, Kept, State
from immure.signing.users import Users

REFRESH: Final = "refresh"
_OPENID, _OFFLINE = "openid", "offline_access"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a code or refresh token is good for.

    Attributes:
        grant: for the access token.
        with_id: whether there is an ID token.
        with_refresh: whether there is a (next) refresh token.
        kind, secret: what was shown, and is to be taken.
        plain: what the next refresh token keeps.
    """

    grant: Grant
    with_id: bool
    with_refresh: bool
    kind: str
    secret: str = field(repr=False)
    plain: Mapping[str, Any]


class Renewals:
    """Trades codes and refresh tokens in, for one issuer.

    Args:
        settings: of the service.
        issuer: its name and itself.
        state: keeps them.
        users: who may sign in.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        issuer: tuple[str, Issuer],
        state: State,
        users: Users | None,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self._settings = settings
        self._name, self._issuer = issuer
        self._state = state
        self._users = users
        self._time = time

    async def code(self, asking: Asking, form: Mapping[str, str], key: str | None) -> Renewal:
        """What a code is good for. One that is shown with the wrong verifier is good for nothing any more.

        Args:
            key: thumbprint of the key that the client proved to have, which binds what comes of the code.

        Raises:
            InvalidGrantError: nothing.
        """
        shown = form.get("code", "")
        kept = await self._look(CODE, shown, asking)
        plain = kept.plain
        verifier = form.get("code_verifier", "")
        made = b64url(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())
        if form.get("redirect_uri", plain["redirect_uri"]) != plain["redirect_uri"]:
            await self._take(CODE, shown)
            raise InvalidGrantError("redirect_uri is another one than before")
        if not 43 <= len(verifier) <= 128 or made != plain["challenge"]:
            await self._take(CODE, shown)
            raise InvalidGrantError("code_verifier does not belong to the code (RFC 7636, section 4.6)")
        if plain.get("jkt") not in (None, key):
            await self._take(CODE, shown)
            raise InvalidGrantError("the code is for another key (dpop_jkt; RFC 9449, section 10)")
        bound = key if asking.client.public else None
        kept = Kept(kept.family, {**plain, "key": bound}, kept.used, kept.revoked)
        return self._renewal(asking, form, (CODE, shown), kept, plain["scope"].split())

    async def refresh(self, asking: Asking, form: Mapping[str, str], key: str | None) -> Renewal:
        """What a refresh token is good for; raises InvalidGrantError, InvalidScopeError or
        InvalidTargetError."""
        shown = form.get("refresh_token", "")
        kept = await self._look(REFRESH, shown, asking)
        if kept.plain["key"] not in (None, key):
            raise InvalidGrantError("the refresh token is bound to a key that was not proved")
        granted = kept.plain["scope"].split()
        asked = form["scope"].split() if "scope" in form else granted
        if not set(asked) <= set(granted):
            raise InvalidScopeError("more than what was granted")
        # the nonce was of the first ID token (OpenID Connect Core, section 12.2)
        kept = Kept(kept.family, {**kept.plain, "nonce": None}, kept.used, kept.revoked)
        return self._renewal(asking, form, (REFRESH, shown), kept, asked)

    async def settle(self, renewal: Renewal) -> str | None:
        """Take what was shown, now that there are tokens for it.

        Returns:
            The next refresh token, if there is one.

        Raises:
            InvalidGrantError: somebody else was quicker: the tokens must not leave, and the sign-in is over.
        """
        heir = None
        if renewal.with_refresh:
            token = urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode("ascii")
            until = int(renewal.plain["at"]) + self._issuer.refresh_seconds
            heir = Heir(REFRESH, token, renewal.plain, until)
        await self._take(renewal.kind, renewal.secret, heir)
        return None if heir is None else heir.secret

    async def _look(self, kind: str, secret: str, asking: Asking) -> Kept:
        known = await self._state.ask(self._state.look, kind, secret, now=self._now())
        if known is None or known.plain["client"] != asking.name or known.plain["issuer"] != self._name:
            raise InvalidGrantError("it is not known, has run out, or is another client's")
        if known.used or known.revoked:
            await self._take(kind, secret)
        if self._users is None or not self._users.is_there(known.plain["user"], self._name):
            raise InvalidGrantError("whoever signed in may not sign in here any more")
        return known

    async def _take(self, kind: str, secret: str, heir: Heir | None = None) -> None:
        kept = await self._state.ask(self._state.take, kind, secret, now=self._now(), heir=heir)
        if kept is None or kept.used or kept.revoked:
            raise InvalidGrantError("it was used before, and what came of it is revoked")

    def _renewal(
        self,
        asking: Asking,
        form: Mapping[str, str],
        shown: tuple[str, str],
        kept: Kept,
        scope: list[str],
    ) -> Renewal:
        plain = kept.plain
        audience = plain["resource"]
        if audience not in asking.client.audiences:
            raise InvalidGrantError("the client may not have tokens for this audience any more")
        if any(form.get(name, audience) != audience for name in ("resource", "audience")):
            raise InvalidTargetError("another audience than what was granted")
        allowed = asking.client.scopes & self._settings.audiences[audience].scopes
        grant = Grant(
            asking.name,
            plain["subject"],
            (audience,),
            tuple(sorted(set(scope) & allowed)),
            plain["tenant"],
            b64url(kept.family),
            authenticated=plain["at"],
            nonce=plain["nonce"],
        )
        renews = REFRESH_TOKEN in asking.client.grants and _OFFLINE in plain["scope"].split()
        return Renewal(grant, _OPENID in scope, renews, *shown, plain)

    def _now(self) -> int:
        return int(self._time().timestamp())
