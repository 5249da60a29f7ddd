"""Signature algorithms, by the names of RFC 7518 (section 3.1) and RFC 8037, and what keys they go with.

>>> from immure.keymaterial.key import EcNumbers
>>> algorithms_of(EcNumbers("P-256", 1, 2))
('ES256',)

A signature by ES256 or ES384 is written as DER (ECDSA-Sig-Value, RFC 3279 section 2.2.3), as DSSE and X.509
have it, not as the two numbers behind one another of a JWS. The salt of PS256 is as long as the digest
(RFC 7518, section 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers, RsaNumbers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Algorithm = Literal["EdDSA", "ES256", "ES384", "PS256", "RS256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
#: Bits of an RSA modulus that signs: NIST SP 800-131A allows none below.
LEAST_RSA_BITS: Final = 2048
_EC: Final[dict[str, Algorithm]] = {"P-256": "ES256", "P-384": "ES384"}


def algorithms_of(numbers: Numbers) -> tuple[Algorithm, ...]:
    """The algorithms that a key may sign with, the one that is taken by default first; none if it may not."""
    if isinstance(numbers, RsaNumbers):
        return ("PS256", "RS256") if numbers.n.bit_length() >= LEAST_RSA_BITS else ()
    if isinstance(numbers, EcNumbers):
        return (_EC[numbers.curve],) if numbers.curve in _EC else ()
    return ("EdDSA",) if numbers.curve == "Ed25519" else ()


def is_signature(numbers: Numbers, algorithm: Algorithm, message: bytes, signature: bytes) -> bool:
    """Whether the key of these numbers signed ``message`` by this algorithm; False for whatever is none."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if algorithm not in algorithms_of(numbers):
        return False
    try:
        _verify(numbers, algorithm, message, signature)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):  # ValueError: numbers that are no key at all
        return False
    return True


def _verify(numbers: Numbers, algorithm: Algorithm, message: bytes, signature: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(numbers, RsaNumbers):
        padding, digest = rsa_padding(algorithm)
        rsa_key(numbers).verify(signature, message, padding, digest)
    elif isinstance(numbers, EcNumbers):
        ec_key(numbers).verify(signature, message, ec.ECDSA(ec_digest(algorithm)))
    else:
        ed25519_key(numbers).verify(signature, message)


def rsa_padding(algorithm: Algorithm) -> tuple[Any, Any]:
    """Padding and digest of PS256 or RS256, as ``cryptography`` takes them."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256()
    if algorithm == "RS256":
        return padding.PKCS1v15(), digest
    return padding.PSS(padding.MGF1(digest), digest.digest_size), digest


def ec_digest(algorithm: Algorithm) -> Any:
    """The digest of ES256 or ES384."""
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256() if algorithm == "ES256" else hashes.SHA384()


def rsa_key(numbers: RsaNumbers) -> rsa.RSAPublicKey:
    """A key of ``cryptography`` of these numbers; raises ValueError if it takes them for none."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.RSAPublicNumbers(numbers.e, numbers.n).public_key()


def ec_key(numbers: EcNumbers) -> ec.EllipticCurvePublicKey:
    """As :func:`rsa_key`, for P-256 and P-384."""
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.SECP256R1() if numbers.curve == "P-256" else ec.SECP384R1()
    return ec.EllipticCurvePublicNumbers(numbers.x, numbers.y, curve).public_key()


def ed25519_key(numbers: OkpNumbers) -> Ed25519PublicKey:
    """As :func:`rsa_key`, for Ed25519."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(numbers.x)
