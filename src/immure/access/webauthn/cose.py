"""Public keys as authenticators write them (COSE, RFC 9052 and RFC 9053), and what verifies with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from immure.access.webauthn.cbor import parse_cbor
from immure.errors import InputError

#: Algorithms that are taken, the best liked first: their names in COSE (RFC 9053).
ALGORITHMS: Final = {-7: "ES256", -8: "EdDSA", -35: "ES384"}
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_EC2, _OKP = 2, 1
#: The members of each key, the curve, and the bytes of a coordinate.
_SHAPES: Final = {-7: (_EC2, 1, 32), -35: (_EC2, 2, 48), -8: (_OKP, 6, 32)}


class CoseKey(NamedTuple):
    """A public key: its algorithm, a fingerprint (SHA-256 of its numbers, in hex), and what verifies.

    ``verify(signature, message)`` raises ``cryptography.exceptions.InvalidSignature``.
    """

    algorithm: str
    fingerprint: str
    verify: Callable[[bytes, bytes], None]


@lru_cache(maxsize=4096)
def parse_cose(data: bytes) -> CoseKey:
    """The public key in a COSE_Key.

    Raises:
        InputError: it is none, it is of an algorithm that is not taken, or its point is not on the curve.
    """
    members = parse_cbor(data)
    if not isinstance(members, dict):
        raise InputError("a public key that is no map")
    algorithm = members.get(_ALG)
    if type(algorithm) is not int or algorithm not in _SHAPES:
        raise InputError(f"a public key of an algorithm other than {', '.join(ALGORITHMS.values())}")
    kind, curve, size = _SHAPES[algorithm]
    names = (_X, _Y) if kind == _EC2 else (_X,)
    points: list[Any] = [members.get(name) for name in names]
    if (members.get(_KTY), members.get(_CRV)) != (kind, curve) or set(members) != {_KTY, _ALG, _CRV, *names}:
        raise InputError("a public key whose members do not fit its algorithm")
    if not all(isinstance(point, bytes) and len(point) == size for point in points):
        raise InputError("a public key with a coordinate of another length")
    joined = b"".join(points)
    fingerprint = hashlib.sha256(bytes([kind, curve]) + joined).hexdigest()
    return CoseKey(ALGORITHMS[algorithm], fingerprint, _verifier(algorithm, joined))


def _verifier(algorithm: int, joined: bytes) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    try:
        if algorithm == -8:
            return ed25519.Ed25519PublicKey.from_public_bytes(joined).verify
        curve: Any = ec.SECP256R1() if algorithm == -7 else ec.SECP384R1()
        scheme = ec.ECDSA(hashes.SHA256() if algorithm == -7 else hashes.SHA384())
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + joined)
    except ValueError:
        raise InputError("a public key that is no point of its curve") from None
    return lambda signature, message: key.verify(signature, message, scheme)
