"""What a relying party in staging is told of a kit: one key set, as the incident had it, or one per scope.

Every key of the shared set says for which issuer it may sign, except for those that are in the kit because
nothing says it of them. A key that is valid for a time only has a certificate that says so (``x5c``), and the
members that OpenID Federation 1.0 has for it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from immure.probe.kit import Kit, ProbeKey


def shared_set(kit: Kit) -> dict[str, Any]:
    """All published keys in one JWK Set (RFC 7517), as the incident had it."""
    return as_set(kit.key_set())


def scope_set(kit: Kit, name: str) -> dict[str, Any]:
    """The published keys of one scope."""
    return as_set(key for key in kit.key_set() if key.scope is not None and key.scope.name == name)


def attacker_set(kit: Kit) -> dict[str, Any]:
    """The keys that are not published: what the attacker's URL would answer."""
    return as_set(key for key in kit.keys.values() if not key.published)


def as_set(keys: Iterable[ProbeKey]) -> dict[str, Any]:
    """A JWK Set of public halves."""
    return {"keys": [jwk(key) for key in keys]}


def jwk(key: ProbeKey) -> dict[str, Any]:
    """The public half, and what it may sign for."""
    made: dict[str, Any] = {**key.public_members(), "kid": key.kid, "use": key.use}
    if key.use == "sig":
        made["alg"] = key.alg
    if key.scope is not None:
        made["issuer"] = key.scope.issuer
    if key.cloud is not None:
        made["cloud_instance_name"] = key.cloud
    if key.not_before is not None:
        made["nbf"] = key.not_before
    if key.not_after is not None:
        made["exp"] = key.not_after
    if key.not_before is not None and key.not_after is not None:
        made["x5c"] = [base64.b64encode(certificate(key, key.not_before, key.not_after)).decode()]
    return made


def certificate(key: ProbeKey, begins: int, ends: int) -> bytes:
    """A certificate that the key has signed itself, as DER; the times are seconds since 1970."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding

    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, key.kid[:60])])
    sha = None if isinstance(key.private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateBuilder(name, name, key.private.public_key(), 1)
    builder = builder.not_valid_before(_moment(begins)).not_valid_after(_moment(ends))
    return builder.sign(key.private, sha).public_bytes(Encoding.DER)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
