"""Signature algorithms (RFC 7518, section 3; RFC 8037; RFC 8812; RFC 9864), and which of them fit a key.

>>> from immure.keymaterial.key import OkpNumbers
>>> sorted(fitting(OkpNumbers("Ed25519", bytes(32))))
['Ed25519', 'EdDSA']

There is no HMAC among them: whoever can check it can also make it (:mod:`.shared`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from immure.keymaterial.key import EC_BYTES, EcNumbers, Numbers, OkpNumbers, RsaNumbers
from immure.tokens.errors import AlgorithmError, WeakKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

#: Whether a signature of some bytes holds.
Verifier = Callable[[bytes, bytes], bool]

_SHA: Final[dict[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final[dict[str, tuple[str, ec.EllipticCurve]]] = {
    "P-256": ("ES256", ec.SECP256R1()),
    "P-384": ("ES384", ec.SECP384R1()),
    "P-521": ("ES512", ec.SECP521R1()),
    "secp256k1": ("ES256K", ec.SECP256K1()),
}
_RSA: Final = frozenset(f"{kind}{size}" for kind in ("RS", "PS") for size in _SHA)

#: All that is understood.
ALGORITHMS: Final = _RSA | {name for name, _ in _CURVES.values()} | {"EdDSA", "Ed25519", "Ed448"}


def fitting(numbers: Numbers) -> frozenset[str]:
    """The algorithms that a key can be used with; none for keys of X25519 and X448."""
    if isinstance(numbers, RsaNumbers):
        return _RSA
    if isinstance(numbers, EcNumbers):
        return frozenset({_CURVES[numbers.curve][0]})
    return frozenset({"EdDSA", numbers.curve}) if numbers.curve in ("Ed25519", "Ed448") else frozenset()


def verifier(numbers: Numbers, alg: str) -> Verifier:
    """What verifies signatures of one key and one algorithm.

    Raises:
        AlgorithmError: they do not fit each other.
        WeakKeyError: the numbers are refused by the library that computes with them.
    """
    if alg not in fitting(numbers):
        raise AlgorithmError(f"{alg} does not fit the key")
    try:
        if isinstance(numbers, RsaNumbers):
            return _rsa(numbers, alg)
        return _ecdsa(numbers, alg) if isinstance(numbers, EcNumbers) else _eddsa(numbers)
    except (ValueError, UnsupportedAlgorithm):
        raise WeakKeyError("the key cannot be used for verifying") from None


def _rsa(numbers: RsaNumbers, alg: str) -> Verifier:
    key = rsa.RSAPublicNumbers(numbers.e, numbers.n).public_key()
    length, sha = (numbers.n.bit_length() + 7) // 8, _SHA[alg[2:]]
    fill: AsymmetricPadding = padding.PKCS1v15()
    if alg.startswith("PS"):  # the salt is as long as the digest (RFC 7518, section 3.5)
        fill = padding.PSS(padding.MGF1(sha), sha.digest_size)
    verify = key.verify

    def holds(signature: bytes, data: bytes) -> bool:
        if len(signature) != length:
            return False
        try:
            verify(signature, data, fill, sha)
        except InvalidSignature:
            return False
        return True

    return holds


def _ecdsa(numbers: EcNumbers, alg: str) -> Verifier:
    """Signatures are the two numbers side by side, each of full length (RFC 7518, section 3.4)."""
    curve = _CURVES[numbers.curve][1]
    verify = ec.EllipticCurvePublicNumbers(numbers.x, numbers.y, curve).public_key().verify
    size = EC_BYTES[numbers.curve]
    how = ec.ECDSA(_SHA["256" if alg == "ES256K" else alg[2:]])
    encode, number = utils.encode_dss_signature, int.from_bytes

    def holds(signature: bytes, data: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        try:
            verify(encode(number(signature[:size], "big"), number(signature[size:], "big")), data, how)
        except InvalidSignature:
            return False
        return True

    return holds


def _eddsa(numbers: OkpNumbers) -> Verifier:
    key: ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    if numbers.curve == "Ed25519":
        key = ed25519.Ed25519PublicKey.from_public_bytes(numbers.x)
    else:
        key = ed448.Ed448PublicKey.from_public_bytes(numbers.x)
    verify = key.verify

    def holds(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return holds
