"""Keys and tokens made for the tests: every token here is signed for real, whatever it claims."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from immure.keymaterial.key import b64url, b64url_uint
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
T = int(NOW.timestamp())
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
TENANT = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
OTHER_TENANT = "11111111-2222-4333-8444-555555555555"
LOGIN = "https://login.example"
ENTERPRISE = f"{LOGIN}/{{tenantid}}/v2.0"
ISSUER = f"{LOGIN}/{TENANT}/v2.0"
CONSUMER_ISSUER = f"{LOGIN}/{CONSUMERS}/v2.0"
MAIL = "https://mail.example"
CHAT = "https://chat.example"

_CURVES = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
_CRV = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}


@cache
def private(name: str) -> Any:
    """A key for ``RS``, ``ES256`` … or ``Ed25519``; ``name:anything`` is another of the kind."""
    kind = name.split(":")[0]
    if kind.startswith("RS"):
        return rsa.generate_private_key(65537, int(kind[2:] or 2048))
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    return (ed25519.Ed25519PrivateKey if kind == "Ed25519" else ed448.Ed448PrivateKey).generate()


def jwk(name: str, **members: Any) -> dict[str, Any]:
    """The public JWK of that key; a member that is None is left out."""
    public, kind = private(name).public_key(), name.split(":")[0]
    if kind.startswith("RS"):
        numbers = public.public_numbers()
        made = {"kty": "RSA", "n": b64url_uint(numbers.n), "e": b64url_uint(numbers.e)}
    elif kind in _CURVES:
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        made = {
            "kty": "EC",
            "crv": _CRV[kind],
            "x": b64url_uint(numbers.x, size),
            "y": b64url_uint(numbers.y, size),
        }
    else:
        made = {"kty": "OKP", "crv": kind, "x": b64url(public.public_bytes_raw())}
    made |= {"kid": name, "issuer": ENTERPRISE, **members}
    return {name: value for name, value in made.items() if value is not None}


def sign(name: str, alg: str, data: bytes) -> bytes:
    """A signature as JWS has it."""
    key, kind = private(name), name.split(":")[0]
    if kind.startswith("RS"):
        sha = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(
            alg[2:], hashes.SHA256()
        )
        pss = padding.PSS(padding.MGF1(sha), sha.digest_size)
        return key.sign(data, pss if alg.startswith("PS") else padding.PKCS1v15(), sha)
    if kind in _CURVES:
        sha = {"ES384": hashes.SHA384(), "ES512": hashes.SHA512()}.get(kind, hashes.SHA256())
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(sha)))
        size = (key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(data)


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of an enterprise token that the policy takes; a change of None leaves one out."""
    made = {
        "iss": ISSUER,
        "tid": TENANT,
        "sub": "mailbox-7",
        "aud": MAIL,
        "iat": T - 60,
        "nbf": T - 60,
        "exp": T + 3600,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


@dataclass
class Mint:
    """Makes a token; everything about it can be wrong."""

    key: str = "Ed25519"
    alg: str = "EdDSA"
    header: dict[str, Any] = field(default_factory=dict)
    payload: bytes | None = None

    def token(self, **changes: Any) -> str:
        head = {"alg": self.alg, "kid": self.key, "typ": "JWT"} | self.header
        head = {name: value for name, value in head.items() if value is not None}
        payload = json.dumps(claims(**changes)).encode() if self.payload is None else self.payload
        return sealed(json.dumps(head).encode(), payload, self.key, self.alg)


def sealed(head: bytes, payload: bytes, key: str = "Ed25519", alg: str = "EdDSA") -> str:
    """A token with a genuine signature over any header and payload."""
    signed = f"{b64url(head)}.{b64url(payload)}"
    return f"{signed}.{b64url(sign(key, alg, signed.encode()))}"


def key_set(*keys: dict[str, Any], issuer: str | None = None) -> KeySet:
    return KeySet.from_jwks({"keys": list(keys)}, "jwks", issuer=issuer)


def policy(*keys: dict[str, Any], rule: dict[str, Any] | None = None, **changes: Any) -> Policy:
    """As Entra has it: one key set for tenants of enterprises and for consumers."""
    source = StaticSource(
        key_set(*(keys or (jwk("Ed25519"), jwk("Ed25519:consumer", issuer=CONSUMER_ISSUER))))
    )
    enterprise = IssuerRule(
        source, "enterprise", **{"separate_tenants": frozenset({CONSUMERS}), **(rule or {})}
    )
    consumer = IssuerRule(source, "consumer", exact_keys=True)
    arguments: dict[str, Any] = {
        "issuers": {ENTERPRISE: enterprise, CONSUMER_ISSUER: consumer},
        "audiences": {MAIL: {"enterprise"}, CHAT: {"enterprise", "consumer"}},
    }
    return Policy(**{**arguments, **changes})


def validator(*keys: dict[str, Any], rule: dict[str, Any] | None = None, **changes: Any) -> Validator:
    return Validator(policy(*keys, rule=rule, **changes), time=lambda: NOW)
