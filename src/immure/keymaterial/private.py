"""Private keys whose arithmetic has been proved: there is no way to make one whose halves do not belong
together.

>>> okp_from_seed("Ed25519", bytes(32)).seed
Secret(32 bytes)
>>> rsa_from_prime(RsaNumbers(n=2**521 - 1, e=65537), prime=2**61 - 1)
Traceback (most recent call last):
...
immure.errors.KeyFormatError: number does not divide the modulus
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import gcd, isqrt, lcm

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES, ec_public, okp_public
from immure.keymaterial.key import EcNumbers, OkpCurve, OkpNumbers, RsaNumbers
from immure.keymaterial.numbers import checked_rsa
from immure.secret import Secret

#: gcd(p - 1, q - 1) up to which a private exponent mod λ is taken apart without searching; chance of more:
#: about 2^-9
_MAX_COMMON_FACTOR = 512


@dataclass(frozen=True, slots=True, eq=False)
class RsaPrivate:
    """An RSA private key (RFC 8017, section 3.2).

    p and q stand in the order in which they were found; ``d`` as it was found (it may be reduced mod φ,
    mod λ or not at all).

    Raises:
        KeyFormatError: p·q ≠ n, e·d ≢ 1 mod λ(n), or the CRT numbers are not those of p and q.
    """

    public: RsaNumbers
    d: Secret[int]
    p: Secret[int]
    q: Secret[int]
    dp: Secret[int]
    dq: Secret[int]
    qinv: Secret[int]

    def __post_init__(self) -> None:
        checked_rsa(self.public.n, self.public.e)
        p, q, d = self.p.reveal(), self.q.reveal(), self.d.reveal()
        if p < 3 or q < 3 or p * q != self.public.n:
            raise KeyFormatError("p·q is not the modulus")
        if p == q:
            raise KeyFormatError("p and q are equal")
        if not 1 < d < self.public.n**2 or self.public.e * d % lcm(p - 1, q - 1) != 1:
            raise KeyFormatError("private and public exponent do not belong together")
        if self.dp.reveal() != d % (p - 1) or self.dq.reveal() != d % (q - 1):
            raise KeyFormatError("CRT exponents are not those of the private exponent")
        if not 0 < self.qinv.reveal() < p or self.qinv.reveal() * q % p != 1:
            raise KeyFormatError("CRT coefficient is not the inverse of q")


@dataclass(frozen=True, slots=True, eq=False)
class EcPrivate:
    """A private key on a short Weierstrass curve: ``public`` = d·G.

    Raises:
        KeyFormatError: d is out of range, or d·G is another point.
    """

    public: EcNumbers
    d: Secret[int]

    def __post_init__(self) -> None:
        point = ec_public(CURVES[self.public.curve], self.d.reveal())
        if point != (self.public.x, self.public.y):
            raise KeyFormatError("private scalar and public point do not belong together")


@dataclass(frozen=True, slots=True, eq=False)
class OkpPrivate:
    """An octet key pair (RFC 8037): the seed (Ed25519, Ed448) or private key (X25519, X448) of ``public``.

    Raises:
        KeyFormatError: the seed has the wrong length or another public half.
    """

    public: OkpNumbers
    seed: Secret[bytes]

    def __post_init__(self) -> None:
        if okp_public(self.public.curve, self.seed.reveal()) != self.public.x:
            raise KeyFormatError("private seed and public key do not belong together")


PrivateKey = RsaPrivate | EcPrivate | OkpPrivate


def rsa_from_parts(n: int, e: int, d: int, p: int, q: int) -> RsaPrivate:
    """An RSA key of these numbers and the CRT numbers that follow; raises as :class:`RsaPrivate`."""
    if p < 3 or q < 3 or p * q != n or gcd(p, q) != 1:
        raise KeyFormatError("p·q is not the modulus")
    crt = (d % (p - 1), d % (q - 1), pow(q, -1, p))
    return RsaPrivate(RsaNumbers(n, e), *(Secret(value) for value in (d, p, q, *crt)))


def rsa_from_prime(public: RsaNumbers, prime: int) -> RsaPrivate:
    """The RSA key of which ``prime`` is a factor; the greater factor becomes p, d is reduced mod φ.

    Raises:
        KeyFormatError: it does not divide the modulus, or e has no inverse.
    """
    if not 3 <= prime < public.n or public.n % prime:
        raise KeyFormatError("number does not divide the modulus")
    q, p = sorted((prime, public.n // prime))
    phi = (p - 1) * (q - 1)
    if gcd(public.e, phi) != 1:
        raise KeyFormatError("public exponent has no inverse")
    return rsa_from_parts(public.n, public.e, pow(public.e, -1, phi), p, q)


def rsa_from_exponent(public: RsaNumbers, d: int) -> RsaPrivate:
    """The RSA key of which ``d`` is a private exponent: n is factored by it (NIST SP 800-56B r2, appendix C).

    Certain in its answer; the time of the second step is random, some modular exponentiations.

    Raises:
        KeyFormatError: d is not a private exponent of this key.
    """
    quick = factor_by_small_exponent(public, d)
    if quick is not None:
        return rsa_from_parts(public.n, public.e, d, *quick)
    checked_rsa(public.n, public.e)
    multiple = public.e * d - 1
    if not 1 < d < public.n**2 or pow(2, multiple, public.n) != 1:
        raise KeyFormatError("not a private exponent of this modulus")
    return rsa_from_parts(public.n, public.e, d, *_factor_by_multiple(public.n, multiple))


def factor_by_small_exponent(public: RsaNumbers, d: int) -> tuple[int, int] | None:
    """(p, q), the greater first, if e·d = 1 + k·(p-1)(q-1)/g with a small g and e well below √n; else None.

    Costs no exponentiation: k·n/g is just above e·d, so k is known, then p + q = n + 1 - φ, and a square
    root is left.
    """
    n, multiple = public.n, public.e * d - 1
    if not 1 < d < n or public.e.bit_length() * 2 + 16 > n.bit_length():
        return None
    for common in (1, *range(2, _MAX_COMMON_FACTOR + 1, 2)):
        k = common * multiple // n + 1
        phi, rest = divmod(common * multiple, k)
        if rest:
            continue
        half = n + 1 - phi
        square = half * half - 4 * n
        if square > 0 and (root := isqrt(square)) ** 2 == square:
            p = (half + root) // 2
            if 1 < p < n and n % p == 0:
                return p, n // p
    return None


def _factor_by_multiple(n: int, multiple: int) -> tuple[int, int]:
    """(p, q), the greater first, by square roots of 1 from a multiple of λ(n); a base fails half the time."""
    twos = (multiple & -multiple).bit_length() - 1
    odd = multiple >> twos
    generator = random.Random(n)  # noqa: S311 - bases only: the same key takes the same steps
    for _ in range(128):
        root = pow(generator.randrange(2, n - 1), odd, n)
        while root not in (1, n - 1):
            square = root * root % n
            if square == 1:
                q, p = sorted((gcd(root - 1, n), n // gcd(root - 1, n)))
                return p, q
            if square == n - 1:
                break
            root = square
    raise KeyFormatError("the exponent does not factor the modulus")


def ec_from_scalar(curve: str, d: int) -> EcPrivate:
    """The EC key of this scalar.

    Raises:
        KeyFormatError: the curve is unknown or the scalar is out of range.
    """
    parameters = CURVES.get(curve)
    if parameters is None:
        raise KeyFormatError("unknown elliptic curve")
    return EcPrivate(EcNumbers(parameters.name, *ec_public(parameters, d)), Secret(d))


def okp_from_seed(curve: OkpCurve, seed: bytes) -> OkpPrivate:
    """The octet key pair of this seed; raises KeyFormatError if its length is wrong."""
    return OkpPrivate(OkpNumbers(curve, okp_public(curve, seed)), Secret(bytes(seed)))
