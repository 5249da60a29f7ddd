"""What a parser of structures takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from immure.keymaterial.key import Numbers
from immure.keymaterial.private import PrivateKey

Buffer = bytes | bytearray | memoryview

#: Bytes around an anchor that a parser looks at, at most, to either side.
REACH = 1 << 16


@dataclass(frozen=True, slots=True)
class Anchor:
    """A byte string (4 to 16 bytes) that stands in, or at the start of, a kind of structure."""

    name: str
    needle: bytes


@dataclass(frozen=True, slots=True)
class PublicHit:
    """A public key in a buffer.

    Attributes:
        key_numbers: its checked numbers.
        offset, length: bytes of the structure in the buffer.
        encoding: how it is written: ``spki-der``, ``pem``, ``jwk`` …
        kid, issuer, cloud_instance_name, use, alg: what the structure says of it (JWK members of those
            names).
    """

    key_numbers: Numbers
    offset: int
    length: int
    encoding: str
    kid: str | None = None
    issuer: str | None = None
    cloud_instance_name: str | None = None
    use: str | None = None
    alg: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PrivateHit:
    """A private key in a buffer; its arithmetic holds.

    Attributes:
        private: the key; its public half is ``private.public``.
        offset, length, encoding, kid, issuer, cloud_instance_name, use, alg: as in :class:`PublicHit`.
        proved: the structure is whole and says which key it is. False for a bare scalar or seed in a scrap
            of a
            structure, which any bytes could be: a finding only if its public half is known from elsewhere.
    """

    private: PrivateKey
    offset: int
    length: int
    encoding: str
    proved: bool = True
    kid: str | None = None
    issuer: str | None = None
    cloud_instance_name: str | None = None
    use: str | None = None
    alg: str | None = None


@dataclass(frozen=True, slots=True)
class SealedHit:
    """A container in which a private key may be, and which nothing that is known opens; or one that a common
    password opens, but which is not read.

    Attributes:
        offset, length, encoding: as in :class:`PublicHit`.
        what: it is, in words for people; names no secret.
    """

    offset: int
    length: int
    encoding: str
    what: str


Hit = PublicHit | PrivateHit | SealedHit
#: A parser is told a buffer and where the needle stands in it. It raises KeyFormatError or returns nothing
#: if no key is there.
Parser = Callable[[Buffer, int], Sequence[Hit]]


def window(buffer: Buffer, start: int, stop: int) -> bytes:
    """A copy of ``buffer[start:stop]``; ``start`` must not be negative."""
    return bytes(buffer[start:stop])
