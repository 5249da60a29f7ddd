"""What a public key is to us: its numbers, its name, and what it may be used for.

A key is named by its RFC 7638 thumbprint; where a key was learned (:class:`Origin`) is kept beside it,
because the same numbers found in two places may be allowed to do different things.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

EcCurve = Literal["P-256", "P-384", "P-521", "secp256k1"]
OkpCurve = Literal["Ed25519", "Ed448", "X25519", "X448"]

#: bytes of a field element, by curve
EC_BYTES: dict[str, int] = {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}
OKP_BYTES: dict[str, int] = {"Ed25519": 32, "Ed448": 57, "X25519": 32, "X448": 56}


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_uint(value: int, length: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, section 2), left-padded to ``length`` bytes if given."""
    return b64url(value.to_bytes(length or max(1, (value.bit_length() + 7) // 8), "big"))


@dataclass(frozen=True, slots=True)
class RsaNumbers:
    """Public numbers of an RSA key: modulus ``n``, exponent ``e``."""

    n: int
    e: int


@dataclass(frozen=True, slots=True)
class EcNumbers:
    """A point (x, y) on a short Weierstrass curve."""

    curve: EcCurve
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class OkpNumbers:
    """An octet key pair's public half (RFC 8037): the encoded point."""

    curve: OkpCurve
    x: bytes


Numbers = RsaNumbers | EcNumbers | OkpNumbers


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key was learned, and what that place says of it (its key scope, as far as stated).

    Attributes:
        source: path, URL, or ``image`` for a key harvested from the image itself.
        kid: the key's id in that source.
        issuer: issuer that the key may sign for (``issuer`` member of a JWK, or the discovery document's).
        cloud_instance_name: as Entra's JWKS has it.
        use, alg: the JWK members of those names.
        not_before, not_after: validity from the first certificate of ``x5c``, or the certificate itself.
        harvested_at: file offset, if it was harvested from an image.
    """

    source: str
    kid: str | None = None
    issuer: str | None = None
    cloud_instance_name: str | None = None
    use: str | None = None
    alg: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    harvested_at: int | None = None


@dataclass(frozen=True)
class PublicKey:
    """A public key and where it was learned."""

    numbers: Numbers
    origin: Origin = field(compare=False)

    @property
    def kty(self) -> str:
        """``RSA``, ``EC`` or ``OKP`` (RFC 7518, section 6.1; RFC 8037)."""
        if isinstance(self.numbers, RsaNumbers):
            return "RSA"
        return "EC" if isinstance(self.numbers, EcNumbers) else "OKP"

    @cached_property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint: base64url of SHA-256 over the canonical JWK."""
        canonical = json.dumps(self.to_jwk(), sort_keys=True, separators=(",", ":"))
        return b64url(hashlib.sha256(canonical.encode("ascii")).digest())

    @property
    def size(self) -> int:
        """Bits of the modulus, or of the curve's field."""
        if isinstance(self.numbers, RsaNumbers):
            return self.numbers.n.bit_length()
        if isinstance(self.numbers, EcNumbers):
            return {"P-256": 256, "P-384": 384, "P-521": 521, "secp256k1": 256}[self.numbers.curve]
        return {"Ed25519": 255, "X25519": 255, "Ed448": 448, "X448": 448}[self.numbers.curve]

    @property
    def label(self) -> str:
        """Short words for people: ``RSA-2048``, ``P-256``, ``Ed25519``."""
        return f"RSA-{self.size}" if isinstance(self.numbers, RsaNumbers) else self.numbers.curve

    def to_jwk(self) -> dict[str, str]:
        """The required members of the public JWK (RFC 7638, section 3.2), nothing else."""
        numbers = self.numbers
        if isinstance(numbers, RsaNumbers):
            return {"kty": "RSA", "n": b64url_uint(numbers.n), "e": b64url_uint(numbers.e)}
        if isinstance(numbers, EcNumbers):
            width = EC_BYTES[numbers.curve]
            return {
                "kty": "EC",
                "crv": numbers.curve,
                "x": b64url_uint(numbers.x, width),
                "y": b64url_uint(numbers.y, width),
            }
        return {"kty": "OKP", "crv": numbers.curve, "x": b64url(numbers.x)}
