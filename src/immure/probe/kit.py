"""The test keys of a probe, and what each of them may sign for at the relying party.

A kit has scopes (an issuer with its tenant, audience and class) and keys, each of one scope or of none. One
scope is the target's: its tokens are let in, and those of all others are not. Private keys are in no repr.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from immure.keymaterial.key import EC_BYTES, b64url
from immure.probe.errors import MissingError

#: Where a token says that the attacker's keys are, unless the kit names another place: nowhere (RFC 6761).
NOWHERE: Final = "https://immure-probe.invalid/jwks.json"
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}


@dataclass(frozen=True)
class Scope:
    """An issuer, and what its tokens are for.

    Attributes:
        name: in the kit.
        issuer: ``iss``.
        audience: ``aud`` of its tokens.
        audience_class: such as ``consumer`` or ``enterprise``.
        tenant: ``tid``, if its tokens have one.
        cloud: name of the cloud instance that its keys state, if any.
    """

    name: str
    issuer: str
    audience: str
    audience_class: str
    tenant: str | None = None
    cloud: str | None = None


@dataclass(frozen=True)
class ProbeKey:
    """A private key that nothing depends on.

    Attributes:
        kid: its id in the key set.
        alg: by which it signs.
        private: as ``cryptography`` has it.
        scope: for which it may sign; None means that nothing says it.
        published: whether the relying party's key set has it; the attacker's key is one that is not.
        use: ``sig``, or ``enc`` for a key that is not for signatures.
        not_before, not_after: seconds since 1970 between which it is valid.
        cloud: the cloud instance that it states.
    """

    kid: str
    alg: str
    private: Any = field(repr=False)
    scope: Scope | None
    published: bool = True
    use: str = "sig"
    not_before: int | None = None
    not_after: int | None = None
    cloud: str | None = None

    @property
    def kty(self) -> str:
        """``RSA``, ``EC`` or ``OKP``."""
        return str(self.public_members()["kty"])

    def public_members(self) -> dict[str, str]:
        """The public half as a JWK, without a name (RFC 7518, section 6; RFC 8037)."""
        return public_members(self.private.public_key())

    @property
    def thumbprint(self) -> str:
        """Its name in reports (RFC 7638)."""
        canonical = json.dumps(self.public_members(), sort_keys=True, separators=(",", ":"))
        return b64url(hashlib.sha256(canonical.encode("ascii")).digest())

    @property
    def is_weak(self) -> bool:
        """Whether it is an RSA key of fewer bits than RFC 7518, section 3.3, takes."""
        return self.kty == "RSA" and self.private.key_size < 2048

    def is_plain(self, moment: int) -> bool:
        """Whether only its scope can be wrong with it: published, for signatures, long enough, valid now."""
        begins, ends = self.not_before, self.not_after
        in_time = (begins is None or begins <= moment) and (ends is None or moment < ends)
        own_cloud = self.scope is None or self.cloud == self.scope.cloud
        return self.published and self.use == "sig" and in_time and own_cloud and not self.is_weak


@dataclass(frozen=True)
class Kit:
    """All that tokens are made of.

    Attributes:
        target: the scope whose tokens are let in.
        scopes, keys: by name and by kid.
        claims: what a good token has besides the registered claims.
        typ: of a good token; None leaves it out.
        single_use: the relying party takes a token once only (``jti``).
        bound: the relying party knows of tokens that are bound to a key of their holder.
        attacker_url: where tokens say that the attacker's keys are.
    """

    target: Scope
    scopes: Mapping[str, Scope]
    keys: Mapping[str, ProbeKey]
    claims: Mapping[str, Any] = field(default_factory=dict)
    typ: str | None = "JWT"
    single_use: bool = False
    bound: bool = False
    attacker_url: str = NOWHERE

    def home_keys(self, moment: int) -> list[ProbeKey]:
        """The keys that may sign what the relying party lets in."""
        return [key for key in self.keys.values() if key.scope == self.target and key.is_plain(moment)]

    def other_scope(self, *, same_class: bool) -> Scope:
        """A scope beside the target's: of the same class (another tenant), or of another one (consumers).

        Raises:
            MissingError: the kit has none.
        """
        for scope in self.scopes.values():
            if scope != self.target and (scope.audience_class == self.target.audience_class) == same_class:
                return scope
        raise MissingError(f"the kit has no other scope of {'the same' if same_class else 'another'} class")

    def key_set(self) -> Iterator[ProbeKey]:
        """The keys that the relying party is told of."""
        return (key for key in self.keys.values() if key.published)


def public_members(public: Any) -> dict[str, str]:
    """A public key of ``cryptography`` as a JWK, without a name."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        curve = _CURVES[public.curve.name]
        point, size = public.public_numbers(), EC_BYTES[curve]
        return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw())}


def _number(value: int, length: int | None = None) -> str:
    return b64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))
