"""A secret of a sketch in the place of a key, so that reports and records can speak of both alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.keymaterial.sketch import KINDS, SketchedSecret


@dataclass(frozen=True, slots=True)
class OctNumbers:
    """Stands where a key has its public numbers: a secret without a public half has a fingerprint only."""

    fingerprint: str


@dataclass(frozen=True)
class OctKey(PublicKey):
    """A secret that has no public half, by the name and kind that its owner gave it.

    Attributes:
        kind: one of :data:`~immure.keymaterial.sketch.KINDS`.
        length: its bytes.
    """

    kind: str = "secret"
    length: int = 0

    @property
    def kty(self) -> str:
        """``oct`` (RFC 7518, section 6.4)."""
        return "oct"

    @property
    def thumbprint(self) -> str:
        """The fingerprint; RFC 7638 would make it of the secret itself."""
        return cast(OctNumbers, self.numbers).fingerprint

    @property
    def size(self) -> int:
        """Bits of the secret."""
        return 8 * self.length

    @property
    def label(self) -> str:
        """Short words for people: ``HS256 key``, ``password``."""
        return KINDS.get(self.kind, self.kind)

    def to_jwk(self) -> dict[str, str]:
        """Its type only: what else a JWK has is the secret."""
        return {"kty": "oct"}


def key_of(secret: SketchedSecret, source: str) -> OctKey:
    """The secret of a sketch, as reports name it."""
    numbers = cast(Numbers, OctNumbers(secret.fingerprint))
    return OctKey(numbers, Origin(source, kid=secret.name), secret.kind, secret.length)
