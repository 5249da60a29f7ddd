"""Keys as Windows and .NET keep them: CNG and CryptoAPI blobs.

Sources: BCRYPT_RSAKEY_BLOB and BCRYPT_ECCKEY_BLOB (Microsoft, bcrypt.h): big-endian numbers behind
little-endian headers; "RSA/Schannel Key BLOBs" (PUBLICKEYBLOB, PRIVATEKEYBLOB; Microsoft, wincrypt.h): all
little-endian.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.key import EcCurve, Numbers
from immure.keymaterial.numbers import RSA_BITS, checked_ec, checked_rsa
from immure.keymaterial.private import EcPrivate, PrivateKey, RsaPrivate, rsa_from_prime
from immure.secret import Secret

#: magic → curve, bytes of a number, whether the scalar follows the point; ECDSA, then ECDH
ECC_MAGICS: dict[bytes, tuple[EcCurve, int, bool]] = {
    b"ECS1": ("P-256", 32, False),
    b"ECS2": ("P-256", 32, True),
    b"ECS3": ("P-384", 48, False),
    b"ECS4": ("P-384", 48, True),
    b"ECS5": ("P-521", 66, False),
    b"ECS6": ("P-521", 66, True),
    b"ECK1": ("P-256", 32, False),
    b"ECK2": ("P-256", 32, True),
    b"ECK3": ("P-384", 48, False),
    b"ECK4": ("P-384", 48, True),
    b"ECK5": ("P-521", 66, False),
    b"ECK6": ("P-521", 66, True),
}
#: bType, bVersion, reserved of a CryptoAPI BLOBHEADER; the algorithm (key exchange or signature) follows
CAPI_PRIVATE, CAPI_PUBLIC = b"\x07\x02\x00\x00", b"\x06\x02\x00\x00"
CAPI_HEADER = 8
_CAPI_ALGORITHMS = (b"\x00\xa4\x00\x00", b"\x00\x24\x00\x00")


class Blob(NamedTuple):
    """The public numbers, the private key if there is one, and the offset behind the blob."""

    numbers: Numbers
    private: PrivateKey | None
    end: int


class _Fields:
    """Numbers of given widths, one after the other."""

    def __init__(self, data: bytes, at: int, order: Literal["little", "big"]) -> None:
        self.data = data
        self.at = at
        self.order: Literal["little", "big"] = order

    def take(self, width: int) -> int:
        field = self.data[self.at : self.at + width]
        if len(field) < width:
            raise KeyFormatError("key blob is cut off")
        self.at += width
        return int.from_bytes(field, self.order)


def parse_cng_rsa(data: bytes, at: int = 0) -> Blob:
    """A BCRYPT_RSAKEY_BLOB: ``RSA1`` (public), ``RSA2`` (with primes) or ``RSA3`` (with everything).

    Raises:
        KeyFormatError: it is none, is cut off, or its numbers contradict each other.
    """
    if len(data) < at + 24:
        raise KeyFormatError("key blob is cut off")
    magic, bits, e_size, n_size, p_size, q_size = struct.unpack_from("<4s5I", data, at)
    if (
        bits > RSA_BITS[1]
        or n_size != (bits + 7) // 8
        or not 1 <= e_size <= 8
        or p_size + q_size > n_size + 1
    ):
        raise KeyFormatError("key blob of impossible sizes")
    fields = _Fields(data, at + 24, "big")
    e, n = fields.take(e_size), fields.take(n_size)
    public = checked_rsa(n, e)
    if magic == b"RSA1":
        return Blob(public, None, fields.at)
    p, q = fields.take(p_size), fields.take(q_size)
    if magic == b"RSA2":
        if p * q != n:
            raise KeyFormatError("p·q is not the modulus")
        return Blob(public, rsa_from_prime(public, p), fields.at)
    dp, dq, qinv, d = fields.take(p_size), fields.take(q_size), fields.take(p_size), fields.take(n_size)
    private = RsaPrivate(public, *(Secret(value) for value in (d, p, q, dp, dq, qinv)))
    return Blob(public, private, fields.at)


def parse_cng_ecc(data: bytes, at: int = 0) -> Blob:
    """A BCRYPT_ECCKEY_BLOB of a NIST curve; raises as :func:`parse_cng_rsa`."""
    known = ECC_MAGICS.get(data[at : at + 4])
    if known is None or data[at + 4 : at + 8] != known[1].to_bytes(4, "little"):
        raise KeyFormatError("not a CNG key blob")
    curve, size, is_private = known
    fields = _Fields(data, at + 8, "big")
    public = checked_ec(curve, fields.take(size), fields.take(size))
    private = EcPrivate(public, Secret(fields.take(size))) if is_private else None
    return Blob(public, private, fields.at)


def is_capi_header(header: bytes) -> bool:
    """Whether these eight bytes are the BLOBHEADER of an RSA key."""
    return header[:4] in (CAPI_PRIVATE, CAPI_PUBLIC) and header[4:] in _CAPI_ALGORITHMS


def parse_capi(data: bytes, at: int = 0) -> Blob:
    """A CryptoAPI PUBLICKEYBLOB or PRIVATEKEYBLOB (``.snk`` is one); raises as :func:`parse_cng_rsa`."""
    if len(data) < at + 20 or not is_capi_header(data[at : at + 8]):
        raise KeyFormatError("not a CryptoAPI key blob")
    magic, bits, e = struct.unpack_from("<4sII", data, at + 8)
    is_private = data[at] == CAPI_PRIVATE[0]
    if magic != (b"RSA2" if is_private else b"RSA1") or bits > RSA_BITS[1] or bits % 16:
        raise KeyFormatError("not a CryptoAPI key blob")
    fields = _Fields(data, at + 20, "little")
    public = checked_rsa(fields.take(bits // 8), e)
    if not is_private:
        return Blob(public, None, fields.at)
    p, q, dp, dq, qinv = (fields.take(bits // 16) for _ in range(5))
    d = fields.take(bits // 8)
    private = RsaPrivate(public, *(Secret(value) for value in (d, p, q, dp, dq, qinv)))
    return Blob(public, private, fields.at)
