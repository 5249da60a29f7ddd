"""From a URL to the channel by which its server is asked.

>>> parse_target("https://mail.example/inbox", ["mail.example"]).port
443
>>> parse_target("https://mail.example/inbox", ["mail.exmaple"])
Traceback (most recent call last):
...
immure.probe.errors.TargetError: mail.example: --i-own-this must name this very host
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from immure.keymaterial.sources_http import is_loopback_url
from immure.probe.channels.channel import Channel
from immure.probe.channels.connection import Place, Tls
from immure.probe.channels.http import HttpChannel, Request
from immure.probe.channels.imap import ImapChannel
from immure.probe.channels.introspection import IntrospectionChannel
from immure.probe.channels.sasl import Login, Mechanism
from immure.probe.channels.smtp import SmtpChannel
from immure.probe.errors import TargetError

Kind = Literal["http", "imap", "smtp"]
_SCHEMES: Final[dict[str, tuple[Kind, int, Tls]]] = {
    "https": ("http", 443, "implicit"),
    "http": ("http", 80, "none"),
    "imaps": ("imap", 993, "implicit"),
    "imap": ("imap", 143, "starttls"),
    "smtps": ("smtp", 465, "implicit"),
    "smtp": ("smtp", 587, "starttls"),
}


@dataclass(frozen=True)
class Target:
    """A server that may be asked.

    Attributes:
        kind: the protocol.
        host, port, tls: where, and how it is secured.
        path: with its query.
        shown: the address for reports, without a query.
    """

    kind: Kind
    host: str
    port: int
    tls: Tls
    path: str
    shown: str


def parse_target(url: str, owned: Iterable[str], *, tls: Tls | None = None) -> Target:
    """The server that a URL names.

    Args:
        url: of http, https, imap, imaps, smtp or smtps.
        owned: hosts that the user says are theirs; that of the URL must be one of them, to the letter.
        tls: instead of what the scheme means; only for IMAP and SMTP.

    Raises:
        TargetError: not such a URL, not confirmed, or without TLS to another machine.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise TargetError("is not a valid URL", path=url[:200]) from None
    if parts.scheme not in _SCHEMES or not host or any(not "!" <= char <= "~" for char in url):
        raise TargetError(f"is not a URL of {', '.join(_SCHEMES)}", path=url[:200])
    if parts.username is not None or parts.password is not None:
        raise TargetError("a URL with a user name in it is not probed (use --user)", path=host)
    if host not in {one.strip().strip("[]").lower().rstrip(".") for one in owned}:
        raise TargetError("--i-own-this must name this very host", path=host)
    kind, usual, secured = _SCHEMES[parts.scheme]
    if tls is not None and kind != "http":
        secured = tls
    if secured == "none" and not is_loopback_url(f"http://{parts.netloc}"):
        raise TargetError("tokens are sent without TLS to this machine only", path=host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{name}" + (f":{port}" if port else "")
    shown += (parts.path or "/") if kind == "http" else ""
    return Target(kind, host, port or usual, secured, path, shown)


@dataclass(frozen=True)
class How:
    """How a server is asked; what does not concern its protocol is ignored.

    Attributes:
        method, scheme, token_header, headers, let_in, pattern: of HTTP, as in
            :class:`~immure.probe.channels.http.Request`.
        introspection: ask an introspection endpoint (RFC 7662).
        client: id and secret for it.
        user, mechanism: who logs in by IMAP or SMTP, and how.
        ca_file: certificates to trust instead of the system's.
        seconds: for one token.
    """

    method: str = "GET"
    scheme: str = "Bearer"
    token_header: str = "Authorization"
    headers: tuple[tuple[str, str], ...] = ()
    let_in: frozenset[int] = frozenset(range(200, 300))
    pattern: re.Pattern[str] | None = None
    introspection: bool = False
    client: tuple[str, str] | None = None
    user: str = ""
    mechanism: Mechanism = "XOAUTH2"
    ca_file: str | None = None
    seconds: float = 10.0


def open_channel(target: Target, how: How) -> Channel:
    """The channel to a target.

    Raises:
        TargetError: a header cannot be sent, no user is named, or a file of certificates cannot be read.
    """
    place = Place(target.host, target.port, target.tls, how.ca_file, how.seconds)
    if target.tls != "none":
        place.context()  # so that a wrong file is known before anything is sent
    if target.kind == "http":
        headers = how.headers + ((_basic(*how.client),) if how.client is not None else ())
        request = Request(
            target.path, how.method, how.scheme, how.token_header, headers, how.let_in, how.pattern
        )
        kind = IntrospectionChannel if how.introspection else HttpChannel
        return kind(place, request, target.shown)
    login = Login(how.user, how.mechanism, target.host, target.port)
    return (ImapChannel if target.kind == "imap" else SmtpChannel)(place, login, target.shown)


def _basic(client: str, secret: str) -> tuple[str, str]:
    """RFC 6749, section 2.3.1: both are form-encoded first."""
    from urllib.parse import quote_plus

    both = f"{quote_plus(client)}:{quote_plus(secret)}"
    return "Authorization", f"Basic {base64.b64encode(both.encode()).decode()}"
