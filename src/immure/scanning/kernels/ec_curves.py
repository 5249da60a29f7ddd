"""The curves, in plain integers, all in the form that the kernel works in: y² = x³ + ax + b.

Affine addition in that form does not use ``a`` or ``b``, so one kernel serves every curve. Curve25519 and
Curve448 are shifted into it (x = u + A/3), and the Edwards curves of Ed25519 and Ed448 map to those two as
RFC 7748, sections 4.1 and 4.2, say; so a signing key and a key-agreement key made of one scalar are one
point.

A point is a pair (x, y) of integers below p, the point at infinity is None.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from immure.errors import KeyFormatError
from immure.keymaterial.key import EcNumbers, Numbers, RsaNumbers

Family = Literal["P-256", "secp256k1", "25519", "P-384", "448", "P-521"]
Point = tuple[int, int] | None


@dataclass(frozen=True)
class Curve:
    """A curve y² = x³ + ax + b over the integers modulo ``p``, with a point G of prime order ``n``.

    ``index`` is the kernel's number of the field, ``bits`` bounds the scalars (a candidate is below 2^bits),
    and ``shift`` is x − u (A/3) where the curve is known by its Montgomery form.
    """

    family: Family
    index: int
    p: int
    a: int
    b: int
    n: int
    cofactor: int
    g: tuple[int, int]
    bits: int
    shift: int = 0

    @property
    def limbs(self) -> int:
        """64-bit words of a number."""
        return (self.p.bit_length() + 63) // 64

    def has(self, x: int, y: int) -> bool:
        """Whether (x, y) is on the curve."""
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - (x * x + self.a) * x - self.b) % self.p == 0

    def add(self, left: Point, right: Point) -> Point:
        """The sum of two points."""
        if left is None or right is None:
            return left or right
        (x1, y1), (x2, y2), p = left, right, self.p
        if x1 == x2 and (y1 + y2) % p == 0:
            return None
        slope = (3 * x1 * x1 + self.a) * pow(2 * y1, -1, p) if x1 == x2 else (y2 - y1) * pow(x2 - x1, -1, p)
        x = (slope * slope - x1 - x2) % p
        return x, (slope * (x1 - x) - y1) % p

    def multiply(self, scalar: int, point: Point) -> Point:
        """``scalar`` times ``point``; ``scalar`` is not negative. Not in constant time."""
        if point is None or scalar == 0:
            return None
        # Jacobian coordinates: one inversion at the end in place of one for each addition
        result = (*point, 1)
        for bit in bin(scalar)[3:]:
            result = self._doubled(*result)
            if bit == "1":
                result = self._added(*result, *point)
        x, y, z = result
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        square = inverse * inverse % self.p
        return x * square % self.p, y * square * inverse % self.p

    def _doubled(self, x: int, y: int, z: int) -> tuple[int, int, int]:
        """Twice (x/z², y/z³); z = 0 is the point at infinity."""
        p, square = self.p, y * y % self.p
        middle, slope = 4 * x * square, 3 * x * x + self.a * z**4
        u = (slope * slope - 2 * middle) % p
        return u, (slope * (middle - u) - 8 * square * square) % p, 2 * y * z % p

    def _added(self, x: int, y: int, z: int, right_x: int, right_y: int) -> tuple[int, int, int]:
        """(x/z², y/z³) and a point that is not at infinity."""
        p = self.p
        if z == 0:
            return right_x, right_y, 1
        square = z * z % p
        run, rise = (right_x * square - x) % p, (right_y * square * z - y) % p
        if run == 0:
            return self._doubled(x, y, z) if rise == 0 else (1, 1, 0)
        squared = run * run % p
        cubed, middle = squared * run % p, x * squared % p
        u = (rise * rise - cubed - 2 * middle) % p
        return u, (rise * (middle - u) - y * cubed) % p, z * run % p

    def y_of(self, x: int) -> int | None:
        """A y for this x, or None if there is no point."""
        return square_root(((x * x + self.a) * x + self.b) % self.p, self.p)


def square_root(value: int, p: int) -> int | None:
    """A square root modulo a prime p = 3 mod 4 or 5 mod 8, or None."""
    if p % 4 == 3:
        root = pow(value, (p + 1) // 4, p)
    else:
        root = pow(value, (p + 3) // 8, p)
        if root * root % p != value % p:
            root = root * pow(2, (p - 1) // 4, p) % p
    return root if root * root % p == value % p else None


def _prime_curve(family: Family, index: int, p: int, a: int, b: int, n: int, g: tuple[int, int]) -> Curve:
    return Curve(family, index, p, a % p, b, n, 1, g, p.bit_length())


def _montgomery_curve(
    family: Family, index: int, p: int, n: int, cofactor: int, big_a: int, g: tuple[int, int]
) -> Curve:
    """From v² = u³ + Au² + u and the base point (u, v)."""
    third, ninth = pow(3, -1, p), pow(27, -1, p)
    shift = big_a * third % p
    a, b = (3 - big_a * big_a) * third % p, (2 * big_a**3 - 9 * big_a) * ninth % p
    bits = 256 if family == "25519" else 448
    return Curve(family, index, p, a, b, n, cofactor, ((g[0] + shift) % p, g[1]), bits, shift)


P25519 = 2**255 - 19
P448 = 2**448 - 2**224 - 1

#: Curves by family. Sources: FIPS 186-5 / SP 800-186 (P-256, P-384, P-521), SEC 2 (secp256k1), RFC 7748
#: (25519, 448).
CURVES: dict[Family, Curve] = {
    "P-256": _prime_curve(
        "P-256",
        0,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
    ),
    "secp256k1": _prime_curve(
        "secp256k1",
        1,
        2**256 - 2**32 - 977,
        0,
        7,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
        (
            0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
            0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
        ),
    ),
    "25519": _montgomery_curve(
        "25519",
        2,
        P25519,
        2**252 + 27742317777372353535851937790883648493,
        8,
        486662,
        (9, 14781619447589544791020593568409986887264606134616475288964881837755586237401),
    ),
    "P-384": _prime_curve(
        "P-384",
        3,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        -3,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        (
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
    ),
    "448": _montgomery_curve(
        "448",
        4,
        P448,
        2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
        4,
        156326,
        (
            5,
            355293926785568175264127502063783334808976399387714271831880898435169088786967410002932673765864550910142774147268105838985595290606362,
        ),
    ),
    "P-521": _prime_curve(
        "P-521",
        5,
        2**521 - 1,
        -3,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
        (
            0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,
            0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,
        ),
    ),
}

_FAMILY: dict[str, Family] = {
    "P-256": "P-256",
    "secp256k1": "secp256k1",
    "P-384": "P-384",
    "P-521": "P-521",
    "Ed25519": "25519",
    "X25519": "25519",
    "Ed448": "448",
    "X448": "448",
}


def family_of(numbers: Numbers) -> Family | None:
    """The family that a public key belongs to; None for RSA."""
    return None if isinstance(numbers, RsaNumbers) else _FAMILY[numbers.curve]


@cache
def blinding_point(family: Family) -> tuple[int, int]:
    """A point whose logarithm nobody knows: its x is a hash, so that no candidate can be made to meet an
    exception."""
    curve = CURVES[family]
    for counter in range(256):
        seed = f"immure comb blinding {family} {counter}".encode("ascii")
        x = int.from_bytes(hashlib.shake_256(seed).digest(8 * curve.limbs + 16), "little") % curve.p
        y = curve.y_of(x)
        if y is not None:
            point = curve.multiply(curve.cofactor, (x, y))
            if point is not None:
                return point
    raise AssertionError("half of all x have a point")


def points_of(numbers: Numbers) -> list[tuple[int, int]]:
    """Where a public key lies on its family's curve: one point, or two opposite ones where it has no sign
    (X25519, X448).

    Ed448 reaches its curve by a 4-isogeny, so there four public points, which differ by a point of order 2 or
    4, fall together; only one of them can come from a seed.

    Raises:
        KeyFormatError: it is not a point of the curve, or a point for which there can be no private key.
    """
    if isinstance(numbers, RsaNumbers):
        raise KeyFormatError("an RSA key is not a point")
    curve = CURVES[_FAMILY[numbers.curve]]
    if isinstance(numbers, EcNumbers):
        if not curve.has(numbers.x, numbers.y):
            raise KeyFormatError(f"not a point of {numbers.curve}")
        return [(numbers.x, numbers.y)]
    if numbers.curve in ("X25519", "X448"):
        return _key_agreement_points(curve, numbers.x)
    u, v = _edwards25519(numbers.x) if numbers.curve == "Ed25519" else _edwards448(numbers.x)
    return [((u + curve.shift) % curve.p, v)]


def _key_agreement_points(curve: Curve, encoded: bytes) -> list[tuple[int, int]]:
    """RFC 7748, section 5."""
    u = int.from_bytes(encoded, "little")
    if len(encoded) != (curve.p.bit_length() + 7) // 8:
        raise KeyFormatError(f"a public key of curve {curve.family} has another length")
    if curve.family == "25519":
        u &= 2**255 - 1
    x = (u + curve.shift) % curve.p
    y = curve.y_of(x)
    if not y:
        raise KeyFormatError(f"no private key belongs to this point of curve {curve.family}")
    return [(x, y), (x, curve.p - y)]


def _edwards_x(x_squared: int, sign: int, p: int) -> int:
    x = square_root(x_squared, p)
    if not x:  # no point, or one of small order
        raise KeyFormatError("not a point of the Edwards curve that can be a public key")
    return x if x & 1 == sign else p - x


def _edwards25519(encoded: bytes) -> tuple[int, int]:
    """Decodes −x² + y² = 1 + dx²y² (RFC 8032, section 5.1.3) and maps it to (u, v) (RFC 7748, section
    4.1)."""
    p, value = P25519, int.from_bytes(encoded, "little")
    y = value & (2**255 - 1)
    if len(encoded) != 32 or y >= p:
        raise KeyFormatError("not an Ed25519 public key")
    d = -121665 * pow(121666, -1, p)
    x = _edwards_x((y * y - 1) * pow(d * y * y + 1, -1, p) % p, value >> 255, p)
    u = (1 + y) * pow(1 - y, -1, p) % p
    root = square_root(-486664 % p, p)
    if root is None or not root & 1:  # of the two roots the odd one takes one base point to the other
        root = p - (root or 0)
    return u, root * u * pow(x, -1, p) % p


def _edwards448(encoded: bytes) -> tuple[int, int]:
    """Decodes x² + y² = 1 − 39081x²y² (RFC 8032, section 5.2.3) and maps it to (u, v) (RFC 7748, section
    4.2)."""
    p = P448
    if len(encoded) != 57 or encoded[56] & 0x7F:
        raise KeyFormatError("not an Ed448 public key")
    y = int.from_bytes(encoded[:56], "little")
    if y >= p:
        raise KeyFormatError("not an Ed448 public key")
    x = _edwards_x((y * y - 1) * pow(-39081 * y * y - 1, -1, p) % p, encoded[56] >> 7, p)
    slope = y * pow(x, -1, p) % p
    return slope * slope % p, (2 - x * x - y * y) * slope * pow(x * x, -1, p) % p
