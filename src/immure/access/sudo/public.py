"""Public keys and signatures of SSH: which they are, and whether they hold.

RFC 8709 (Ed25519), RFC 5656 (ECDSA), RFC 8332 (RSA with SHA-2), and OpenSSH's PROTOCOL.u2f (security keys).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from immure.access.sudo.wire import Reader
from immure.errors import InputError

LEAST_RSA_BITS: Final = 3072
_SK: Final = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_CURVES: Final = {"nistp256": "sha256", "nistp384": "sha384", "nistp521": "sha512"}
_PRESENT, _VERIFIED = 1, 4


class Flags(NamedTuple):
    """What a security key says of a signature: somebody has touched it, and was verified (PIN, finger)."""

    present: bool
    verified: bool


class Public(NamedTuple):
    """A public key.

    Attributes:
        type: its name.
        numbers: its members, as the type has them.
        application: what a security key was told that it is for; empty for others.
    """

    type: str
    numbers: tuple[Any, ...]
    application: str

    @property
    def sk(self) -> bool:
        """Whether it is of a type of security keys."""
        return self.type in _SK


def read_public(kind: str, reader: Reader) -> Public:
    """The members of a key of this type; raises InputError."""
    plain = kind.removeprefix("sk-").removesuffix("@openssh.com") if kind in _SK else kind
    numbers: tuple[Any, ...]
    if plain == "ssh-ed25519":
        numbers = (_sized(reader.string(), 32),)
    elif plain.startswith("ecdsa-sha2-"):
        curve = reader.text()
        if curve not in _CURVES or plain != f"ecdsa-sha2-{curve}":
            raise InputError("a key whose curve is not that of its type")
        numbers = (curve, reader.string())
    elif plain == "ssh-rsa":
        numbers = (reader.positive(), reader.positive())
    else:
        raise InputError(f"a key of the type {kind[:60]!r}, which is not taken")
    return Public(kind, numbers, reader.text() if kind in _SK else "")


def parse_public(blob: bytes) -> Public:
    """The public key in a blob; raises InputError."""
    reader = Reader(blob, "a public key of SSH")
    found = read_public(reader.text(), reader)
    reader.done()
    return found


def verify(key: Public, signature: bytes, message: bytes) -> Flags | None:
    """Whether a signature is that of a key over a message; of a security key, with what flags.

    Raises:
        InputError: it is not, or it is not in the form that it should have.
    """
    reader = Reader(signature, "a signature of SSH")
    kind, body = reader.text(), reader.string()
    if not key.sk:
        reader.done()
        _verify(key, kind, body, message)
        return None
    flags, counter = reader.byte(), reader.number()
    reader.done()
    if kind != key.type:
        raise InputError("a signature of another type than its key")
    application = hashlib.sha256(key.application.encode("ascii")).digest()
    signed = application + struct.pack(">BI", flags, counter) + hashlib.sha256(message).digest()
    plain = kind.removeprefix("sk-").removesuffix("@openssh.com")
    _verify(Public(plain, key.numbers, ""), plain, body, signed)
    return Flags(bool(flags & _PRESENT), bool(flags & _VERIFIED))


def _verify(key: Public, kind: str, body: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        _verifier(key, kind)(body, message)
    except InvalidSignature:
        raise InputError("a signature that does not hold") from None
    except ValueError:
        raise InputError("a key whose numbers are not those of one") from None


def _verifier(key: Public, kind: str) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    if key.type == "ssh-rsa" and kind in ("rsa-sha2-256", "rsa-sha2-512"):
        exponent, modulus = key.numbers
        if modulus.bit_length() < LEAST_RSA_BITS or modulus.bit_length() > 16384 or exponent != 65537:
            raise InputError(f"an RSA key of fewer than {LEAST_RSA_BITS} bits, or with an unusual exponent")
        known = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        digest: Any = hashes.SHA256() if kind == "rsa-sha2-256" else hashes.SHA512()
        return lambda body, message: known.verify(body, message, padding.PKCS1v15(), digest)
    if kind != key.type or kind == "ssh-rsa":  # the latter would be with SHA-1
        raise InputError("a signature of another type than its key")
    if kind == "ssh-ed25519":
        (point,) = key.numbers
        return ed25519.Ed25519PublicKey.from_public_bytes(point).verify
    curve, encoded = key.numbers
    curves: Any = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
    hashed: Any = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    scheme = ec.ECDSA(hashed[_CURVES[curve]])
    public = ec.EllipticCurvePublicKey.from_encoded_point(curves[curve], encoded)
    return lambda body, message: public.verify(_dss(body), message, scheme)


def _dss(body: bytes) -> bytes:
    """The two numbers of ECDSA in DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    reader = Reader(body, "a signature of ECDSA")
    r, s = reader.positive(), reader.positive()
    reader.done()
    return encode_dss_signature(r, s)


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise InputError(f"a key of {len(data)} bytes instead of {size}")
    return data
