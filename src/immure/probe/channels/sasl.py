"""Tokens in SASL: what a mail client says to log in (RFC 7628, and XOAUTH2 as Google and Microsoft have it).

>>> Login("ada", "XOAUTH2", "mail.example", 993).first("e30")
b'dXNlcj1hZGEBYXV0aD1CZWFyZXIgZTMwAQE='
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final, Literal

from immure.probe.errors import CarryError, TargetError

Mechanism = Literal["OAUTHBEARER", "XOAUTH2"]
_SEPARATOR: Final = "\x01"
#: Words of RFC 7628 and RFC 6749 for faults of the server, and Dovecot's.
_FAULTS: Final = ("internal_failure", "server_error", "temporarily_unavailable")


@dataclass(frozen=True)
class Login:
    """Who logs in, and how.

    Attributes:
        user: whose mailbox it is.
        mechanism: of SASL.
        host, port: of the server, as OAUTHBEARER repeats them.
    """

    user: str
    mechanism: Mechanism
    host: str
    port: int

    def __post_init__(self) -> None:
        if not self.user or not self.user.isprintable():
            raise TargetError("a user is needed whose mailbox it is (--user)")

    def first(self, token: str | None) -> bytes:
        """What the client says first, in base64.

        Raises:
            CarryError: the token holds what separates it from the rest.
        """
        token = token or ""
        if _SEPARATOR in token:
            raise CarryError("SASL cannot hold such a token")
        if self.mechanism == "XOAUTH2":
            parts = [f"user={self.user}", f"auth=Bearer {token}", "", ""]
        else:
            name = self.user.replace("=", "=3D").replace(",", "=2C")
            parts = [f"n,a={name},", f"host={self.host}", f"port={self.port}", f"auth=Bearer {token}", "", ""]
        return base64.b64encode(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass"))

    @property
    def last(self) -> bytes:
        """What the client says to an error, so that the server ends (RFC 7628, section 3.2.3)."""
        return b"AQ==" if self.mechanism == "OAUTHBEARER" else b""


def is_fault(challenge: bytes) -> bool:
    """Whether a server's error, in base64, says that the fault is its own (RFC 7628, section 3.2.2).

    XOAUTH2 has statuses of HTTP there, OAUTHBEARER has words; a last line that refuses follows either.
    """
    try:
        value = json.loads(base64.b64decode(challenge, validate=True))
    except (ValueError, RecursionError):
        return False
    status = value.get("status") if isinstance(value, dict) else None
    return isinstance(status, str) and (status[:1] == "5" or status in _FAULTS)
