"""Keys as DER: from the bytes of a structure to checked numbers and proved private keys.

Public: SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7; RFC 8410), RSAPublicKey (RFC 8017, appendix A.1.1).
Private: RSAPrivateKey (RFC 8017, appendix A.1.2), ECPrivateKey (RFC 5915), PrivateKeyInfo and
OneAsymmetricKey (RFC 5208, RFC 5958). Every ``read_*`` function takes a cursor, steps over the structure,
and raises KeyFormatError if the bytes are not one or its numbers contradict each other.
"""

from __future__ import annotations

from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVE_BY_OID, CURVES, OKP_BY_OID, Curve
from immure.keymaterial.der import INTEGER, NULL, OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.key import Numbers, OkpCurve, RsaNumbers
from immure.keymaterial.numbers import checked_okp, checked_point, checked_rsa
from immure.keymaterial.private import (
    EcPrivate,
    OkpPrivate,
    PrivateKey,
    RsaPrivate,
    ec_from_scalar,
    okp_from_seed,
)
from immure.keymaterial.serialize import EC_PUBLIC_KEY, RSA_ENCRYPTION, RSASSA_PSS
from immure.secret import Secret

#: context-specific tags: curve and public point of ECPrivateKey; attributes and public key of
#: OneAsymmetricKey
_PARAMETERS, _POINT, _ATTRIBUTES, _PUBLIC, _PUBLIC_PRIMITIVE = 0xA0, 0xA1, 0xA0, 0xA1, 0x81


class Algorithm(NamedTuple):
    """An AlgorithmIdentifier that we know: the key type, and its curve if it has one."""

    kty: str
    curve: Curve | None = None
    okp: OkpCurve | None = None


def read_algorithm(outer: Der) -> Algorithm:
    """AlgorithmIdentifier (RFC 5280, section 4.1.1.2; RFC 3279, 5480 and 8410 for its parameters)."""
    body = outer.enter(SEQUENCE)
    oid = body.take(OID)
    if oid == RSA_ENCRYPTION:
        if not body.done:
            body.take(NULL)
        body.finish()
        return Algorithm("RSA")
    if oid == RSASSA_PSS:
        return Algorithm("RSA")
    if oid == EC_PUBLIC_KEY:
        curve = CURVE_BY_OID.get(body.take(OID))
        body.finish()
        if curve is None:
            raise KeyFormatError("unknown elliptic curve")
        return Algorithm("EC", curve=curve)
    okp = OKP_BY_OID.get(oid)
    if okp is None:
        raise KeyFormatError("unknown public key algorithm")
    body.finish()
    return Algorithm("OKP", okp=okp)


def read_rsa_public(outer: Der) -> RsaNumbers:
    """RSAPublicKey."""
    body = outer.enter(SEQUENCE)
    n, e = body.integer(), body.integer()
    body.finish()
    return checked_rsa(n, e)


def read_spki(outer: Der) -> Numbers:
    """SubjectPublicKeyInfo."""
    body = outer.enter(SEQUENCE)
    numbers = read_spki_body(body)
    body.finish()
    return numbers


def read_spki_body(body: Der) -> Numbers:
    """The content of a SubjectPublicKeyInfo: an algorithm, and a BIT STRING with the key."""
    algorithm = read_algorithm(body)
    start, stop = body.bits()
    data = body.data
    if algorithm.curve is not None:
        return checked_point(algorithm.curve, data[start:stop])
    if algorithm.okp is not None:
        return checked_okp(algorithm.okp, data[start:stop])
    inner = Der(data, start, stop)
    numbers = read_rsa_public(inner)
    inner.finish()
    return numbers


def read_rsa_private(outer: Der) -> RsaPrivate:
    """RSAPrivateKey of two primes."""
    body = outer.enter(SEQUENCE)
    private = read_rsa_private_body(body)
    body.finish()
    return private


def read_rsa_private_body(body: Der) -> RsaPrivate:
    """The nine INTEGERs of an RSAPrivateKey, without the header around them."""
    version, n, e, d, p, q, dp, dq, qinv = (body.integer() for _ in range(9))
    if version != 0:
        raise KeyFormatError("RSA private key of more than two primes, or of an unknown version")
    return RsaPrivate(RsaNumbers(n, e), *(Secret(value) for value in (d, p, q, dp, dq, qinv)))


class EcPrivateBody(NamedTuple):
    """What an ECPrivateKey holds; nothing is proved yet."""

    scalar: bytes
    curve: Curve | None
    point: bytes | None


