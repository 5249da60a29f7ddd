"""HMAC with a "secret" that anybody has: the key confusion of RFC 8725, section 2.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.probe.case import Case
from immure.probe.errors import MissingError
from immure.probe.kit import ProbeKey
from immure.probe.mint import Mint, to_json

_CONFUSED: Final = "RFC 8725, sections 2.1, 3.1 and 3.2"


def _pem(key: ProbeKey) -> bytes:
    pem: bytes = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _pkcs1(key: ProbeKey, encoding: Encoding) -> bytes:
    if key.kty != "RSA":
        raise MissingError("no RSA key of the target whose tokens are let in")
    data: bytes = key.private.public_key().public_bytes(encoding, PublicFormat.PKCS1)
    return data


def _der(key: ProbeKey) -> bytes:
    der: bytes = key.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def _jwk(key: ProbeKey) -> bytes:
    return to_json({**key.public_members(), "kid": key.kid, "alg": key.alg, "use": key.use})


def _number(key: ProbeKey) -> bytes:
    members = key.public_members()
    return (members["n"] if "n" in members else members["x"]).encode()


def _case(
    name: str,
    title: str,
    secret: Callable[[ProbeKey], bytes],
    alg: str = "HS256",
    kinds: tuple[str, ...] = (),
) -> Case:
    def build(m: Mint) -> str:
        key = m.home(*kinds)
        return m.token(key, header={"alg": alg}, by=secret(key), alg=alg.upper())

    return Case(f"hmac.{name}", title, _CONFUSED, "critical", build)


CASES: Final = (
    _case("pem", "HS256 with the public key as PEM", _pem),
    _case("pem-stripped", "HS256 with the public key as PEM, without its last line break",
          lambda key: _pem(key).rstrip()),
    _case("pem-crlf", "HS256 with the public key as PEM, with the line breaks of Windows",
          lambda key: _pem(key).replace(b"\n", b"\r\n")),
    _case("pem-body", "HS256 with the base64 text of the public key",
          lambda key: b"".join(_pem(key).splitlines()[1:-1])),
    _case("pem-ec", "HS256 with the public key of an EC key as PEM", _pem, kinds=("ES",)),
    _case("pem-384", "HS384 with the public key as PEM", _pem, "HS384"),
    _case("pem-512", "HS512 with the public key as PEM", _pem, "HS512"),
    _case("pem-lower", "HS256 in lower case with the public key as PEM", _pem, "hs256"),
    _case("pkcs1-pem", "HS256 with the public key as PEM of PKCS #1", lambda key: _pkcs1(key, Encoding.PEM),
          kinds=("RS", "PS")),
    _case("pkcs1-der", "HS256 with the public key as DER of PKCS #1", lambda key: _pkcs1(key, Encoding.DER),
          kinds=("RS", "PS")),
    _case("der", "HS256 with the public key as DER", _der),
    _case("jwk", "HS256 with the public key as JWK", _jwk),
    _case("number", "HS256 with the modulus or coordinate as it stands in the key set", _number),
    _case("kid", "HS256 with the key's id", lambda key: key.kid.encode()),
    _case("empty", "HS256 with an empty secret", lambda key: b""),
    _case("zero", "HS256 with 32 zero bytes", lambda key: bytes(32)),
    _case("secret", "HS256 with the word secret", lambda key: b"secret"),
    _case("null", "HS256 with the word null", lambda key: b"null"),
)  # fmt: skip
