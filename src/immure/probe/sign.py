"""Signatures of tokens by any key and any algorithm, also where the two do not belong together.

>>> sign(b"secret", "HS256", b"data")[:4].hex()
'1b2c16b7'

Deterministic, so that a probe can be repeated to the byte, except for PSS, whose salt is random.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

#: By which a key of a kit may sign.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SHA: Final[dict[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVE_OF: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


def fits(key: Any, alg: str) -> bool:
    """Whether the private key is of the kind that the algorithm needs."""
    if alg[:2] in ("RS", "PS"):
        return isinstance(key, rsa.RSAPrivateKey)
    if alg.startswith("ES"):
        return isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == _CURVE_OF[alg]
    return isinstance(key, ed25519.Ed25519PrivateKey)


def sign(key: Any, alg: str, data: bytes) -> bytes:
    """A signature as a JWS has it (RFC 7518, section 3).

    Args:
        key: a private key of ``cryptography``, or bytes for HMAC.
        alg: gives hash and padding; what it does not fit is done as the key can.
    """
    sha = _SHA.get(alg[-3:], _SHA["256"])
    if isinstance(key, bytes):
        return hmac.digest(key, data, f"sha{alg[-3:]}" if alg[-3:] in _SHA else "sha256")
    if isinstance(key, rsa.RSAPrivateKey):
        if alg.startswith("PS"):
            return key.sign(data, padding.PSS(padding.MGF1(sha), sha.digest_size), sha)
        return key.sign(data, padding.PKCS1v15(), sha)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return pair(key, *sign_numbers(key, sha, data))
    signature: bytes = key.sign(data)
    return signature


def sign_numbers(key: ec.EllipticCurvePrivateKey, sha: hashes.HashAlgorithm, data: bytes) -> tuple[int, int]:
    """The two numbers of an ECDSA signature, made without chance (RFC 6979)."""
    der = key.sign(data, ec.ECDSA(sha, deterministic_signing=True))
    return utils.decode_dss_signature(der)


def pair(key: ec.EllipticCurvePrivateKey, r: int, s: int) -> bytes:
    """Two numbers side by side, each as long as the curve's field (RFC 7518, section 3.4)."""
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")
