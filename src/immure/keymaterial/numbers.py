"""Public numbers that have been checked: the only way from foreign bytes to
:data:`~immure.keymaterial.key.Numbers`.

>>> checked_rsa(n=2**1023 + 1, e=65537)
Traceback (most recent call last):
...
immure.errors.KeyFormatError: RSA modulus is divisible by 3
"""

from __future__ import annotations

from functools import cache
from math import gcd, prod

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES, Curve, decompress, is_okp_point, is_on_curve
from immure.keymaterial.key import OKP_BYTES, EcNumbers, OkpCurve, OkpNumbers, RsaNumbers

#: Bits of an RSA modulus that is taken as a key at all.
RSA_BITS = (512, 16384)
_ODD_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
_ODD_PRODUCT = prod(_ODD_PRIMES)
_SMALL = 1 << 12


def checked_rsa(n: int, e: int) -> RsaNumbers:
    """An RSA public key (RFC 8017, section 3.1).

    Raises:
        KeyFormatError: the size is out of :data:`RSA_BITS`, n or e is even, e is not in [3, n), or n has a
            factor below 4,096. Such a modulus is no key, and every few candidates of a search would have a
            factor in common with it.
    """
    bits = n.bit_length()
    if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
        raise KeyFormatError(f"RSA modulus of {bits} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are taken")
    if not n & 1:
        raise KeyFormatError("RSA modulus is even")
    if not e & 1:
        raise KeyFormatError("RSA public exponent is even")
    if not 3 <= e < n:
        raise KeyFormatError("RSA public exponent is out of range")
    if gcd(n % _ODD_PRODUCT, _ODD_PRODUCT) != 1:
        factor = next(prime for prime in _ODD_PRIMES if n % prime == 0)
        raise KeyFormatError(f"RSA modulus is divisible by {factor}")
    if gcd(_small_product() % n, n) != 1:
        raise KeyFormatError(f"RSA modulus has a factor below {_SMALL}")
    return RsaNumbers(n, e)


@cache
def _small_product() -> int:
    """The product of all primes below :data:`_SMALL`, made when it is first needed."""
    sieve = bytearray([1]) * _SMALL
    for number in range(2, int(_SMALL**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, _SMALL, number)))
    return prod(number for number in range(2, _SMALL) if sieve[number])


def checked_ec(curve: str, x: int, y: int) -> EcNumbers:
    """An EC public key.

    Raises:
        KeyFormatError: the curve is unknown, or (x, y) is not on it.
    """
    parameters = CURVES.get(curve)
    if parameters is None:
        raise KeyFormatError("unknown elliptic curve")
    if not is_on_curve(parameters, x, y):
        raise KeyFormatError(f"point is not on {parameters.name}")
    return EcNumbers(parameters.name, x, y)


def checked_point(curve: Curve, encoded: bytes) -> EcNumbers:
    """An EC public key from an encoded point, compressed or not (SEC 1 v2, section 2.3.4).

    Raises:
        KeyFormatError: these bytes are not a point of the curve.
    """
    size = curve.size
    if len(encoded) == 2 * size + 1 and encoded[0] == 4:
        x = int.from_bytes(encoded[1 : size + 1], "big")
        return checked_ec(curve.name, x, int.from_bytes(encoded[size + 1 :], "big"))
    if len(encoded) == size + 1 and encoded[0] in (2, 3):
        x = int.from_bytes(encoded[1:], "big")
        if x < curve.p:
            return EcNumbers(curve.name, x, decompress(curve, x, encoded[0] == 3))
    raise KeyFormatError(f"not an encoded point of {curve.name}")


def checked_okp(curve: OkpCurve, encoded: bytes) -> OkpNumbers:
    """An octet key pair's public half (RFC 8037).

    Raises:
        KeyFormatError: wrong length, or not a point of the curve.
    """
    if len(encoded) != OKP_BYTES[curve]:
        raise KeyFormatError(f"public key of {curve} must have {OKP_BYTES[curve]} bytes, not {len(encoded)}")
    if not is_okp_point(curve, encoded):
        raise KeyFormatError(f"not a point of {curve}")
    return OkpNumbers(curve, bytes(encoded))