def read_ec_private_body(body: Der) -> EcPrivateBody:
    """The content of an ECPrivateKey."""
    if body.integer() != 1:
        raise KeyFormatError("EC private key of an unknown version")
    scalar = body.take(OCTETS)
    curve = point = None
    if body.next_tag == _PARAMETERS:
        inner = body.enter(_PARAMETERS)
        curve = CURVE_BY_OID.get(inner.take(OID))
        inner.finish()
        if curve is None:
            raise KeyFormatError("unknown elliptic curve")
    if body.next_tag == _POINT:
        inner = body.enter(_POINT)
        start, stop = inner.bits()
        inner.finish()
        point = body.data[start:stop]
    return EcPrivateBody(scalar, curve, point)


def prove_ec(found: EcPrivateBody, curve: Curve) -> EcPrivate:
    """The key on this curve; raises KeyFormatError if the parts contradict each other."""
    if found.curve is not None and found.curve is not curve:
        raise KeyFormatError("two different curves are named")
    if len(found.scalar) != curve.size:
        raise KeyFormatError(f"scalar of {len(found.scalar)} bytes on {curve.name}")
    d = int.from_bytes(found.scalar, "big")
    if found.point is None:
        return ec_from_scalar(curve.name, d)
    return EcPrivate(checked_point(curve, found.point), Secret(d))


def read_ec_private(outer: Der) -> EcPrivate:
    """ECPrivateKey that names its curve or holds its public point."""
    body = outer.enter(SEQUENCE)
    found = read_ec_private_body(body)
    body.finish()
    if found.curve is not None:
        return prove_ec(found, found.curve)
    if found.point is not None:
        for curve in CURVES.values():
            if curve.size == len(found.scalar):
                try:
                    return prove_ec(found, curve)
                except KeyFormatError:
                    continue
    raise KeyFormatError("EC private key names no curve, or a wrong one")


def read_pkcs8(outer: Der) -> PrivateKey:
    """PrivateKeyInfo or OneAsymmetricKey, unencrypted."""
    body = outer.enter(SEQUENCE)
    if body.integer() not in (0, 1):
        raise KeyFormatError("private key of an unknown version")
    private = read_pkcs8_body(body)
    body.finish()
    return private


def read_pkcs8_body(body: Der) -> PrivateKey:
    """The content of a PrivateKeyInfo behind its version: algorithm, OCTET STRING with the key, options."""
    algorithm = read_algorithm(body)
    start, stop = body.span(OCTETS)
    private = _private_of(algorithm, Der(body.data, start, stop))
    if body.next_tag == _ATTRIBUTES:
        body.skip()
    if body.next_tag in (_PUBLIC, _PUBLIC_PRIMITIVE):
        _check_public(private, body)
    return private


def _private_of(algorithm: Algorithm, inner: Der) -> PrivateKey:
    private: PrivateKey
    if algorithm.curve is not None:
        body = inner.enter(SEQUENCE)
        found = read_ec_private_body(body)
        body.finish()
        private = prove_ec(found, algorithm.curve)
    elif algorithm.okp is not None:
        private = okp_from_seed(algorithm.okp, inner.take(OCTETS))
    else:
        private = read_rsa_private(inner)
    inner.finish()
    return private


def _check_public(private: PrivateKey, body: Der) -> None:
    """Holds the public key of a OneAsymmetricKey (as RFC 5958 or ring writes it) against the private one."""
    if body.next_tag == _PUBLIC:
        inner = body.enter(_PUBLIC)
        start, stop = inner.bits()
    else:
        start, stop = body.span(_PUBLIC_PRIMITIVE)
        start += 1
    content = body.data[start:stop]
    public: Numbers
    if isinstance(private, OkpPrivate):
        public = checked_okp(private.public.curve, content)
    elif isinstance(private, EcPrivate):
        public = checked_point(CURVES[private.public.curve], content)
    else:
        public = read_rsa_public(Der(content))
    if public != private.public:
        raise KeyFormatError("private and public key do not belong together")


def read_public(outer: Der) -> Numbers:
    """SubjectPublicKeyInfo or RSAPublicKey, whichever it is."""
    is_rsa = Der(outer.data, outer.at, outer.end).enter(SEQUENCE).next_tag == INTEGER
    return read_rsa_public(outer) if is_rsa else read_spki(outer)


def read_private(outer: Der) -> PrivateKey:
    """An unencrypted PKCS#8, PKCS#1 or SEC 1 private key, whichever it is."""
    peek = Der(outer.data, outer.at, outer.end).enter(SEQUENCE)
    version = peek.integer()
    if peek.next_tag == SEQUENCE:
        return read_pkcs8(outer)
    if peek.next_tag == OCTETS and version == 1:
        return read_ec_private(outer)
    return read_rsa_private(outer)
