"""The elliptic curves that keys are on: parameters, membership, and the public half of a scalar or seed.

Sources: SEC 2 v2 (P-256, P-384, P-521, secp256k1; their primes are all 3 mod 4), RFC 8032 (Ed25519, Ed448),
RFC 7748 (X25519, X448), RFC 8410 (object identifiers of the latter four).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from immure.errors import KeyFormatError
from immure.keymaterial.key import OKP_BYTES, EcCurve, OkpCurve

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Curve:
    """A short Weierstrass curve y² = x³ + ax + b over the integers mod p, its group of prime order n.

    Attributes:
        oid: DER content of its object identifier.
        size: bytes of a coordinate (for these curves also of a scalar).
    """

    name: EcCurve
    p: int
    a: int
    b: int
    n: int
    oid: bytes
    size: int


_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P384 = 2**384 - 2**128 - 2**96 + 2**32 - 1
_P521 = 2**521 - 1
_K256 = 2**256 - 2**32 - 977

CURVES: dict[str, Curve] = {
    "P-256": Curve(
        "P-256",
        _P256,
        _P256 - 3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        bytes.fromhex("2a8648ce3d030107"),
        32,
    ),
    "P-384": Curve(
        "P-384",
        _P384,
        _P384 - 3,
        int(
            "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a"
            "c656398d8a2ed19d2a85c8edd3ec2aef",
            16,
        ),
        2**384 - int("389cb27e0bc8d220a7e5f24db74f58851313e695333ad68d", 16),
        bytes.fromhex("2b81040022"),
        48,
    ),
    "P-521": Curve(
        "P-521",
        _P521,
        _P521 - 3,
        int(
            "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0"
            "bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
            16,
        ),
        2**521 - int("5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7", 16),
        bytes.fromhex("2b81040023"),
        66,
    ),
    "secp256k1": Curve(
        "secp256k1",
        _K256,
        0,
        7,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
        bytes.fromhex("2b8104000a"),
        32,
    ),
}
CURVE_BY_OID: dict[bytes, Curve] = {curve.oid: curve for curve in CURVES.values()}

#: DER contents of the object identifiers 1.3.101.110 to 113 (RFC 8410, section 3)
OKP_OIDS: dict[OkpCurve, bytes] = {
    "X25519": b"\x2b\x65\x6e",
    "X448": b"\x2b\x65\x6f",
    "Ed25519": b"\x2b\x65\x70",
    "Ed448": b"\x2b\x65\x71",
}
OKP_BY_OID: dict[bytes, OkpCurve] = {oid: name for name, oid in OKP_OIDS.items()}

#: order of the prime-order subgroup (RFC 8032, sections 5.1 and 5.2)
EDWARDS_ORDERS: dict[str, int] = {
    "Ed25519": 2**252 + 27742317777372353535851937790883648493,
    "Ed448": 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
}
_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1


def is_on_curve(curve: Curve, x: int, y: int) -> bool:
    """Whether (x, y) is an affine point of the curve."""
    p = curve.p
    return 0 <= x < p and 0 <= y < p and (y * y - (x * x + curve.a) * x - curve.b) % p == 0


def decompress(curve: Curve, x: int, odd: bool) -> int:
    """The y of the given parity for x (SEC 1 v2, section 2.3.4).

    Raises:
        KeyFormatError: no point of the curve has this x.
    """
    p = curve.p
    y = pow((x * x + curve.a) * x + curve.b, (p + 1) // 4, p)  # a square root, as p = 3 mod 4
    if y & 1 != odd:
        y = p - y
    if not is_on_curve(curve, x, y):
        raise KeyFormatError(f"not a point of {curve.name}")
    return y


def ec_public(curve: Curve, scalar: int) -> tuple[int, int]:
    """The affine coordinates of scalar·G.

    Raises:
        KeyFormatError: the scalar is not in [1, n).
    """
    if not 1 <= scalar < curve.n:
        raise KeyFormatError(f"scalar is out of range for {curve.name}")
    from cryptography.hazmat.primitives.asymmetric import ec

    numbers = ec.derive_private_key(scalar, _groups()[curve.name]).public_key().public_numbers()
    return numbers.x, numbers.y


@lru_cache(maxsize=1 << 14)
def montgomery_points(curve: Curve, x: int, y: int) -> list[tuple[int, int]]:
    """R·Q and −R·Q for a public key Q = (x, y), R = 2^(64·limbs): the points of d·R mod n and its negative.

    In either order, as key agreement, the quick way to multiply, gives the x coordinate only.

    Raises:
        KeyFormatError: (x, y) is not a point of the curve.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    if not is_on_curve(curve, x, y):
        raise KeyFormatError(f"not a point of {curve.name}")
    factor = _montgomery_factor(curve.name)
    peer = ec.EllipticCurvePublicNumbers(x, y, factor.curve).public_key()
    multiple = int.from_bytes(factor.exchange(ec.ECDH(), peer), "big")
    odd = decompress(curve, multiple, odd=True)
    return [(multiple, odd), (multiple, curve.p - odd)]


@cache
def _montgomery_factor(name: EcCurve) -> ec.EllipticCurvePrivateKey:
    """R mod n, dressed up as a private key. It is no secret."""
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = CURVES[name]
    return ec.derive_private_key((1 << 64 * ((curve.size + 7) // 8)) % curve.n, _groups()[name])


def _groups() -> dict[EcCurve, ec.EllipticCurve]:
    from cryptography.hazmat.primitives.asymmetric import ec

    return {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
    }


def okp_public(curve: OkpCurve, seed: bytes) -> bytes:
    """The encoded public half of a seed (RFC 8032) or of an X25519/X448 private key (RFC 7748).

    Raises:
        KeyFormatError: the seed has the wrong length.
    """
    if len(seed) != OKP_BYTES[curve]:
        raise KeyFormatError(f"private key of {curve} must have {OKP_BYTES[curve]} bytes, not {len(seed)}")
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, x448, x25519

    if curve == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    if curve == "Ed448":
        return ed448.Ed448PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    if curve == "X25519":
        return x25519.X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return x448.X448PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def is_okp_point(curve: OkpCurve, encoded: bytes) -> bool:
    """Whether these bytes encode a point (RFC 8032, sections 5.1.3 and 5.2.3; RFC 7748: any u but zero)."""
    if len(encoded) != OKP_BYTES[curve]:
        return False
    if curve in ("X25519", "X448"):
        return any(encoded)
    y = int.from_bytes(encoded, "little") & ~(1 << (8 * len(encoded) - 1))
    if curve == "Ed25519":
        p, d = _P25519, -121665 * pow(121666, -1, _P25519)
        top, bottom = y * y - 1, d * y * y + 1
    else:
        p, d = _P448, -39081
        top, bottom = y * y - 1, d * y * y - 1
    square = top * bottom % p  # top/bottom is a square if and only if top·bottom is one
    return y < p and (square == 0 or pow(square, (p - 1) // 2, p) == 1)
