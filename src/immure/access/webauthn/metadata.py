"""The blob of the FIDO Metadata Service: which models are known, and which of them are broken (MDS 3.1).

A blob is a JWS (RFC 7515) whose header holds the chain of the certificate that signed it. The chain must end
at a root that the caller gives, *and* its leaf must be the certificate of the service: the root of the real
one is that of a public authority, which issues certificates to everybody.

Whether a certificate of the chain was revoked is not asked: nothing is fetched here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from immure.access.errors import MetadataError
from immure.access.texts import decode
from immure.access.webauthn.chain import parse_certificate, verify_chain
from immure.access.webauthn.models import aaguid_text, parse_aaguid
from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_BYTES: Final = 48 << 20
_MOST_HEADER = 1 << 16
_MOST_MODELS = 10_000
_MOST_ROOTS = 64
_JWS = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_STATUS = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
#: A model with one of these is not taken, whenever it was made.
BROKEN: Final = frozenset(
    {
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    }
)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What the service says of a model: fingerprints of its roots (SHA-256, hex), and its reports."""

    roots: tuple[str, ...]
    statuses: tuple[str, ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """The reports for which it is not taken."""
        return tuple(one for one in self.statuses if one in BROKEN)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A blob: its number, until when it is current, its digest (SHA-256, hex), and models by AAGUID."""

    number: int
    next_update: date
    sha256: str
    models: Mapping[str, ModelStatus]


def parse_metadata(data: bytes, roots: Sequence[Certificate], *, signer: str, at: datetime) -> Metadata:
    """The metadata in a blob, if it is signed as it should be.

    Args:
        data: the blob, as the service serves it.
        roots: the certificate that its chain must end at; more than one while they change.
        signer: the DNS name in the certificate of who signs, ``mds.fidoalliance.org``.
        at: now.

    Raises:
        MetadataError: it is malformed, or not so signed.
    """
    if len(data) > MOST_BYTES:
        raise MetadataError(f"a blob of more than {MOST_BYTES} bytes")
    parts = _JWS.fullmatch(data.strip())
    if parts is None:
        raise MetadataError("not a blob: three texts of base64url with points between them")
    try:
        header = _object(decode(parts[1].decode()), _MOST_HEADER, "the header")
        signature = decode(parts[3].decode())
        chain = _chain(header)
        verify_chain(chain, roots, at=at)
        _check_name(chain[0], signer)
        _check_signature(header.get("alg"), chain[0], parts[1] + b"." + parts[2], signature)
        payload = _object(decode(parts[2].decode()), MOST_BYTES, "the payload")
        return _metadata(payload, hashlib.sha256(data.strip()).hexdigest())
    except MetadataError:
        raise
    except InputError as error:
        raise MetadataError(error.reason) from error


def _object(data: bytes, most: int, what: str) -> dict[str, Any]:
    if len(data) > most:
        raise MetadataError(f"{what} has more than {most} bytes")
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MetadataError(f"{what} is no JSON") from None
    if not isinstance(value, dict):
        raise MetadataError(f"{what} is no object")
    return value


def _chain(header: Mapping[str, Any]) -> list[Certificate]:
    """RFC 7515, section 4.1.6: base64, not base64url. Where the chain is to be fetched (x5u) is not gone."""
    texts = header.get("x5c")
    if "crit" in header or not isinstance(texts, list) or not 0 < len(texts) <= 5:
        raise MetadataError("the header has no x5c with 1 to 5 certificates, or something critical")
    try:
        return [parse_certificate(base64.b64decode(text, validate=True)) for text in texts]
    except (binascii.Error, ValueError, TypeError):
        raise MetadataError("an x5c that is not base64") from None


def _check_name(leaf: Certificate, signer: str) -> None:
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        known = []
    if signer not in known:
        raise MetadataError(f"signed with a certificate that is not that of {signer}")


def _check_signature(algorithm: object, leaf: Certificate, message: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    key = leaf.public_key()
    try:
        if algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            return
        if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 64:
            numbers = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            key.verify(utils.encode_dss_signature(*numbers), message, ec.ECDSA(hashes.SHA256()))
            return
    except InvalidSignature:
        raise MetadataError("the signature is wrong") from None
    raise MetadataError(
        "signed by an algorithm other than RS256 and ES256, or with a key that does not fit it"
    )


def _metadata(payload: Mapping[str, Any], digest: str) -> Metadata:
    number, update, entries = (payload.get(name) for name in ("no", "nextUpdate", "entries"))
    if type(number) is not int or not 0 <= number < 1 << 53:
        raise MetadataError("a blob without a number")
    try:
        next_update = date.fromisoformat(update if isinstance(update, str) else "")
    except ValueError:
        raise MetadataError("a blob that does not say when the next one comes") from None
    if not isinstance(entries, list) or len(entries) > _MOST_MODELS:
        raise MetadataError(f"a blob without a list of up to {_MOST_MODELS} entries")
    models: dict[str, ModelStatus] = {}
    for entry in entries:
        if isinstance(entry, dict) and "aaguid" in entry:  # others are of keys without one (U2F, UAF)
            name, status = _entry(entry)
            if name in models:
                raise MetadataError(f"a blob with two entries for {name}")
            models[name] = status
    return Metadata(number, next_update, digest, models)


def _entry(entry: Mapping[str, Any]) -> tuple[str, ModelStatus]:
    try:
        name = aaguid_text(parse_aaguid(entry["aaguid"])) if isinstance(entry["aaguid"], str) else ""
    except UsageError:
        name = ""
    reports, statement = entry.get("statusReports"), entry.get("metadataStatement", {})
    if not name or not isinstance(reports, list) or not isinstance(statement, dict):
        raise MetadataError(
            "an entry without a model, reports of its status, or with a statement of another type"
        )
    roots = statement.get("attestationRootCertificates", [])
    if not isinstance(roots, list) or len(roots) > _MOST_ROOTS:
        raise MetadataError(f"the entry {name} has no list of up to {_MOST_ROOTS} roots")
    return name, ModelStatus(tuple(_root(name, one) for one in roots), _statuses(name, reports))


def _statuses(name: str, reports: Sequence[Any]) -> tuple[str, ...]:
    found = [one.get("status") if isinstance(one, dict) else None for one in reports]
    texts = [one for one in found if isinstance(one, str) and _STATUS.fullmatch(one)]
    if len(texts) != len(found) or len(found) > _MOST_ROOTS:
        raise MetadataError(f"the entry {name} has a report without a status")
    return tuple(dict.fromkeys(texts))


def _root(name: str, text: object) -> str:
    """Its fingerprint only: it is compared with roots of the policy, and need not be read."""
    try:
        return hashlib.sha256(base64.b64decode("".join(str(text).split()), validate=True)).hexdigest()
    except (binascii.Error, ValueError):
        raise MetadataError(f"the entry {name} has a root that is not base64") from None
