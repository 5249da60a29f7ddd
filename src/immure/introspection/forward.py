"""``/auth/NAME…``: a proxy asks before it lets a request through (nginx ``auth_request``, Envoy
``ext_authz``, Traefik and Caddy forward authentication). Any method, any path below it, no body is read.

The answer is 200, 401 or 403, as nothing else is understood by all; what stands for "no verdict" is in the
table of :mod:`immure.introspection.consumers`. With 200 go the headers that say who it is: all of them, empty
where there is nothing to say, so that a proxy overwrites what a client wrote under those names.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from immure.introspection.answers import ScopeError, audiences_of, scopes_of
from immure.introspection.asgi import NO_STORE, Headers, Receive, Scope, Send, answer, header_values
from immure.introspection.certificate import certificate_of
from immure.introspection.consumers import CONSUMERS
from immure.introspection.deciding import Desk
from immure.introspection.errors import ClientError, UnavailableError
from immure.introspection.settings import Forward, Settings
from immure.tokens.claims import Claims

#: Printable ASCII but for the blank and ``%``, which stands before what had to be escaped.
_PLAIN: Final = "".join(chr(one) for one in range(0x21, 0x7F) if chr(one) != "%")


class ForwardAuth:
    """The endpoint of one profile.

    Args:
        profile: its settings.
        settings: of the server.
        desk: decides.
    """

    def __init__(self, profile: Forward, settings: Settings, desk: Desk) -> None:
        self._desk = desk
        self._unavailable = profile.unavailable or CONSUMERS[profile.consumer].unavailable
        self._username = settings.username
        self._fields = [(part, name.lower().encode("ascii")) for part, name in profile.headers.items()]
        self._certificate: bytes | None = None
        if profile.client_certificate and settings.certificate_header is not None:
            self._certificate = settings.certificate_header.encode("ascii")
        self._challenge = f'Bearer realm="{profile.realm}"'
        self._needed = " ".join(sorted(profile.scopes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        token = _bearer(scope)
        if token is None:
            return await self._refuse(send, 401, self._challenge)
        if not token:
            return await self._refuse(send, 401, f'{self._challenge}, error="invalid_request"')
        try:
            certificate = None
            if self._certificate is not None:
                certificate = certificate_of(header_values(scope, self._certificate))
            decided = await self._desk.decide(token, certificate)
        except ClientError:
            return await self._refuse(send, 401, f'{self._challenge}, error="invalid_request"')
        except UnavailableError:
            return await answer(send, self._unavailable, b"", (NO_STORE, (b"retry-after", b"5")))
        if isinstance(decided.error, ScopeError):
            words = f'{self._challenge}, error="insufficient_scope", scope="{self._needed}"'
            return await self._refuse(send, 403, words)
        if decided.claims is None:
            return await self._refuse(send, 401, f'{self._challenge}, error="invalid_token"')
        return await answer(send, 200, b"", self._identity(decided.claims))

    async def _refuse(self, send: Send, status: int, challenge: str) -> None:
        await answer(send, status, b"", (NO_STORE, (b"www-authenticate", challenge.encode("ascii"))))

    def _identity(self, claims: Claims) -> Headers:
        get = claims.get
        values = {
            "subject": claims.subject,
            "issuer": claims.issuer,
            "tenant": claims.tenant,
            "client": get("client_id") or get("azp"),
            "username": get(self._username) if self._username else None,
        }
        made: Headers = [NO_STORE]
        for part, name in self._fields:
            if part == "scope":
                text = " ".join(header_text(one) for one in scopes_of(claims))
            elif part == "audience":
                text = " ".join(header_text(one) for one in audiences_of(claims))
            else:
                text = header_text(values[part])
            made.append((name, text.encode("ascii")))
        return made


def header_text(value: object) -> str:
    """A value as a header can carry it: what is not printable ASCII, blanks and ``%`` are percent-escaped, so
    that two values never look alike. What is no text is nothing.

    >>> header_text("ada\\r\\nX-Admin: 1")
    'ada%0D%0AX-Admin:%201'
    """
    return quote(value, safe=_PLAIN, errors="replace") if isinstance(value, str) else ""


def _bearer(scope: Scope) -> bytes | None:
    """The token in the one ``Authorization`` (RFC 6750, section 2.1); None if there is none, empty if it is
    not to be understood."""
    values = header_values(scope, b"authorization")
    if not values:
        return None
    scheme, _, token = values[0].partition(b" ")
    if len(values) > 1:
        return b""
    if scheme.lower() != b"bearer":
        return None
    return token.strip(b" ")
