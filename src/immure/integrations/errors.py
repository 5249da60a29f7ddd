"""What a client is told whose request is not let in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from immure.errors import ImmureError


class Refusal(ImmureError):  # noqa: N818 - it is an answer, and nothing went wrong
    """A request is not let in. It is the whole answer: status, headers and body.

    Attributes:
        status: 400, 401, 403 or 503.
        error: code of RFC 6750, section 3.1, or RFC 9449, section 7.1; None if the client sent no token, or
            if it is not the client's fault.
        description: in fixed words; holds nothing that the client sent.
        rule: stable code of the rule that says no, such as ``key-issuer`` or ``scope-missing``.
        scopes: those that the request needs, if that is why.
        headers: names and values, each name once.
    """

    code = "request-refused"
    media_type = "application/json"

    def __init__(
        self,
        status: int,
        rule: str,
        description: str,
        *,
        error: str | None = None,
        scopes: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(description)
        self.status = status
        self.rule = rule
        self.description = description
        self.error = error
        self.scopes = tuple(scopes)
        self.headers = [*headers, ("Cache-Control", "no-store")]

    def members(self) -> dict[str, str]:
        """What is in the body: ``error`` (if there is one), ``error_description``, ``code`` and ``scope``."""
        members = {"error_description": self.description, "code": self.rule}
        if self.error is not None:
            members["error"] = self.error
        if self.scopes:
            members["scope"] = " ".join(self.scopes)
        return members

    def body(self) -> bytes:
        """The same as JSON."""
        return json.dumps(self.members()).encode()
