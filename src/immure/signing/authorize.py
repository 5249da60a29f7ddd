"""Signing people in: authorization code with PKCE (RFC 6749, RFC 7636, RFC 9700), OpenID Connect on top.

A request that names no client of ours, or an address that is not exactly one of the client's, is answered
with a page and never sent on: anything else would make this an open redirector. All other answers go back to
the client, with ``iss`` in them (RFC 9207).
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from immure import clock
from immure.introspection.asgi import Receive, Scope, Send, answer, header_values, read_body
from immure.introspection.errors import FormError, MethodError
from immure.introspection.forms import parse_form
from immure.signing.oauth import FormMethodError
from immure.signing.pages import HEADERS, error_page, headers_for, sign_in
from immure.signing.settings import AUTHORIZATION_CODE, Client, Issuer, Settings
from immure.signing.state import State
from immure.signing.users import TooOftenError, User, Users

CODE, SESSION = "code", "session"
#: Seconds that somebody stays signed in.
_SIGNED_IN: Final = 8 * 3600
_MOST_BYTES: Final = 32 << 10
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: A query as browsers send it; it comes back in a header, so nothing else may be in it.
_QUERY: Final = re.compile(rb"[\x21-\x7e]*")
_PLAIN: Final = re.compile(r"[\x20-\x7e]{0,512}")
_LOOPBACK: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Request:
    """A request that may be answered to its client."""

    client_id: str
    client: Client
    redirect_uri: str
    state: str | None
    parameters: Mapping[str, str]


class PageError(Exception):
    """Answered with a page: there is no client that it could be sent back to."""


class SentBackError(Exception):
    """Answered to the client, by a code of RFC 6749, section 4.1.2.1."""

    def __init__(self, request: Request, error: str, description: str) -> None:
        super().__init__(description)
        self.request = request
        self.error = error


class Authorization:
    """The endpoints ``/authorize`` and ``/sign-in`` of one issuer.

    Args:
        settings: of the service.
        issuer: its name and itself.
        users: who may sign in.
        state: keeps codes and sessions.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        issuer: tuple[str, Issuer],
        users: Users,
        state: State,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self._name, self._issuer = issuer
        self._clients = {
            name: client for name, client in settings.clients.items() if client.issuer == self._name
        }
        self._audiences = settings.audiences
        self._users = users
        self._state = state
        self._time = time
        self._secure = urlsplit(self._issuer.url).scheme == "https"
        # of this host only, whatever a neighbour in the domain may set (RFC 6265bis, section 4.1.3.2)
        prefix = "__Host-" if self._secure else ""
        self._session, self._guard = (f"{prefix}immure-{one}-{self._name}" for one in ("session", "guard"))

    # --- /authorize ---

    async def authorize(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send somebody back with a code, or show the form."""
        try:
            if scope["method"] == "GET":
                raw = scope["query_string"]
            elif scope["method"] == "POST":
                raw = await read_body(scope, receive, _MOST_BYTES)
            else:
                raise FormMethodError("GET or POST is needed")
            request = self._request(raw)
            self._check(request)
            signed_in = await self._signed_in(scope, request)
        except PageError as error:
            await answer(send, 400, error_page(str(error)), HEADERS)
            return
        except SentBackError as error:
            await self._send_back(send, error.request, error=error.error, error_description=str(error))
            return
        if signed_in is not None:
            await self._send_back(send, request, code=await self._code(request, signed_in))
        elif request.parameters.get("prompt") == "none":
            await self._send_back(send, request, error="login_required")
        else:
            await self._form(send, request, raw.decode("ascii"), None)

    def _request(self, raw: bytes) -> Request:
        if len(raw) > _MOST_BYTES or not _QUERY.fullmatch(raw):
            raise PageError("The request is too long, or malformed.")
        try:
            parameters = parse_form(raw)
        except FormError:
            raise PageError("The request is malformed.") from None
        name = parameters.get("client_id", "")
        client = self._clients.get(name)
        if client is None or AUTHORIZATION_CODE not in client.grants:
            raise PageError("The application that sent you here is not known.")
        uri = parameters.get("redirect_uri", "")
        if not any(_same_place(uri, one) for one in client.redirect_uris):
            raise PageError("The application wants you to be sent somewhere that is not its own.")
        return Request(name, client, uri, parameters.get("state"), parameters)

    def _check(self, request: Request) -> None:
        given = request.parameters
        if given.get("response_type") != "code" or given.get("response_mode", "query") != "query":
            raise SentBackError(request, "unsupported_response_type", "only codes are given, in the query")
        challenge = given.get("code_challenge", "")
        if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise SentBackError(request, "invalid_request", "PKCE by S256 is needed (RFC 7636)")
        if not _CHALLENGE.fullmatch(given.get("dpop_jkt", challenge)):
            raise SentBackError(request, "invalid_request", "dpop_jkt is no thumbprint (RFC 9449)")
        if "request" in given or "request_uri" in given:
            raise SentBackError(request, "request_not_supported", "request objects are not taken")
        for name in ("state", "nonce", "scope"):
            if not _PLAIN.fullmatch(given.get(name, "")):
                raise SentBackError(request, "invalid_request", f"{name} is too long, or not plain text")
        allowed = request.client.scopes | {"openid", "offline_access"}
        if not set(given.get("scope", "").split()) <= allowed:
            raise SentBackError(request, "invalid_scope", "one of the scopes is not the client's to ask for")
        audience = given.get("resource")
        if audience is not None and audience not in request.client.audiences:
            raise SentBackError(request, "invalid_target", "the client may not have tokens for this audience")

    async def _code(self, request: Request, session: Mapping[str, Any]) -> str:
        code, now = _random(), self._now()
        given = request.parameters
        plain = {
            "client": request.client_id,
            "redirect_uri": request.redirect_uri,
            "challenge": given["code_challenge"],
            "scope": given.get("scope", ""),
            "resource": given.get("resource", request.client.audiences[0]),
            "nonce": given.get("nonce"),
            "jkt": given.get("dpop_jkt"),
            "issuer": self._name,
            "user": session["user"],
            "subject": session["subject"],
            "tenant": session["tenant"],
            "at": session["at"],
        }
        until = now + self._issuer.code_seconds
        await self._state.ask(self._state.keep, CODE, code, os.urandom(16), plain, until=until)
        return code

    # --- /sign-in ---

    async def sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the form sends. Whoever is right goes back to ``/authorize`` with a session."""
        if scope["method"] != "POST":
            raise MethodError("POST is needed")
        body = await read_body(scope, receive, _MOST_BYTES)
        try:
            form = parse_form(body)
            raw = form.get("request", "").encode("utf-8")
            request = self._request(raw)
            self.check_guard(scope, form)
        except FormError:
            await answer(send, 400, error_page("The form is malformed."), HEADERS)
            return
        except PageError as error:
            await answer(send, 400, error_page(str(error)), HEADERS)
            return
        try:
            name = form.get("name", "")
            user = await self._users.acheck(name, form.get("password", ""), self._name)
        except TooOftenError:
            await self._form(send, request, raw.decode(), "Too many wrong passwords. Try again in a minute.")
            return
        if user is None:
            await self._form(send, request, raw.decode(), "Name or password is wrong.")
            return
        await self._begin(send, raw, name, user)

    async def _begin(self, send: Send, raw: bytes, name: str, user: User) -> None:
        session, now = _random(), self._now()
        plain = {
            "user": name,
            "subject": user.subject,
            "tenant": user.tenant,
            "at": now,
            "issuer": self._name,
        }
        await self._state.ask(
            self._state.keep, SESSION, session, os.urandom(16), plain, until=now + _SIGNED_IN
        )
        headers = (
            *HEADERS,
            (b"location", f"{self._issuer.path}/authorize?".encode() + raw),
            (b"set-cookie", self._cookie(self._session, session, _SIGNED_IN)),
            (b"set-cookie", self._cookie(self._guard, "", 0)),
        )
        await answer(send, 303, b"", headers)

    def check_guard(self, scope: Scope, form: Mapping[str, str]) -> None:
        """The form came from our own page: its hidden value is that of the cookie, which others cannot read,
        and the browser says that it came from here; raises PageError."""
        guard = cookies(scope).get(self._guard, "")
        origins = header_values(scope, b"origin")
        parts = urlsplit(self._issuer.url)
        own = f"{parts.scheme}://{parts.netloc}".encode()
        same = compare_digest(guard.encode(), form.get("guard", "").encode())
        if not guard or not same or any(one != own for one in origins):
            raise PageError("The form has run out, or is not ours. Go back to the application and try again.")

    def new_guard(self) -> tuple[str, bytes]:
        """The hidden value of a form, and the header with the cookie of the same value."""
        guard = _random()
        return guard, self._cookie(self._guard, guard, 600)

    # --- what both need ---

    async def _signed_in(self, scope: Scope, request: Request) -> Mapping[str, Any] | None:
        if request.parameters.get("prompt", "") not in ("", "none"):
            return None
        plain = await self.session(scope)
        age = request.parameters.get("max_age", "")
        if plain is None or not age:
            return plain
        fresh = age.isascii() and age.isdecimal() and self._now() - plain["at"] < int(age[:9])
        return plain if fresh else None

    async def session(self, scope: Scope) -> Mapping[str, Any] | None:
        """Who is signed in, in this browser; None if nobody is, or may be any more."""
        secret = cookies(scope).get(self._session)
        if secret is None:
            return None
        kept = await self._state.ask(self._state.look, SESSION, secret, now=self._now())
        if kept is None or kept.revoked or kept.plain["issuer"] != self._name:
            return None
        return kept.plain if self._users.is_there(kept.plain["user"], self._name) else None

    async def end(self, scope: Scope) -> tuple[bytes, bytes]:
        """End the session of this browser; the header that takes its cookie away."""
        secret = cookies(scope).get(self._session)
        if secret is not None:
            kept = await self._state.ask(self._state.look, SESSION, secret, now=self._now())
            if kept is not None:
                await self._state.ask(self._state.revoke_family, kept.family)
        return (b"set-cookie", self._cookie(self._session, "", 0))

    async def _form(self, send: Send, request: Request, raw: str, error: str | None) -> None:
        guard, cookie = self.new_guard()
        # whoever signs in now has done what these two asked for
        raw = "&".join(one for one in raw.split("&") if not one.startswith(("prompt=", "max_age=")))
        page = sign_in(
            action=f"{self._issuer.path}/sign-in",
            client=request.client_id,
            issuer=self._issuer.url,
            guard=guard,
            request=raw,
            error=error,
        )
        headers = (*headers_for(request.redirect_uri), (b"set-cookie", cookie))
        await answer(send, 200 if error is None else 403, page, headers)

    async def _send_back(self, send: Send, request: Request, **answers: str) -> None:
        given = {**answers, "iss": self._issuer.url}
        if request.state is not None:
            given["state"] = request.state
        joint = "&" if urlsplit(request.redirect_uri).query else "?"
        location = f"{request.redirect_uri}{joint}{urlencode(given)}"
        headers = ((b"location", location.encode("ascii")), (b"cache-control", b"no-store"))
        await answer(send, 303, b"", (*headers, (b"referrer-policy", b"no-referrer")))

    def _cookie(self, name: str, value: str, seconds: int) -> bytes:
        path = "/" if self._secure else self._issuer.path or "/"
        secure = "; Secure" if self._secure else ""
        return f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}".encode()

    def _now(self) -> int:
        return int(self._time().timestamp())


def cookies(scope: Scope) -> dict[str, str]:
    """The cookies of a request; none, if they are malformed or too long."""
    raw = b"; ".join(header_values(scope, b"cookie"))
    try:
        jar = SimpleCookie(raw.decode("latin-1")) if len(raw) < _MOST_BYTES else SimpleCookie()
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _same_place(asked: str, allowed: str) -> bool:
    """Exactly the same (RFC 9700, section 4.1.3), but for the port of a program on the user's own machine
    (RFC 8252, section 7.3)."""
    if asked == allowed:
        return bool(asked)
    try:
        one, other = urlsplit(asked), urlsplit(allowed)
        _ = one.port
    except ValueError:
        return False
    if other.scheme != "http" or other.hostname not in _LOOPBACK or one.hostname != other.hostname:
        return False
    plain = "@" not in one.netloc and not one.fragment and _QUERY.fullmatch(asked.encode()) is not None
    return plain and (one.scheme, one.path, one.query) == (other.scheme, other.path, other.query)


def _random() -> str:
    return urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode("ascii")
