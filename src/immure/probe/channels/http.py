"""HTTP: a token in the Authorization header (RFC 6750, section 2.1), and what the answer's status says.

No redirect is followed. A server that closes its connection in the middle of a token that it finds too long
is still read: its answer may be waiting.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from immure.keymaterial.sources_http import _Deadline
from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel
from immure.probe.channels.connection import MOST_BYTES, Place, connected, failed
from immure.probe.errors import CarryError, TargetError

_TEXT: Final = re.compile("[\t\x20-\x7e\x80-\xff]*")
_NAME: Final = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,80}")
#: Answers that say neither yes nor no: a server, or what stands before it, is asked too much.
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True)
class Request:
    """How a token is sent, and what the answer means.

    Attributes:
        path: with its query.
        method: such as ``GET``.
        scheme: before the token; empty for none.
        token_header: the header that holds it.
        headers: to be sent besides, as pairs.
        let_in: status codes that mean that the token is let in.
        pattern: what the body must hold, too, for the token to be let in.
        form: the body is ``token=…`` instead of a header (RFC 7662).
    """

    path: str = "/"
    method: str = "GET"
    scheme: str = "Bearer"
    token_header: str = "Authorization"
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)  # may hold a password
    let_in: frozenset[int] = frozenset(range(200, 300))
    pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        for name, value in (*self.headers, (self.method, self.scheme), (self.token_header, "")):
            if not _NAME.fullmatch(name) or not _TEXT.fullmatch(value):
                raise TargetError("a header, method or scheme cannot be sent as it is")


class HttpChannel(Channel):
    """Sends requests to one URL.

    Args:
        place: host and port.
        request: what is sent.
        target: the URL for reports, without its query.
    """

    name = "http"
    asks_without = True

    def __init__(self, place: Place, request: Request, target: str) -> None:
        self._place = place
        self._request = request
        self.target = target

    def ask(self, token: str | None) -> Answer:
        """See :meth:`Channel.ask`."""
        headers, body = self._sent(token)
        try:
            with connected(self._place) as (sock, deadline):
                connection = http.client.HTTPConnection(_netloc(self._place), timeout=deadline.left)
                connection.sock = sock
                return self._answer(connection, headers, body, deadline)
        except (OSError, http.client.HTTPException, EOFError, ValueError) as error:
            if isinstance(error, http.client.HTTPException | ValueError) and not isinstance(error, OSError):
                return Answer(Outcome.BROKE, f"no HTTP ({type(error).__name__})")
            return failed(error)

    def _sent(self, token: str | None) -> tuple[list[tuple[str, str]], bytes | None]:
        """Headers and body. A blank at either end would not arrive (RFC 9110, section 5.5)."""
        headers = list(self._request.headers)
        if token is None:
            return headers, None
        try:
            prefix = f"{self._request.scheme} " if self._request.scheme else ""
            value = (prefix + token).encode().decode("latin-1")
        except UnicodeEncodeError:
            raise CarryError("half a character cannot be sent") from None
        if not _TEXT.fullmatch(value) or value != value.strip():
            raise CarryError("an HTTP header cannot hold such a token")
        return [*headers, (self._request.token_header, value)], None

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        headers: list[tuple[str, str]],
        body: bytes | None,
        deadline: _Deadline,
    ) -> Answer:
        with suppress(ConnectionError):  # it has heard enough; it may have said why
            _send(connection, self._request, headers, body)
        response = connection.getresponse()
        text = ""
        if response.status in self._request.let_in and self._reads():
            text = response.read(MOST_BYTES).decode("utf-8", "replace")
        if deadline.expired:
            raise TimeoutError
        return self._meaning(response.status, text)

    def _reads(self) -> bool:
        return self._request.pattern is not None

    def _meaning(self, status: int, text: str) -> Answer:
        request, words = self._request, f"HTTP {status}"
        if status in request.let_in:
            if request.pattern is not None and not request.pattern.search(text):
                return Answer(Outcome.REFUSED, f"{words}, without what says that it is let in")
            return Answer(Outcome.LET_IN, words)
        if status >= 500:
            return Answer(Outcome.BROKE, words)
        if status in _LATER:
            return Answer(Outcome.UNCLEAR, words)
        if 300 <= status < 400:
            return Answer(Outcome.REFUSED, f"{words}, a redirect, which is not followed")
        if status >= 400:
            return Answer(Outcome.REFUSED, words)
        return Answer(Outcome.UNCLEAR, words)


def _netloc(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{host}:{place.port}"


def _send(
    connection: http.client.HTTPConnection,
    request: Request,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
) -> None:
    connection.putrequest(request.method, request.path, skip_host=False, skip_accept_encoding=True)
    named = {name.lower() for name, _ in headers}
    for name, value in (("User-Agent", user_agent()), ("Accept", "*/*"), ("Connection", "close")):
        if name.lower() not in named:
            connection.putheader(name, value)
    for name, value in headers:
        connection.putheader(name, value.encode("latin-1"))
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)


def user_agent() -> str:
    """By what the owner of a server knows us in its log."""
    from immure.scanning.report import tool

    return f"immure-probe/{tool.version().strip('()')}"
