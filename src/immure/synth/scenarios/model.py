"""What happens in a scenario, as plain values; who writes them down where is somebody else's business.

Nothing here shares code with what looks for forged tokens: tokens are signed by ``cryptography`` alone, and
digests are computed from RFC 7515's signing input anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Truth = Literal["issued", "forged", "not-yet-known", "ledger-gap", "unknown"]


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key; ``private`` never leaves the process.

    Attributes:
        kid: its name.
        issuer: for which it may sign.
        audience_class: of its audiences.
        active_from: seconds since 1970.
    """

    kid: str
    issuer: str
    audience_class: str
    active_from: int
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a key really signed.

    Attributes:
        text: the compact form.
        claims: what it says.
        kid: of the key.
    """

    text: str = field(repr=False)
    claims: Mapping[str, Any]
    kid: str

    @property
    def digest(self) -> bytes:
        """First 16 bytes of SHA-256 over the signing input (RFC 7515, section 5.1)."""
        return hashlib.sha256(self.text.rpartition(".")[0].encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Use:
    """A token was accepted, at ``time`` (seconds since 1970, by the clock of the relying party)."""

    time: float
    token: Token
    relying_party: str
    address: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done to the ledger, in the order of the steps.

    Attributes:
        what: ``record`` tokens; ``seal`` a batch at ``time``; declare a ``gap`` from ``start`` up to
            ``time``; ``backfill`` tokens behind the ledger's back, and close them with a batch at ``time``.
        time: seconds since 1970.
        start: of a gap.
        issuer: of a gap, or of what is put in.
        tokens: that are recorded or put in.
    """

    what: Literal["record", "seal", "gap", "backfill"]
    time: int
    start: int = 0
    issuer: str = ""
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    Attributes:
        name: of it.
        keys: of the issuers.
        steps: what becomes of the ledger.
        uses: in the order in which relying parties wrote them down; some may be there twice.
        truth: what is to be said of each token that was used, by digest.
        lifetime: of the tokens that issuers give out, seconds.
        audiences: classes of audiences.
    """

    name: str
    keys: tuple[Key, ...]
    steps: tuple[Step, ...]
    uses: tuple[Use, ...]
    truth: Mapping[bytes, Truth]
    lifetime: int
    audiences: Mapping[str, str]


def sign(key: Key, claims: Mapping[str, Any]) -> Token:
    """A token (RFC 7515, EdDSA of RFC 8037)."""
    header = {"alg": "EdDSA", "kid": key.kid, "typ": "at+jwt"}
    signed = f"{_part(header)}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(key.private.sign(signed.encode())).rstrip(b"=").decode()
    return Token(f"{signed}.{signature}", dict(claims), key.kid)


def _part(value: Mapping[str, Any]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
