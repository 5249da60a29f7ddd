"""Introspection (RFC 7662): the server is asked about a token; ``active`` that is true lets it in."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from immure.probe.answer import Answer, Outcome
from immure.probe.channels.connection import Place
from immure.probe.channels.http import HttpChannel, Request

_FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")


class IntrospectionChannel(HttpChannel):
    """Posts tokens to an introspection endpoint.

    Args:
        place: host and port.
        request: its headers hold how the client is authenticated.
        target: the URL for reports.
    """

    name = "introspection"
    asks_without = False

    def __init__(self, place: Place, request: Request, target: str) -> None:
        headers = (*request.headers, _FORM, ("Accept", "application/json"))
        only = frozenset({200})  # RFC 7662, section 2.2
        super().__init__(
            place, Request(path=request.path, method="POST", headers=headers, let_in=only), target
        )

    def _sent(self, token: str | None) -> tuple[list[tuple[str, str]], bytes | None]:
        text = (token or "").encode("utf-8", "surrogatepass")
        return list(self._request.headers), b"token=" + quote(text, safe="").encode()

    def _reads(self) -> bool:
        return True

    def _meaning(self, status: int, text: str) -> Answer:
        if status in (401, 403):
            return Answer(Outcome.UNCLEAR, f"HTTP {status}: it is we who are refused, not the token")
        if status != 200:
            return super()._meaning(status, text)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return Answer(Outcome.BROKE, "HTTP 200, and no JSON")
        active = value.get("active") if isinstance(value, dict) else None
        if not isinstance(active, bool):
            return Answer(Outcome.BROKE, "HTTP 200, and active is neither true nor false")
        return Answer(Outcome.LET_IN if active else Outcome.REFUSED, f"active is {str(active).lower()}")
