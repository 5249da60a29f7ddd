"""OpenPGP keys (RFC 9580, and RFC 4880 and 6637 before it), as far as they are not encrypted.

Packets of secret and public keys and subkeys, version 4 (and 6, whose body is the same but for a length):
RSA, ECDSA, EdDSA and ECDH on the NIST curves, Ed25519 and Curve25519. Of encrypted secret keys the public
half is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.key import EcNumbers, Numbers, OkpCurve, OkpNumbers, RsaNumbers
from immure.keymaterial.numbers import checked_okp, checked_point, checked_rsa
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, rsa_from_parts
from immure.secret import Secret

SECRET_TAGS: Final = (5, 7)
PUBLIC_TAGS: Final = (6, 14)
#: object identifiers of curves (RFC 9580, section 9.2), without tag and length
NIST: Final[dict[bytes, str]] = {
    bytes.fromhex("2a8648ce3d030107"): "P-256",
    bytes.fromhex("2b81040022"): "P-384",
    bytes.fromhex("2b81040023"): "P-521",
}
ED25519_LEGACY: Final = bytes.fromhex("2b06010401da470f01")
CURVE25519_LEGACY: Final = bytes.fromhex("2b060104019755010501")
_RSA: Final = (1, 2, 3)
ECDH, ECDSA, _EDDSA_LEGACY, _X25519, _ED25519 = 18, 19, 22, 25, 27
_NATIVE: Final[dict[int, OkpCurve]] = {_X25519: "X25519", _ED25519: "Ed25519"}
_MOST_BITS: Final = 16384
_MOST_PACKETS: Final = 256
_MOST_BODY: Final = 1 << 16


class PgpKey(NamedTuple):
    """The public numbers of a packet, its private key if that is not encrypted, and the offset behind it."""

    numbers: Numbers
    private: PrivateKey | None
    end: int


class _Fields:
    """Fields of a packet, one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, count: int) -> bytes:
        field = self.data[self.at : self.at + count]
        if len(field) < count:
            raise KeyFormatError("OpenPGP packet is cut off")
        self.at += count
        return field

    def uint(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def mpi(self) -> bytes:
        """A multiprecision integer (section 3.2). GnuPG writes the seed of Ed25519 with zeros in front."""
        bits = self.uint(2)
        value = self.take((bits + 7) // 8) if bits <= _MOST_BITS else b""
        if bits > _MOST_BITS or _number(value).bit_length() > bits:
            raise KeyFormatError("OpenPGP integer of another length than it says")
        return value


def read_body(data: bytes, at: int, *, is_secret: bool) -> PgpKey:
    """The key whose packet body begins at ``at``, with the version.

    Raises:
        KeyFormatError: it is none, is cut off, of an algorithm that is not read, or its halves do not belong
            together.
    """
    fields = _Fields(data, at)
    version = fields.uint(1)
    if version not in (4, 6):
        raise KeyFormatError("OpenPGP key of a version that is not read")
    fields.take(4)  # when it was made
    algorithm = fields.uint(1)
    if version == 6:
        fields.uint(4)
    curve, numbers = _read_public(fields, algorithm)
    if not is_secret:
        return PgpKey(numbers, None, fields.at)
    if fields.uint(1) != 0:  # encrypted in one way or another
        return PgpKey(numbers, None, fields.at)
    start = fields.at
    private = _read_private(fields, algorithm, curve, numbers)
    if version == 4 and sum(data[start : fields.at]) % 65536 != fields.uint(2):
        raise KeyFormatError("checksum of an OpenPGP key does not hold")
    return PgpKey(numbers, private, fields.at)


def _read_public(fields: _Fields, algorithm: int) -> tuple[str, Numbers]:
    """Name of the curve (empty for RSA), and the public numbers."""
    if algorithm in _RSA:
        n, e = _number(fields.mpi()), _number(fields.mpi())
        return "", checked_rsa(n, e)
    if algorithm in _NATIVE:
        return _NATIVE[algorithm], checked_okp(_NATIVE[algorithm], fields.take(32))
    if algorithm not in (ECDH, ECDSA, _EDDSA_LEGACY):
        raise KeyFormatError("OpenPGP key of an algorithm that is not read")
    oid, point = fields.take(fields.uint(1)), fields.mpi()
    if algorithm == ECDH:
        fields.take(fields.uint(1))  # parameters of the key derivation
    if oid in NIST and algorithm != _EDDSA_LEGACY:
        return NIST[oid], checked_point(CURVES[NIST[oid]], point)
    if oid == (ED25519_LEGACY if algorithm == _EDDSA_LEGACY else CURVE25519_LEGACY) and point[:1] == b"\x40":
        name: OkpCurve = "Ed25519" if algorithm == _EDDSA_LEGACY else "X25519"
        return name, checked_okp(name, point[1:])
    raise KeyFormatError("OpenPGP key on a curve that is not read")


def _read_private(fields: _Fields, algorithm: int, curve: str, numbers: Numbers) -> PrivateKey:
    if isinstance(numbers, RsaNumbers):
        d, p, q, _ = (_number(fields.mpi()) for _ in range(4))
        return rsa_from_parts(numbers.n, numbers.e, d, q, p)  # u is the inverse of p, so q stands first
    if algorithm in _NATIVE:
        return _okp(fields.take(32), numbers)
    secret = fields.mpi()
    if curve == "Ed25519":
        return _okp(secret.rjust(32, b"\0"), numbers)
    if curve == "X25519":
        return _okp(secret.rjust(32, b"\0")[::-1], numbers)
    if not isinstance(numbers, EcNumbers):
        raise KeyFormatError("OpenPGP key on a curve that is not read")
    return EcPrivate(numbers, Secret(_number(secret)))


def _okp(seed: bytes, numbers: Numbers) -> OkpPrivate:
    if not isinstance(numbers, OkpNumbers):
        raise KeyFormatError("OpenPGP key on a curve that is not read")
    return OkpPrivate(numbers, Secret(seed))


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")


def read_packets(data: bytes, at: int = 0) -> Iterator[tuple[int, PgpKey]]:
    """The keys of a sequence of packets, and where each packet begins; keys that are not read are left out.

    Raises:
        KeyFormatError: what stands at ``at``, or behind the packets before, is no packet.
    """
    for _ in range(_MOST_PACKETS):
        if at >= len(data):
            return
        tag, body, end = read_header(data, at)
        if tag in (*SECRET_TAGS, *PUBLIC_TAGS):
            with suppress(KeyFormatError):  # the next packet may be one
                yield at, read_body(data[:end], body, is_secret=tag in SECRET_TAGS)
        at = end


def read_header(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag of the packet at ``at``, where its body begins and where it ends (section 4.2).

    Raises:
        KeyFormatError: none begins there, or it is of a length that no key has.
    """
    fields = _Fields(data, at)
    first = fields.uint(1)
    if not first & 0x80:
        raise KeyFormatError("not an OpenPGP packet")
    if first & 0x40:
        tag, length = first & 0x3F, fields.uint(1)
        if 192 <= length < 224:
            length = (length - 192 << 8) + fields.uint(1) + 192
        elif length == 255:
            length = fields.uint(4)
        elif length >= 224:
            raise KeyFormatError("OpenPGP packet in parts")
    else:
        tag, kind = first >> 2 & 0xF, first & 3
        if kind == 3:
            raise KeyFormatError("OpenPGP packet without a length")
        length = fields.uint(1 << kind)
    if length > _MOST_BODY:
        raise KeyFormatError("OpenPGP packet that is longer than any key")
    return tag, fields.at, fields.at + length
