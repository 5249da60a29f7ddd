"""That the key of a workstation is in a TPM: what the workstation says, and whether it holds.

Three things together say it. The certificate of the endorsement key says that this key is in a TPM of a
vendor's. The TPM has opened a secret that only it could, and only for the attestation key that is in it
(:mod:`.credential`). And the attestation key, which signs nothing but what its TPM says, has signed that the
workstation's key is in the same one, over a hash that has the secret in it, and for what: this room, this
account, this certificate request.

Everything is JSON, bytes in base64url; ``docs/reference/access-records.md`` describes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from immure.access.texts import decode, encode, moment
from immure.access.tpm.endorsement import model_of, verify_endorsement
from immure.access.tpm.structures import (
    DECRYPT,
    ECDSA,
    FIXED_PARENT,
    FIXED_TPM,
    NULL,
    ORIGIN,
    RESTRICTED,
    RSASSA,
    SIGN,
    USER_AUTH,
    KeyArea,
    parse_area,
    parse_attestation,
    verify_signature,
)
from immure.access.webauthn.chain import fingerprint
from immure.auditlog.canonical import canonical
from immure.errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

VERSION: Final = 1
MOST_BYTES: Final = 1 << 16
MOST_CHAIN: Final = 3
_LABEL: Final = b"immure tpm 1\0"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a workstation has: the certificate of its TPM and what is between that and a root, the attestation
    key, the key that is to be taken, and the request for a certificate of that key. All in bytes."""

    endorsement: bytes
    chain: tuple[bytes, ...]
    attestation: bytes
    key: bytes
    request: bytes

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "v": VERSION,
            "endorsement": encode(self.endorsement),
            "chain": [encode(one) for one in self.chain],
            "attestation": encode(self.attestation),
            "key": encode(self.key),
            "request": encode(self.request),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, in hex."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a workstation says to a challenge: the secret that its TPM has opened, and what it has signed."""

    activated: bytes
    attested: bytes
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """As it is sent, without the id of the challenge."""
        parts = {"activated": self.activated, "attested": self.attested, "signature": self.signature}
        return {name: encode(value) for name, value in parts.items()}


@dataclass(frozen=True, slots=True)
class Proven:
    """What holds: the SHA-256 of the certificate of the TPM, its model, and the key that is in it."""

    endorsement: str
    model: str
    key: KeyArea


def qualification(document: Mapping[str, Any], secret: bytes) -> bytes:
    """What is to be in the attestation: what it is for, and that the TPM has opened the secret."""
    return hashlib.sha256(_LABEL + canonical(document) + secret).digest()


def verify_offer(offer: Offer, roots: Sequence[Certificate], at: datetime) -> Certificate:
    """The certificate of the TPM of an offer. The keys may be made up still: that they are not is what the
    answer says.

    Raises:
        InputError: it leads to none of the roots, or the keys are not of the kind that is asked for.
    """
    certificate = verify_endorsement(offer.endorsement, offer.chain, roots, at)
    _check_attestation_key(parse_area(offer.attestation))
    _check_key(parse_area(offer.key))
    request_of(offer)
    return certificate


def verify_answer(
    document: Mapping[str, Any], offer: Offer, answer: Answer, roots: Sequence[Certificate], at: datetime
) -> Proven:
    """What an offer and the answer to its challenge prove.

    Args:
        document: what the challenge was for.
        offer, answer: of the workstation.
        roots, at: as of :func:`verify_offer`.

    Raises:
        InputError: they prove nothing.
    """
    certificate = verify_offer(offer, roots, at)
    if document.get("offer") != offer.digest:
        raise InputError("an answer to the challenge of another offer")
    key = parse_area(offer.key)
    verify_signature(parse_area(offer.attestation), answer.signature, answer.attested)
    attested = parse_attestation(answer.attested)
    if attested.extra != qualification(document, answer.activated):
        raise InputError("an attestation for another challenge")
    if attested.name != key.name:
        raise InputError("an attestation of another key")
    return Proven(fingerprint(certificate), model_of(certificate), key)


