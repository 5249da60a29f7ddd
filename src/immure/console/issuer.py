"""Signing in by an issuer: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636, RFC 9700).

What must come back with the code (``state``, ``nonce``, the verifier of PKCE) is kept by the browser, in a
cookie that nobody else can make; the server keeps nothing for people who never come back. The ID token is
validated by a token policy of :mod:`immure.tokens`, whose audience is our client.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from immure.access.errors import DeniedError
from immure.access.texts import decode, encode
from immure.access.web.guard import drop_cookie
from immure.access.web.wire import Pair, Request
from immure.clock import Clock
from immure.console.asking import ask_form
from immure.console.settings import IssuerSignIn
from immure.errors import ImmureError, InputError
from immure.tokens.errors import TokenError
from immure.tokens.policy_file import read_policy
from immure.tokens.validator import Validator
from immure.toml_file import read_bounded

#: Only this host gets it; "Lax", as the browser comes back from another site.
COOKIE: Final = "__Host-console-issuer"
_PATIENCE: Final = timedelta(minutes=10)
_MOST_SECRET: Final = 4096
_MAC: Final = 32


class Issuer:
    """The way by an issuer.

    Args:
        settings: of it.
        origin: of our own pages.
        clock: tells the time.

    Raises:
        PolicyError, UsageError: its policy, or our secret, cannot be read.
    """

    def __init__(self, settings: IssuerSignIn, origin: str, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._back = f"{origin}/sign-in/back"
        self._key = secrets.token_bytes(_MAC)
        self._validator = Validator(read_policy(settings.policy), time=clock)
        self._secret = None if settings.secret is None else _read_secret(settings.secret)

    def begin(self) -> tuple[str, Pair]:
        """Where to send a browser, and the field that sets the cookie it must come back with."""
        state, nonce, verifier = (encode(secrets.token_bytes(32)) for _ in range(3))
        challenge = encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code", "client_id": self._settings.client, "redirect_uri": self._back,
            "scope": "openid", "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        until = int((self._clock() + _PATIENCE).timestamp())
        plain = json.dumps([state, nonce, verifier, until]).encode()
        value = encode(hmac.digest(self._key, plain, hashlib.sha256) + plain)
        mark = "&" if "?" in self._settings.authorize else "?"
        cookie = f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
        return f"{self._settings.authorize}{mark}{urlencode(query)}", (b"set-cookie", cookie.encode())

    def forget(self) -> Pair:
        """The field that has the browser forget that cookie."""
        return drop_cookie(COOKIE)

    def person(self, request: Request) -> str:
        """Who has come back from the issuer.

        Raises:
            DeniedError: nobody, as ``rule`` and the reason say.
        """
        state, nonce, verifier = self._kept(request.cookie(COOKIE))
        if not hmac.compare_digest(request.query.get("state", "").encode(), state.encode()):
            raise DeniedError("this answer is to another sign-in: begin again", rule="state")
        code = request.query.get("code")
        if not code:
            word = request.query.get("error", "no code")
            raise DeniedError(f"the issuer has not signed you in: {word[:80]}", rule="issuer")
        try:
            claims = dict(self._validator.validate(self._trade(code, verifier)))
        except TokenError as error:
            reason = f"the issuer's token is refused: {error.reason}"
            raise DeniedError(reason, rule=error.code) from error
        except ImmureError as error:
            raise DeniedError(f"the issuer cannot be asked now ({error.code})", rule="issuer") from error
        return self._named(claims, nonce)

    def _kept(self, cookie: str | None) -> tuple[str, str, str]:
        try:
            data = decode(cookie or "")
        except InputError:
            data = b""
        mac, plain = data[:_MAC], data[_MAC:]
        if not plain or not hmac.compare_digest(mac, hmac.digest(self._key, plain, hashlib.sha256)):
            raise DeniedError("this browser has not begun to sign in here: begin again", rule="state")
        state, nonce, verifier, until = json.loads(plain)
        if self._clock().timestamp() > until:
            raise DeniedError("that took longer than ten minutes: begin again", rule="stale")
        return state, nonce, verifier

    def _trade(self, code: str, verifier: str) -> str:
        """The ID token for a code (RFC 6749, section 4.1.3)."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._back,
            "client_id": self._settings.client, "code_verifier": verifier,
        }  # fmt: skip
        authorization = None
        if self._secret is not None:
            pair = f"{quote(self._settings.client, safe='')}:{quote(self._secret, safe='')}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        token = ask_form(self._settings.token, form, authorization).get("id_token")
        if not isinstance(token, str):
            raise DeniedError("the issuer has given no ID token", rule="issuer")
        return token

    def _named(self, claims: dict[str, Any], nonce: str) -> str:
        audience = claims.get("aud")
        if (audience if isinstance(audience, list) else [audience]) != [self._settings.client]:
            raise DeniedError("the token is for somebody else", rule="audience")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise DeniedError("the token is of another sign-in: begin again", rule="nonce")
        person = claims.get(self._settings.claim)
        if not isinstance(person, str) or not 0 < len(person) <= 200:
            raise DeniedError(f"the token does not say who you are ({self._settings.claim})", rule="claim")
        return f"{self._settings.prefix}{person}"


def _read_secret(path: Any) -> str:
    _, data = read_bounded(path, _MOST_SECRET)
    return data.decode("utf-8", "replace").strip()
