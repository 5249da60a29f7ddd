"""Verifying a registration, in the order of WebAuthn Level 3, section 7.1.

Statements of attestation are taken in the format ``packed`` with a chain of certificates: what security keys
have. ``none`` and self attestation say nothing of the hardware; ``fido-u2f`` cannot verify who holds the key;
``tpm``, ``android-key`` and ``apple`` are of computers and telephones, not of keys that lie in a safe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from immure.access.errors import CeremonyError
from immure.access.webauthn.assertion import (
    CREATE,
    Expected,
    check_authenticator_data,
    check_client_data,
)
from immure.access.webauthn.authenticator_data import AuthenticatorData, Credential, parse_authenticator_data
from immure.access.webauthn.cbor import parse_cbor
from immure.access.webauthn.chain import fingerprint, parse_certificate, verify_chain
from immure.access.webauthn.cose import CoseKey, parse_cose
from immure.access.webauthn.models import Model, aaguid_text
from immure.access.webauthn.response import Registration
from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MOST_ID = 1023
#: id-fido-gen-ce-aaguid.
_AAGUID_OID = "1.3.6.1.4.1.45724.1.1.4"
_OCTET_STRING_OF_16 = b"\x04\x10"


@dataclass(frozen=True, slots=True)
class Registered:
    """A hardware key that may be taken.

    Attributes:
        credential: its id and public key (COSE).
        fingerprint: of the public key (SHA-256, hex).
        model: which it is.
        counter: how often it has signed.
        attestation: fingerprint of the certificate that vouches for it (SHA-256, hex).
        root: fingerprint of the root that it leads to.
    """

    credential: Credential
    fingerprint: str
    model: Model
    counter: int
    attestation: str
    root: str


def verify_registration(
    registration: Registration,
    expected: Expected,
    models: Sequence[Model],
    *,
    taken: Collection[bytes],
    at: datetime,
) -> Registered:
    """The key that was registered, if it may be.

    Args:
        registration: from the browser.
        expected: what the ceremony was begun with.
        models: those that are taken.
        taken: ids of all credentials that there are, of whatever account.
        at: now.

    Raises:
        CeremonyError: it may not; ``rule`` says which step failed.
    """
    check_client_data(registration.client_data, expected, CREATE)  # steps 5 to 11
    digest = hashlib.sha256(registration.client_data).digest()  # step 12
    form, raw, statement = _attestation_object(registration.attestation_object)  # step 13
    data = _authenticator_data(raw)
    check_authenticator_data(data, expected)  # steps 14 to 19
    credential = data.credential
    if credential is None:
        raise CeremonyError("a registration without a credential", rule="authenticator-data")
    key = _public_key(credential)  # step 20
    _check_form(form, statement)  # step 21
    chain = _chain(statement)
    _check_aaguid(chain[0], credential)  # step 22, as section 8.2.1 has it
    _check_statement(statement, raw, digest)
    model = _model(credential, models)  # steps 23 and 24
    root = _check_chain(chain, model, at)
    if not 0 < len(credential.id) <= _MOST_ID:  # step 25
        raise CeremonyError(f"a credential's id has 1 to {_MOST_ID} bytes", rule="credential-length")
    if credential.id != registration.id:
        raise CeremonyError("two different credentials in one response", rule="credential")
    if credential.id in taken:  # step 26
        raise CeremonyError("this credential is registered already", rule="registered")
    return Registered(
        credential, key.fingerprint, model, data.counter, fingerprint(chain[0]), fingerprint(root)
    )


def _attestation_object(data: bytes) -> tuple[str, bytes, Mapping[str, Any]]:
    try:
        members = parse_cbor(data)
    except InputError as error:
        raise CeremonyError(str(error), rule="attestation-object") from error
    if not isinstance(members, dict) or set(members) != {"fmt", "authData", "attStmt"}:
        raise CeremonyError("not an object of fmt, authData and attStmt", rule="attestation-object")
    form, raw, statement = members["fmt"], members["authData"], members["attStmt"]
    if not isinstance(form, str) or not isinstance(raw, bytes) or not isinstance(statement, dict):
        raise CeremonyError("an object whose members are of other types", rule="attestation-object")
    return form, raw, statement


def _authenticator_data(raw: bytes) -> AuthenticatorData:
    try:
        return parse_authenticator_data(raw)
    except InputError as error:
        raise CeremonyError(str(error), rule="authenticator-data") from error


def _public_key(credential: Credential) -> CoseKey:
    try:
        return parse_cose(credential.cose)
    except InputError as error:
        raise CeremonyError(str(error), rule="algorithm") from error


def _check_form(form: str, statement: Mapping[str, Any]) -> None:
    if form == "none":
        raise CeremonyError("without attestation: nobody says what hardware it is", rule="attestation-none")
    if form != "packed":
        raise CeremonyError(f"attestation of the format {form[:32]!r}, not packed", rule="attestation-format")
    if set(statement) == {"alg", "sig"}:
        raise CeremonyError("the key vouches for itself: nobody else does", rule="attestation-self")
    if set(statement) != {"alg", "sig", "x5c"}:
        raise CeremonyError("a packed statement has alg, sig and x5c", rule="attestation-statement")


def _chain(statement: Mapping[str, Any]) -> list[Certificate]:
    chain = statement["x5c"]
    if not isinstance(chain, list) or not chain or not all(isinstance(one, bytes) for one in chain):
        raise CeremonyError("a chain that is no list of certificates", rule="attestation-statement")
    try:
        return [parse_certificate(one) for one in chain]
    except InputError as error:
        raise CeremonyError(error.reason, rule="attestation-statement") from error


def _check_statement(statement: Mapping[str, Any], raw: bytes, digest: bytes) -> None:
    """Let ``fido2`` verify the statement: the signature, and what the certificate must have in it (8.2)."""
    try:
        from fido2.attestation.base import InvalidSignature
        from fido2.attestation.packed import PackedAttestation
        from fido2.webauthn import AuthenticatorData as Fido2Data
    except ImportError as error:
        raise UsageError("registering keys needs pip install 'immure[access]' (fido2)") from error
    if not isinstance(statement["sig"], bytes) or type(statement["alg"]) is not int:
        raise CeremonyError("alg or sig are of other types", rule="attestation-statement")
    try:
        PackedAttestation().verify(statement, Fido2Data(raw), digest)
    except InvalidSignature:
        raise CeremonyError(
            "the attestation is signed by another key", rule="attestation-signature"
        ) from None
    except Exception as error:
        words = str(error)[:120] or type(error).__name__
        raise CeremonyError(
            f"an attestation that does not hold: {words}", rule="attestation-statement"
        ) from error


def _model(credential: Credential, models: Sequence[Model]) -> Model:
    for model in models:
        if model.aaguid == credential.aaguid:
            return model
    raise CeremonyError(f"the model {aaguid_text(credential.aaguid)} is not taken here", rule="model")


def _check_chain(chain: Sequence[Certificate], model: Model, at: datetime) -> Certificate:
    try:
        return verify_chain(chain, model.roots, at=at)
    except InputError as error:
        raise CeremonyError(f"{model.name}: {error.reason}", rule="attestation-root") from error


def _check_aaguid(leaf: Certificate, credential: Credential) -> None:
    """The certificate must name the model: its root may vouch for several (section 8.2.1)."""
    for extension in leaf.extensions:
        if extension.oid.dotted_string == _AAGUID_OID:
            value = getattr(extension.value, "value", b"")
            if value == _OCTET_STRING_OF_16 + credential.aaguid:
                return
            raise CeremonyError("the certificate is that of another model", rule="attestation-aaguid")
    raise CeremonyError("the certificate does not say of what model it is", rule="attestation-aaguid")