def _check_attestation_key(key: KeyArea) -> None:
    """One that cannot leave the TPM, and signs nothing that comes from outside as if it came from within."""
    if not key.has(FIXED_TPM, FIXED_PARENT, ORIGIN, RESTRICTED, SIGN) or key.has(DECRYPT):
        raise InputError("an attestation key that is not a restricted one for signing, fixed to its TPM")
    if key.symmetric or key.scheme not in (ECDSA, RSASSA):
        raise InputError("an attestation key of a scheme that is not taken")


def _check_key(key: KeyArea) -> None:
    """One that was made in the TPM, cannot leave it, and signs (TLS) what it is given."""
    if not key.has(FIXED_TPM, FIXED_PARENT, ORIGIN, SIGN):
        raise InputError("the key of the workstation could leave its TPM, or has come from elsewhere")
    if key.has(RESTRICTED) or key.has(DECRYPT) or not key.has(USER_AUTH) or key.symmetric:
        raise InputError("the key of the workstation is not one that signs, and no more")
    if key.scheme not in (NULL, ECDSA, RSASSA):
        raise InputError("the key of the workstation is of a scheme that is not taken")


def request_of(offer: Offer) -> CertificateSigningRequest:
    """The certificate request of an offer (PKCS #10).

    Raises:
        InputError: it cannot be read, is not signed by its key, or is for another one than that of the TPM.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        request = x509.load_der_x509_csr(offer.request)
        good = request.is_signature_valid
        public = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("a certificate request that cannot be read") from error
    if not good:
        raise InputError("a certificate request that its key has not signed")
    if not same_key(public, parse_area(offer.key)):
        raise InputError("a certificate request for another key than the one that is in the TPM")
    return request


def same_key(public: Any, key: KeyArea) -> bool:
    """Whether a public key is the one of a public area."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    one, other = (
        found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for found in (public, key.public_key())
    )
    return bool(one == other)


# --- JSON ---


def parse_offer(value: object) -> Offer:
    """An offer as it is sent; raises InputError."""
    found = _members(value, "an offer", "v", "endorsement", "chain", "attestation", "key", "request")
    chain = found["chain"]
    if found["v"] != VERSION or not isinstance(chain, list) or len(chain) > MOST_CHAIN:
        raise InputError(f"an offer of another version, or with more than {MOST_CHAIN} certificates between")
    return Offer(
        endorsement=_bytes(found["endorsement"]),
        chain=tuple(_bytes(one) for one in chain),
        attestation=_bytes(found["attestation"]),
        key=_bytes(found["key"]),
        request=_bytes(found["request"]),
    )


def parse_answer(value: object) -> Answer:
    """An answer as it is sent, without the id of the challenge; raises InputError."""
    found = _members(value, "an answer", "activated", "attested", "signature")
    return Answer(_bytes(found["activated"]), _bytes(found["attested"]), _bytes(found["signature"]))


def parse_document(value: object) -> Mapping[str, Any]:
    """What a challenge is for; raises InputError."""
    found = _members(value, "what a challenge is for", "v", "room", "account", "issued", "nonce", "offer")
    if found["v"] != VERSION or not all(isinstance(one, str) for name, one in found.items() if name != "v"):
        raise InputError("what a challenge is for is of another version")
    moment(found["issued"])
    return found


def load_json(data: bytes) -> Any:
    """JSON of at most 64 KiB; raises InputError."""
    if len(data) > MOST_BYTES:
        raise InputError(f"is longer than {MOST_BYTES} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InputError("is no JSON") from None


def _members(value: object, what: str, *names: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise InputError(f"{what} has {', '.join(names)}, and nothing else")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > MOST_BYTES:
        raise InputError("a member that is no text")
    return decode(value)
