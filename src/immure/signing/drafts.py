"""A token but for its time, its name and its key: what all tokens of one grant have in common, made once.

Programs ask for the same token over and over. Most of what it takes to write one is the same each time: the
claims as JSON, the header, the row of the ledger and whether that can hold it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from immure.digest import signed_digest
from immure.ledger.row import Issued
from immure.signing.keys import encoded
from immure.signing.settings import Issuer

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
_NO_DIGEST: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class _WithKey:
    """What follows from the key that signs: the header, encoded, and a row for the ledger."""

    head: bytes
    row: Issued


@dataclass(frozen=True)
class Draft:
    """Of a token; what it says was held against the scope of the issuer's keys.

    Attributes:
        issuer: whose token it is.
        kind: ``typ`` of the header.
        claims: ``iss``, ``sub``, ``aud`` and the client.
        more: claims that follow ``iat``, ``exp`` and ``jti``.
        seconds: that it lives.
        until: when it ends at the latest, seconds since 1970; None if nothing is said of that.
        tenant, client, session: for the ledger.
    """

    issuer: Issuer
    kind: str
    claims: Mapping[str, Any]
    more: Mapping[str, Any]
    seconds: int
    until: int | None = None
    tenant: str = ""
    client: str = ""
    session: str = ""

    def write(self, kid: str, now: int, name: str) -> tuple[bytes, Issued]:
        """What is signed (RFC 7515, section 5.1), and its row for the ledger.

        Args:
            kid: of the key that will sign.
            now: ``iat``, seconds since 1970.
            name: ``jti``, letters and digits.

        Raises:
            LedgerRowError: what it says fits in no row.
        """
        known = self._with(kid)
        expires = now + self.seconds if self.until is None else min(now + self.seconds, self.until)
        before, after = self._around
        payload = f'{before},"iat":{now},"exp":{expires},"jti":"{name}"{after}'
        signed = known.head + encoded(payload.encode("ascii"))
        return signed, known.row.again(signed_digest(signed), now, expires)

    @cached_property
    def _around(self) -> tuple[str, str]:
        """The payload before and after what differs from token to token."""
        more = _encode(self.more)
        return _encode(self.claims)[:-1], "," + more[1:] if self.more else more[1:]

    def _with(self, kid: str) -> _WithKey:
        """All but the first time what was made before."""
        known = self._keyed.get(kid)
        if known is None:
            header = {"alg": self.issuer.plan.algorithm, "kid": kid, "typ": self.kind}
            self._keyed.clear()  # the key was replaced
            known = self._keyed[kid] = _WithKey(encoded(_encode(header).encode()) + b".", self._row(kid))
        return known

    @cached_property
    def _keyed(self) -> dict[str, _WithKey]:
        return {}

    def _row(self, kid: str) -> Issued:
        named = self.claims["aud"]
        audiences = (named,) if isinstance(named, str) else tuple(named)
        about = (self.claims["sub"], audiences, self.tenant, self.client, self.session)
        return Issued(_NO_DIGEST, self.claims["iss"], kid, 0, 0, *about)
