"""That a form comes from our own page: by its origin, by cookies that no other site sends, and by a token.

One of the three would do (OWASP, Cross-Site Request Forgery Prevention); a browser that is old or misled may
fail one of them. Besides, that the page was asked for by a name of its own: under another one (DNS rebinding)
a stranger's page would be of the same origin.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from immure.access.errors import NoGrantError
from immure.access.texts import decode, encode
from immure.access.web.wire import Pair, Request, WireError
from immure.errors import InputError

#: Known to this page before and after somebody signs in: what the token hangs on.
VISIT: Final = "__Host-room-visit"
#: The session to look.
LOOK: Final = "__Host-room-look"
#: That a visit has shown the set-up code.
SET_UP: Final = "__Host-room-set-up"
_BYTES: Final = 32


class Guard:
    """Makes and checks tokens, by a key that lives as long as the server."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_BYTES)

    def visit(self, request: Request) -> tuple[str, tuple[Pair, ...]]:
        """The visit that a request belongs to, and the field that sets its cookie if it is new."""
        known = request.cookie(VISIT)
        if known is not None and len(known) == 43:
            return known, ()
        made = encode(secrets.token_bytes(_BYTES))
        return made, (set_cookie(VISIT, made),)

    def token(self, visit: str) -> str:
        """What a form of this visit must bring."""
        return self._sealed("form", visit)

    def pass_of(self, visit: str) -> str:
        """What a visit has in its cookie that has shown the set-up code of the room."""
        return self._sealed("set-up", visit)

    def has_pass(self, request: Request) -> bool:
        """Whether the visit has shown the set-up code."""
        given, visit = request.cookie(SET_UP) or "", request.cookie(VISIT) or ""
        return bool(visit) and hmac.compare_digest(self.pass_of(visit).encode(), given.encode("latin-1"))

    def _sealed(self, use: str, visit: str) -> str:
        return encode(hmac.digest(self._key, f"{use}:{visit}".encode("latin-1"), hashlib.sha256))

    def check(self, request: Request, origins: Sequence[str]) -> None:
        """Raises WireError if a form does not come from our page."""
        origin = request.one(b"origin")
        if origin is None or origin.decode("latin-1") not in origins:
            raise WireError(403, "this form was not sent by this page")
        site = request.one(b"sec-fetch-site")
        if site not in (None, b"same-origin"):
            raise WireError(403, "this form was not sent by this page")
        visit = request.cookie(VISIT) or ""
        given = request.form.get("token", "")
        if not visit or not hmac.compare_digest(self.token(visit).encode(), given.encode()):
            raise WireError(403, "this form is not of this visit any more: go back to the beginning")


def check_host(request: Request, origins: Sequence[str]) -> None:
    """Raises WireError if the page was asked for by another name than those of its origins. A proxy may hand
    the name on without the port."""
    given = request.one(b"host")
    names = {part for one in origins for part in (urlsplit(one).netloc, urlsplit(one).hostname)}
    if given is None or given.decode("latin-1").lower() not in names:
        raise WireError(421, "this is not the host of this page")


def set_cookie(name: str, value: str, *, site: str = "Strict") -> Pair:
    """Set a cookie that only this host gets, only over TLS, and no script; with ``Strict`` only from its own
    pages."""
    return b"set-cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={site}".encode()


def drop_cookie(name: str) -> Pair:
    """Have a cookie forgotten."""
    return b"set-cookie", f"{name}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0".encode()


def secret_of(request: Request, name: str) -> bytes:
    """The secret of a session in a cookie; raises NoGrantError if there is none."""
    try:
        secret = decode(request.cookie(name) or "")
    except InputError:
        secret = b""
    if len(secret) != _BYTES:
        raise NoGrantError("nobody has signed in", rule="session")
    return secret
