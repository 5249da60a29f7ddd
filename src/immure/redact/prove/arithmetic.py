"""The secret numbers of a key, worked out again from its primes, scalar or seed.

>>> from immure.keymaterial.private import okp_from_seed
>>> [number.name for number in numbers_of(okp_from_seed("X25519", bytes(range(32))))]
['seed', 'scalar']

Nothing is taken over from the catalog that the redactor erases by: what one of the two has forgotten, or has
computed wrongly, the other still looks for. Only the key itself is common to both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from math import gcd
from typing import Final

from immure.keymaterial.private import EcPrivate, OkpPrivate, RsaPrivate
from immure.redact.prove.secrets import KnownSecret, ScalarOnly

#: Prime of the field, order of the group, bits of the field (SEC 2 v2, sections 2.4 to 2.6).
_FIELDS: Final = {
    "P-256": ((1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1, 256),
    "P-384": ((1 << 384) - (1 << 128) - (1 << 96) + (1 << 32) - 1, 384),
    "P-521": ((1 << 521) - 1, 521),
    "secp256k1": ((1 << 256) - (1 << 32) - 977, 256),
}
_ORDERS: Final = {
    "P-256": 115792089210356248762697446949407573529996955224135760342422259061068512044369,
    "P-384": int(
        "394020061963944792122790401001436138050797392704654466679469052796276593991132635693989563"
        "08152294913554433653942643"
    ),
    "P-521": int(
        "686479766013060971498190079908139321726943530014330540939446345918554318339765539424505774"
        "6333217197532963996371363321113864768612440380340372808892707005449"
    ),
    "secp256k1": 115792089237316195423570985008687907852837564279074904382605163141518161494337,
}
#: Orders of the base points (RFC 8032, sections 5.1 and 5.2).
_EDWARDS: Final = {
    "Ed25519": (1 << 252) + 27742317777372353535851937790883648493,
    "Ed448": (1 << 446) - 13818066809895115352007386748515426880336692474882178609894547503885,
}


@dataclass(frozen=True, slots=True)
class Number:
    """A secret number.

    Attributes:
        name: what it is; the names of the catalog where it has one.
        value: the number; of bytes, read with the least significant first.
        bits: how many it is wide.
        is_bytes: its bytes have an order of their own, least significant first, which texts follow.
        part_of: it only repeats bits of others, so that they are not counted twice.
        tells: (name, bits to leave out, bits told): it holds the low bits of another number.
        words_only: a single word, of which eight bytes count as what is left of another number.
        plain: bytes that nobody takes for a number: a password.
    """

    name: str
    value: int
    bits: int
    is_bytes: bool = False
    part_of: bool = False
    tells: tuple[str, int, int] | None = None
    words_only: bool = False
    plain: bool = False

    def __repr__(self) -> str:
        return f"Number({self.name!r}, {self.bits} bits)"


def numbers_of(secret: KnownSecret) -> list[Number]:
    """Every number from which the secret can be computed."""
    if isinstance(secret, RsaPrivate):
        return _distinct(_rsa(secret))
    if isinstance(secret, EcPrivate):
        return _distinct(_ec(secret))
    if isinstance(secret, OkpPrivate):
        return _distinct(_okp(secret))
    if isinstance(secret, ScalarOnly):
        return _distinct(_scalars(secret.public.curve, secret.scalar.reveal()))
    return [replace(_bytes("secret", secret.value.reveal()), plain=True)]


def _distinct(numbers: list[Number]) -> list[Number]:
    """The first of those that are equal: d modulo φ is often d modulo λ."""
    seen: set[tuple[int, bool]] = set()
    result = []
    for number in numbers:
        if (number.value, number.is_bytes) not in seen:
            seen.add((number.value, number.is_bytes))
            result.append(number)
    return result


def _bytes(name: str, data: bytes, *, part_of: bool = False) -> Number:
    return Number(name, int.from_bytes(data, "little"), 8 * len(data), is_bytes=True, part_of=part_of)


def _rsa(key: RsaPrivate) -> list[Number]:
    n, e = key.public.n, key.public.e
    p, q, given = key.p.reveal(), key.q.reveal(), key.d.reveal()
    wide, wide_p, wide_q = n.bit_length(), p.bit_length(), q.bit_length()
    phi = (p - 1) * (q - 1)
    lam = phi // gcd(p - 1, q - 1)
    d, d_lambda = pow(e, -1, phi), pow(e, -1, lam)
    numbers = [
        Number("p", p, wide_p),
        Number("q", q, wide_q),
        Number("d", d, wide),
        Number("dp", d % (p - 1), wide_p),
        Number("dq", d % (q - 1), wide_q),
        Number("d_lambda", d_lambda, wide),
        Number("d_given", given, max(wide, given.bit_length())),
        *_rsa_inverses(p, q),
        *_rsa_words(p, q),
    ]
    # the upper halves of these are those of n, or of a small multiple or fraction of it: no secret
    products = {"phi": phi, "lambda": lam, "ed": e * d, "ed_lambda": e * d_lambda}
    half = wide // 2
    return numbers + [Number(f"{name}_low", value % (1 << half), half) for name, value in products.items()]


def _rsa_inverses(p: int, q: int) -> list[Number]:
    """CRT coefficients and what Montgomery contexts modulo the primes hold (R = 2^64L for L limbs)."""
    numbers = []
    for own, other, name, inverse in ((p, q, "p", "qinv"), (q, p, "q", "pinv")):
        wide = own.bit_length()
        r = 1 << -(-wide // 64) * 64
        coefficient = pow(other, -1, own)
        numbers += [
            Number(inverse, coefficient, wide),
            Number(f"r_{name}", r % own, wide),
            Number(f"rr_{name}", pow(r, 2, own), wide),
            Number(f"{inverse}_mont", coefficient * r % own, wide),
        ]
    return numbers


def _rsa_words(p: int, q: int) -> list[Number]:
    """A prime in disguise: p - 1, and ±1/p modulo 2^64, from which p's lowest word follows."""
    numbers = []
    for prime, name in ((p, "p"), (q, "q")):
        wide = prime.bit_length()
        numbers.append(Number(f"{name}_less_1", prime - 1, wide, part_of=True, tells=(name, 1, wide)))
        inverse = pow(prime, -1, 1 << 64)
        for sign, word in (("", inverse), ("minus_", -inverse % (1 << 64))):
            numbers.append(Number(f"n0_{sign}{name}", word, 64, True, True, (name, 0, 64), words_only=True))
    return numbers


