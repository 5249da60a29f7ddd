"""Codes and refresh tokens: what a client trades in for tokens (RFC 6749, sections 4.1.3 and 6; RFC 9700).

Both are good for once. A refresh token is replaced by the next one each time; one that is shown a second time
ends the whole sign-in, as one of the two who showed it stole it.
"""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure import clock
from immure.keymaterial.key import b64url
from immure.signing.authorize import CODE
from immure.signing.clients import Asking
from immure.signing.issuing import Grant
from immure.signing.oauth import InvalidGrantError, InvalidScopeError
from immure.signing.settings import REFRESH_TOKEN, Issuer, Settings
from immure.signing.state import Kept, State

REFRESH: Final = "refresh"
_OPENID, _OFFLINE = "openid", "offline_access"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a code or refresh token is good for.

    Attributes:
        grant: for the access token.
        family: of the sign-in.
        with_id: whether there is an ID token.
        with_refresh: whether there is a (next) refresh token.
        plain: what the next refresh token keeps.
    """

    grant: Grant
    family: bytes
    with_id: bool
    with_refresh: bool
    plain: Mapping[str, Any]


class Renewals:
    """Trades codes and refresh tokens in, for one issuer."""

    def __init__(
        self, settings: Settings, issuer: Issuer, state: State, *, time: clock.Clock = clock.now
    ) -> None:
        self._settings = settings
        self._issuer = issuer
        self._state = state
        self._time = time

    def code(self, asking: Asking, form: Mapping[str, str], key: str | None) -> Renewal:
        """What a code is good for.

        Args:
            key: thumbprint of the key that the client proved to have, which binds what comes of the code.

        Raises:
            InvalidGrantError: nothing.
        """
        kept = self._take(CODE, form.get("code", ""), asking)
        plain = kept.plain
        if form.get("redirect_uri", plain["redirect_uri"]) != plain["redirect_uri"]:
            raise InvalidGrantError("redirect_uri is another one than before")
        verifier = form.get("code_verifier", "")
        made = b64url(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())
        if not 43 <= len(verifier) <= 128 or made != plain["challenge"]:
            raise InvalidGrantError("code_verifier does not belong to the code (RFC 7636, section 4.6)")
        bound = key if asking.client.public else None
        return self._renewal(asking, {**plain, "key": bound}, kept.family, plain["scope"].split())

    def refresh(self, asking: Asking, form: Mapping[str, str], key: str | None) -> Renewal:
        """What a refresh token is good for; raises InvalidGrantError or InvalidScopeError."""
        shown = form.get("refresh_token", "")
        known = self._state.look(REFRESH, shown, now=self._now())
        if known is not None and known.plain["key"] not in (None, key):
            raise InvalidGrantError("the refresh token is bound to a key that was not proved")
        kept = self._take(REFRESH, shown, asking)
        granted = kept.plain["scope"].split()
        asked = form["scope"].split() if "scope" in form else granted
        if not set(asked) <= set(granted):
            raise InvalidScopeError("more than what was granted")
        return self._renewal(asking, kept.plain, kept.family, asked)

    def keep(self, renewal: Renewal) -> str:
        """The next refresh token; it is kept before it is given out."""
        token = urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode("ascii")
        until = int(renewal.plain["at"]) + self._issuer.refresh_seconds
        self._state.keep(REFRESH, token, renewal.family, renewal.plain, until=until)
        return token

    def _take(self, kind: str, secret: str, asking: Asking) -> Kept:
        known = self._state.look(kind, secret, now=self._now())
        if known is None or known.plain["client"] != asking.name:
            raise InvalidGrantError("it is not known, has run out, or is another client's")
        kept = self._state.take(kind, secret, now=self._now())
        if kept is None or kept.used or kept.revoked:
            raise InvalidGrantError("it was used before, and what came of it is revoked")
        return kept

    def _renewal(self, asking: Asking, plain: Mapping[str, Any], family: bytes, scope: list[str]) -> Renewal:
        audience = plain["resource"] or asking.client.audiences[0]
        if audience not in asking.client.audiences:
            raise InvalidGrantError("the client may not have tokens for this audience any more")
        allowed = asking.client.scopes & self._settings.audiences[audience].scopes
        grant = Grant(
            asking.name,
            plain["subject"],
            (audience,),
            tuple(sorted(set(scope) & allowed)),
            plain["tenant"],
            b64url(family),
            authenticated=plain["at"],
            nonce=plain["nonce"],
        )
        renews = REFRESH_TOKEN in asking.client.grants and _OFFLINE in plain["scope"].split()
        return Renewal(grant, family, _OPENID in scope, renews, plain)

    def _now(self) -> int:
        return int(self._time().timestamp())
