"""JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037): from a decoded object to checked numbers and
private keys.

>>> jwk_public({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}).curve
'Ed25519'
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Any

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.key import OKP_BYTES, EcNumbers, Numbers, OkpCurve, RsaNumbers
from immure.keymaterial.numbers import RSA_BITS, checked_ec, checked_okp, checked_rsa
from immure.keymaterial.private import (
    EcPrivate,
    OkpPrivate,
    PrivateKey,
    RsaPrivate,
    factor_by_small_exponent,
    rsa_from_parts,
)
from immure.secret import Secret

_MAX_CHARS = RSA_BITS[1] // 6 + 8
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/")
#: CRT members of an RSA key, which stand there all or not at all (RFC 7518, section 6.3.2)
_CRT = ("p", "q", "dp", "dq", "qi")


def jwk_public(jwk: Mapping[str, Any]) -> Numbers:
    """The public numbers of a JWK of type RSA, EC or OKP.

    Raises:
        KeyFormatError: another type or curve, a member is missing or malformed, or the numbers are refused.
    """
    kty = jwk.get("kty")
    if kty == "RSA":
        return checked_rsa(_uint(jwk, "n"), _uint(jwk, "e"))
    if kty == "EC":
        return checked_ec(_curve(jwk, CURVES), _uint(jwk, "x"), _uint(jwk, "y"))
    if kty == "OKP":
        curve: OkpCurve = _curve(jwk, OKP_BYTES)  # type: ignore[assignment]
        return checked_okp(curve, _octets(jwk, "x"))
    raise KeyFormatError("JWK of an unknown key type")


def is_private_jwk(jwk: Mapping[str, Any]) -> bool:
    """Whether the JWK claims to hold the private half of an asymmetric key."""
    return "d" in jwk and jwk.get("kty") in ("RSA", "EC", "OKP")


def jwk_private(jwk: Mapping[str, Any]) -> PrivateKey:
    """The private key of a JWK. RSA keys may hold their exponent alone, if that gives the primes without a
    search.

    Raises:
        KeyFormatError: as :func:`jwk_public`; there is no private half; or the halves do not belong together.
    """
    public = jwk_public(jwk)
    if isinstance(public, RsaNumbers):
        return _rsa_private(jwk, public)
    if isinstance(public, EcNumbers):
        return EcPrivate(public, Secret(_uint(jwk, "d")))
    return OkpPrivate(public, Secret(_octets(jwk, "d")))


def _rsa_private(jwk: Mapping[str, Any], public: RsaNumbers) -> RsaPrivate:
    if "oth" in jwk:
        raise KeyFormatError("RSA private key of more than two primes")
    d = _uint(jwk, "d")
    if all(name in jwk for name in _CRT):
        p, q, dp, dq, qinv = (_uint(jwk, name) for name in _CRT)
        return RsaPrivate(public, *(Secret(value) for value in (d, p, q, dp, dq, qinv)))
    primes = factor_by_small_exponent(public, d)
    if primes is None:
        raise KeyFormatError("private and public exponent do not belong together")
    return rsa_from_parts(public.n, public.e, d, *primes)


def _curve(jwk: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in known:
        raise KeyFormatError("JWK of an unknown curve")
    return name


def _uint(jwk: Mapping[str, Any], name: str) -> int:
    """A Base64urlUInt; leading zero bytes are let pass, as many writers leave them."""
    return int.from_bytes(_octets(jwk, name), "big")


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a base64url member, with or without padding. The error never quotes the value."""
    text = jwk.get(name)
    if not isinstance(text, str) or not text or len(text) > _MAX_CHARS or not _BASE64URL.fullmatch(text):
        raise KeyFormatError(f"JWK member {name!r} is missing, too long or not base64url")
    text = text.rstrip("=").translate(_TO_STANDARD)
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise KeyFormatError(f"JWK member {name!r} is not base64url") from None