def _ec(key: EcPrivate) -> list[Number]:
    order, (field, wide) = _ORDERS[key.public.curve], _FIELDS[key.public.curve]
    d = key.d.reveal()
    r = 1 << -(-wide // 64) * 64
    return [
        Number("d", d, wide),
        Number("d_mont", d * r % order, wide),
        Number("d_mont_p", d * r % field, wide),
        # some libraries negate a scalar, or give it a fixed length by adding the order once or twice
        Number("n_less_d", order - d, wide, part_of=True),
        Number("d_plus_n", d + order, wide + 1, part_of=True),
        Number("d_plus_2n", d + 2 * order, wide + 2, part_of=True),
    ]


def _okp(key: OkpPrivate) -> list[Number]:
    curve, seed = key.public.curve, key.seed.reveal()
    if curve in ("X25519", "X448"):
        return [_bytes("seed", seed), _bytes("scalar", _clamp(curve, seed), part_of=True)]
    # RFC 8032, sections 5.1.5 and 5.2.5
    digest = hashlib.sha512(seed).digest() if curve == "Ed25519" else hashlib.shake_256(seed).digest(114)
    raw, prefix = digest[: len(digest) // 2], digest[len(digest) // 2 :]
    return [
        _bytes("seed", seed),
        *_scalars(curve, raw),
        _bytes("prefix", prefix),
        _bytes("expanded", digest, part_of=True),
        _bytes("expanded_clamped", _clamp(curve, raw) + prefix, part_of=True),
    ]


def _scalars(curve: str, found: bytes) -> list[Number]:
    clamped = _clamp(curve, found)
    numbers = [_bytes("scalar", clamped)]
    if curve in _EDWARDS:
        reduced = int.from_bytes(clamped, "little") % _EDWARDS[curve]
        numbers.append(_bytes("scalar_mod", reduced.to_bytes(len(found), "little")))
    if found != clamped:
        numbers.append(_bytes("scalar_raw", found, part_of=True))
    return numbers


def _clamp(curve: str, raw: bytes) -> bytes:
    """The scalar that these bytes stand for (RFC 7748, section 5; RFC 8032, sections 5.1.5 and 5.2.5)."""
    value = int.from_bytes(raw, "little")
    if curve.endswith("25519"):
        value = value % (1 << 254) // 8 * 8 + (1 << 254)
    else:
        value = value % (1 << 447) // 4 * 4 + (1 << 447)
    return value.to_bytes(len(raw), "little")
