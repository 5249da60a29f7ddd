"""Whole private keys as DER: PKCS#1 (RFC 8017, appendix A.1.2), SEC 1 (RFC 5915), PKCS#8 (RFC 5208, 8410)."""

from __future__ import annotations

from immure.keymaterial import der
from immure.keymaterial.curves import CURVES, OKP_OIDS
from immure.keymaterial.key import EcNumbers
from immure.keymaterial.private import EcPrivate, PrivateKey, RsaPrivate

#: DER contents of object identifiers
RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")
RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")
EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")


def to_pkcs1(private: RsaPrivate) -> bytes:
    """RSAPrivateKey, two primes."""
    secrets = (private.d, private.p, private.q, private.dp, private.dq, private.qinv)
    numbers = (0, private.public.n, private.public.e, *(secret.reveal() for secret in secrets))
    return der.sequence(*(der.integer(number) for number in numbers))


def to_sec1(private: EcPrivate, *, parameters: bool = True) -> bytes:
    """ECPrivateKey with its public point, and its curve if ``parameters``."""
    curve = CURVES[private.public.curve]
    parts = [der.integer(1), der.octets(private.d.reveal().to_bytes(curve.size, "big"))]
    if parameters:
        parts.append(der.encode(0xA0, der.encode(der.OID, curve.oid)))
    parts.append(der.encode(0xA1, der.bits(uncompressed(private.public))))
    return der.sequence(*parts)


def to_pkcs8(private: PrivateKey) -> bytes:
    """PrivateKeyInfo (version 0)."""
    if isinstance(private, RsaPrivate):
        algorithm = der.sequence(der.encode(der.OID, RSA_ENCRYPTION), der.encode(der.NULL, b""))
        inner = to_pkcs1(private)
    elif isinstance(private, EcPrivate):
        curve = CURVES[private.public.curve]
        algorithm = der.sequence(der.encode(der.OID, EC_PUBLIC_KEY), der.encode(der.OID, curve.oid))
        inner = to_sec1(private, parameters=False)
    else:
        algorithm = der.sequence(der.encode(der.OID, OKP_OIDS[private.public.curve]))
        inner = der.octets(private.seed.reveal())
    return der.sequence(der.integer(0), algorithm, der.octets(inner))


def uncompressed(point: EcNumbers) -> bytes:
    """The point as 04 ‖ x ‖ y (SEC 1 v2, section 2.3.3)."""
    size = CURVES[point.curve].size
    return b"\4" + point.x.to_bytes(size, "big") + point.y.to_bytes(size, "big")
