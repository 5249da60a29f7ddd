"""What a TPM says of its keys, read strictly (TPM 2.0 Library, part 2).

``TPMT_PUBLIC`` (12.2.4) is a public area, ``TPMS_ATTEST`` (10.12.12) what an attestation key has signed, and
``TPMT_SIGNATURE`` (11.3.4) the signature. Only kinds are taken that a workstation's keys are of: ECC on P-256
and P-384, RSA of 2048 to 4096 bits, and hashes of SHA-2.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from immure.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MOST_BYTES: Final = 2048
RSA, AES, NULL, RSASSA, RSAPSS, ECDSA, ECC, CFB = 0x01, 0x06, 0x10, 0x14, 0x16, 0x18, 0x23, 0x43
HASHES: Final = {0x0B: "sha256", 0x0C: "sha384", 0x0D: "sha512"}
SHA256: Final = 0x0B
P256, P384 = 3, 4
_COORDINATE: Final = {P256: 32, P384: 48}

FIXED_TPM, FIXED_PARENT, ORIGIN, USER_AUTH = 1 << 1, 1 << 4, 1 << 5, 1 << 6
ADMIN_POLICY, NO_DA, RESTRICTED, DECRYPT, SIGN = 1 << 7, 1 << 10, 1 << 16, 1 << 17, 1 << 18
_KNOWN: Final = 0x000F_0CF6
_MAGIC: Final = 0xFF54_4347
_CERTIFY: Final = 0x8017


class Reader:
    """Reads big-endian numbers and sized buffers; raises InputError where they end too early."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > MOST_BYTES:
            raise InputError(f"{what} of more than {MOST_BYTES} bytes")
        self._data, self._at, self._what = data, 0, what

    def take(self, size: int) -> bytes:
        """So many bytes."""
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise InputError(f"{self._what} that ends too early")
        self._at += size
        return part

    def short(self) -> int:
        """An unsigned number of 16 bits."""
        return int(struct.unpack(">H", self.take(2))[0])

    def number(self) -> int:
        """An unsigned number of 32 bits."""
        return int(struct.unpack(">I", self.take(4))[0])

    def sized(self) -> bytes:
        """Bytes behind their length (``TPM2B``)."""
        return self.take(self.short())

    def done(self) -> None:
        """See that nothing is left."""
        if self._at != len(self._data):
            raise InputError(f"{self._what} with {len(self._data) - self._at} bytes too many")


def sized(data: bytes) -> bytes:
    """Bytes behind their length (``TPM2B``)."""
    return struct.pack(">H", len(data)) + data


@dataclass(frozen=True, slots=True)
class KeyArea:
    """The public area of a key.

    Attributes:
        data: all of it.
        type: ``RSA`` or ``ECC``.
        name_hash, attributes, policy: the hash of its name, what may be done with it, under which policy.
        symmetric: whether it protects other keys.
        scheme, scheme_hash: how it signs, if that is fixed; else ``NULL`` and 0.
        curve, numbers: of ECC the curve and the point, of RSA 0, and modulus and exponent.
    """

    data: bytes
    type: int
    name_hash: int
    attributes: int
    policy: bytes
    symmetric: bool
    scheme: int
    scheme_hash: int
    curve: int
    numbers: tuple[int, int]

    @property
    def name(self) -> bytes:
        """Its name: a hash of the whole area, behind the number of the hash."""
        digest = hashlib.new(HASHES[self.name_hash], self.data).digest()
        return struct.pack(">H", self.name_hash) + digest

    def has(self, *attributes: int) -> bool:
        """Whether all of these are set."""
        return all(self.attributes & one for one in attributes)

    def public_key(self) -> EllipticCurvePublicKey | RSAPublicKey:
        """The key; raises InputError if its numbers are those of none."""
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        first, second = self.numbers
        try:
            if self.type == RSA:
                return rsa.RSAPublicNumbers(second, first).public_key()
            curve: Any = ec.SECP256R1() if self.curve == P256 else ec.SECP384R1()
            return ec.EllipticCurvePublicNumbers(first, second, curve).public_key()
        except ValueError:
            raise InputError("a public area whose numbers are no key") from None


