"""Keys made for the tests, in all forms of files, and signatures checked by ``cryptography`` alone."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_MAKERS = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed448": ed448.Ed448PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "DSA": lambda: dsa.generate_private_key(1024),
    "P-224": lambda: ec.generate_private_key(ec.SECP224R1()),
}
SIGNING = {"Ed25519": "EdDSA", "P-256": "ES256", "P-384": "ES384", "RSA-2048": "PS256"}


@cache
def key(kind: str) -> Any:
    """A private key of that kind, the same one each time."""
    return _MAKERS[kind]()


def private_bytes(
    kind: str,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encoding: Encoding = Encoding.PEM,
    password: bytes | None = None,
) -> bytes:
    protection = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key(kind).private_bytes(encoding, form, protection)


def public_pem(kind: str) -> bytes:
    return key(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_key(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def holds(jwk: dict[str, str], algorithm: str, message: bytes, signature: bytes) -> bool:
    """Whether the key of a JWK made the signature, without any code of ours."""
    try:
        if jwk["kty"] == "OKP":
            ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"])).verify(signature, message)
        elif jwk["kty"] == "EC":
            curve = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[jwk["crv"]]
            numbers = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
            digest = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384()}[algorithm]
            numbers.public_key().verify(signature, message, ec.ECDSA(digest))
        else:
            public = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            public.verify(
                signature, message, pss if algorithm == "PS256" else padding.PKCS1v15(), hashes.SHA256()
            )
    except InvalidSignature:
        return False
    return True


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")
