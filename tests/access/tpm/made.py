"""Public areas, attestations and signatures as a TPM makes them, and as none does."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from immure.access.tpm.evidence import Answer, Offer, qualification
from immure.access.tpm.structures import sized

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
ATTESTING, SIGNING = 0x0005_0072, 0x0004_0072
_RSA = rsa.generate_private_key(65537, 2048)


@dataclass
class MadeKey:
    """A key, and what its public area says."""

    attributes: int = SIGNING
    kind: int = 0x23
    name_hash: int = 0x0B
    policy: bytes = b""
    symmetric: bytes = b"\x00\x10"
    scheme: bytes = b"\x00\x10"
    curve: int = 3
    kdf: bytes = b"\x00\x10"
    tail: bytes = b""
    private: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    point: bytes | None = None
    bits: int = 2048
    exponent: int = 0

    def but(self, **changes: Any) -> MadeKey:
        return replace(self, **changes)

    @property
    def area(self) -> bytes:
        head = struct.pack(">HHI", self.kind, self.name_hash, self.attributes) + sized(self.policy)
        head += self.symmetric + self.scheme
        if self.kind == 0x01:
            modulus = _RSA.public_key().public_numbers().n.to_bytes(256, "big")
            return head + struct.pack(">HI", self.bits, self.exponent) + sized(modulus) + self.tail
        numbers = self.private.public_key().public_numbers()
        size = (self.private.curve.key_size + 7) // 8
        point = sized(numbers.x.to_bytes(size, "big")) + sized(numbers.y.to_bytes(size, "big"))
        return head + struct.pack(">H", self.curve) + self.kdf + (self.point or point) + self.tail

    @property
    def name(self) -> bytes:
        return struct.pack(">H", self.name_hash) + hashlib.sha256(self.area).digest()

    def sign(self, data: bytes) -> bytes:
        """A ``TPMT_SIGNATURE``."""
        if self.kind == 0x01:
            return b"\x00\x14\x00\x0b" + sized(_RSA.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"\x00\x18\x00\x0b" + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))


def attested(
    extra: bytes,
    name: bytes,
    *,
    magic: int = 0xFF544347,
    kind: int = 0x8017,
    safe: bytes = b"\1",
    tail: bytes = b"",
) -> bytes:
    """A ``TPMS_ATTEST`` of ``TPM2_Certify``."""
    clock = struct.pack(">QII", 1, 2, 3) + safe + struct.pack(">Q", 4)
    head = struct.pack(">IH", magic, kind) + sized(b"qualified signer") + sized(extra)
    return head + clock + sized(name) + sized(b"qualified name") + tail


AUTHORITY = ec.generate_private_key(ec.SECP256R1())
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor")])


def _built(public: Any, number: int) -> x509.CertificateBuilder:
    day = timedelta(days=1)
    return x509.CertificateBuilder(_NAME, _NAME, public, number, NOW - day, NOW + 90 * day)


ROOT = _built(AUTHORITY.public_key(), 1).add_extension(x509.BasicConstraints(True, None), True).sign(
    AUTHORITY, hashes.SHA256()
)  # fmt: skip
ENDORSEMENT = (
    _built(_RSA.public_key(), 2)
    .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.1")]), False)
    .sign(AUTHORITY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)
ATTESTATION = MadeKey(ATTESTING, scheme=b"\x00\x18\x00\x0b")
KEY = MadeKey()
SECRET = b"s" * 32


def offer(key: MadeKey = KEY, attestation: MadeKey = ATTESTATION, request_of: MadeKey | None = None) -> Offer:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laptop-17")])
    signer = (request_of or key).private if key.kind != 0x01 else _RSA
    request = x509.CertificateSigningRequestBuilder(name).sign(signer, hashes.SHA256())
    return Offer(ENDORSEMENT, (), attestation.area, key.area, request.public_bytes(Encoding.DER))


def document(made: Offer, **changes: Any) -> dict[str, Any]:
    return {
        "v": 1, "room": "a room", "account": "prd-ada", "issued": "2026-11-30T09:00:00Z", "nonce": "n" * 22,
        "offer": made.digest, **changes,
    }  # fmt: skip


def answer(made: Offer, body: bytes | None = None, signer: MadeKey = ATTESTATION) -> Answer:
    """What a TPM says to a challenge for this offer, or something else."""
    if body is None:
        body = attested(qualification(document(made), SECRET), KEY.name)
    return Answer(SECRET, body, signer.sign(body))