def parse_area(data: bytes) -> KeyArea:
    """The public area in the bytes of a ``TPMT_PUBLIC``; raises InputError."""
    reader = Reader(data, "the public area of a key of a TPM")
    kind, name_hash, attributes, policy = reader.short(), reader.short(), reader.number(), reader.sized()
    if name_hash not in HASHES:
        raise InputError(f"a key whose name is of the hash {name_hash:#06x}, which is not taken")
    if attributes & ~_KNOWN:
        raise InputError("a key with attributes that are reserved")
    if len(policy) not in (0, hashlib.new(HASHES[name_hash]).digest_size):
        raise InputError("a key with a policy that is none")
    symmetric, (scheme, scheme_hash) = _symmetric(reader), _scheme(reader)
    if kind == RSA:
        bits, exponent = reader.short(), reader.number() or 65537
        numbers, curve = (int.from_bytes(_exactly(reader.sized(), bits // 8)), exponent), 0
        if bits not in (2048, 3072, 4096) or exponent != 65537 or numbers[0].bit_length() != bits:
            raise InputError("an RSA key that is not of 2048, 3072 or 4096 bits with the usual exponent")
    elif kind == ECC:
        curve, kdf = reader.short(), reader.short()
        if curve not in _COORDINATE or kdf != NULL:
            raise InputError("a key on a curve other than P-256 and P-384")
        size = _COORDINATE[curve]
        x, y = _exactly(reader.sized(), size), _exactly(reader.sized(), size)
        numbers = int.from_bytes(x), int.from_bytes(y)
    else:
        raise InputError(f"a key of the type {kind:#06x}, which is not taken")
    reader.done()
    area = KeyArea(data, kind, name_hash, attributes, policy, symmetric, scheme, scheme_hash, curve, numbers)
    area.public_key()
    return area


def _symmetric(reader: Reader) -> bool:
    algorithm = reader.short()
    if algorithm == NULL:
        return False
    bits, mode = reader.short(), reader.short()
    if algorithm != AES or bits not in (128, 256) or mode != CFB:
        raise InputError("a key that protects others by something else than AES")
    return True


def _scheme(reader: Reader) -> tuple[int, int]:
    scheme = reader.short()
    if scheme == NULL:
        return scheme, 0
    if scheme not in (RSASSA, RSAPSS, ECDSA):
        raise InputError(f"a key of the scheme {scheme:#06x}, which is not taken")
    return scheme, _hash(reader)


def _hash(reader: Reader) -> int:
    number = reader.short()
    if number not in HASHES:
        raise InputError(f"a hash of the number {number:#06x}, which is not taken")
    return number


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise InputError(f"a number of {len(data)} bytes in a key, which has numbers of {size}")
    return data


@dataclass(frozen=True, slots=True)
class Attestation:
    """What an attestation key has signed (``TPM2_Certify``).

    Attributes:
        data: all of it.
        extra: what the verifier has asked to be in it.
        resets, firmware: how often the TPM was reset, and the version of its firmware.
        name: of the key that is in the TPM.
    """

    data: bytes
    extra: bytes
    resets: int
    firmware: int
    name: bytes


def parse_attestation(data: bytes) -> Attestation:
    """The attestation in the bytes of a ``TPMS_ATTEST``; raises InputError if it is none of a key."""
    reader = Reader(data, "an attestation of a TPM")
    if reader.number() != _MAGIC:
        raise InputError("an attestation that no TPM has made: it does not begin as they do")
    if reader.short() != _CERTIFY:
        raise InputError("an attestation of something else than a key")
    reader.sized()  # the qualified name of who signs: by whom is seen from the signature
    extra = reader.sized()
    reader.take(8)  # its clock
    resets = reader.number()
    reader.number()  # restarts
    if reader.take(1) not in (b"\0", b"\1"):
        raise InputError("an attestation with a flag that is none")
    (firmware,) = struct.unpack(">Q", reader.take(8))
    name = reader.sized()
    reader.sized()  # the qualified name of the key: where it stands in the TPM
    reader.done()
    return Attestation(data, extra, resets, firmware, name)


def verify_signature(key: KeyArea, signature: bytes, message: bytes) -> None:
    """See that a ``TPMT_SIGNATURE`` is that of a key, by the scheme that the key has; raises InputError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    reader = Reader(signature, "a signature of a TPM")
    scheme, number = reader.short(), _hash(reader)
    if (scheme, number) != (key.scheme, key.scheme_hash):
        raise InputError("a signature of a TPM by another scheme than that of its key")
    hashed: Any = {0x0B: hashes.SHA256(), 0x0C: hashes.SHA384(), 0x0D: hashes.SHA512()}[number]
    public: Any = key.public_key()
    try:
        if scheme == ECDSA and key.type == ECC:
            r, s = int.from_bytes(reader.sized()), int.from_bytes(reader.sized())
            reader.done()
            public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashed))
        elif scheme == RSASSA and key.type == RSA:
            body = reader.sized()
            reader.done()
            public.verify(body, message, padding.PKCS1v15(), hashed)
        else:
            raise InputError("a signature of a TPM by a scheme that is not taken")
    except InvalidSignature:
        raise InputError("a signature of a TPM that does not hold") from None
