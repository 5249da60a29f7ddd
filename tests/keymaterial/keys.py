"""Keys for the tests, made when they are first asked for: no private key is ever committed."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers, RsaNumbers

KINDS = ("RSA-1024", "RSA-2048", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519", "X448")
RSA = KINDS[:2]
NIST = KINDS[2:5]
EC = KINDS[2:6]
OKP = KINDS[6:]
_CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}


def fresh(kind: str) -> Any:
    """A new private key of the ``cryptography`` package."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    return x25519.X25519PrivateKey.generate() if kind == "X25519" else x448.X448PrivateKey.generate()


@cache
def key(kind: str, number: int = 0) -> Any:
    """The key of this kind and number, the same for the whole run."""
    return fresh(kind)


def kind_of(private: Any) -> str:
    if isinstance(private, rsa.RSAPrivateKey):
        return f"RSA-{private.key_size}"
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return next(name for name, curve in _CURVES.items() if curve.name == private.curve.name)
    return type(private).__name__.removesuffix("PrivateKey").lstrip("_")


def numbers(private: Any) -> Numbers:
    """The public numbers, as ``cryptography`` has them."""
    public = private.public_key()
    if isinstance(private, rsa.RSAPrivateKey):
        found = public.public_numbers()
        return RsaNumbers(found.n, found.e)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = public.public_numbers()
        return EcNumbers(kind_of(private), point.x, point.y)
    return OkpNumbers(kind_of(private), public.public_bytes(Encoding.Raw, PublicFormat.Raw))
