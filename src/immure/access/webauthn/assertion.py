"""Verifying an assertion, in the order of WebAuthn Level 3, section 7.2.

Each step that can fail has a name, the ``rule`` of the error: a table of attacks is a table of names. Steps
1 to 4 are the browser's; 6 is the caller's, who knows whose key it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass

from immure.access.errors import CeremonyError
from immure.access.webauthn import authenticator_data as flags
from immure.access.webauthn.authenticator_data import AuthenticatorData, parse_authenticator_data
from immure.access.webauthn.client_data import ClientData, parse_client_data
from immure.access.webauthn.cose import parse_cose
from immure.access.webauthn.response import Assertion
from immure.errors import InputError

CREATE = "webauthn.create"
GET = "webauthn.get"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a ceremony was begun with."""

    rp_id: str
    origins: Collection[str]
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a credential: its id, whose it is (handle), its public key, its counter."""

    id: bytes
    user_handle: bytes
    cose: bytes
    counter: int


def verify_assertion(assertion: Assertion, expected: Expected, known: Known) -> int:
    """The new counter of the credential, if the assertion holds.

    Raises:
        CeremonyError: it does not; ``rule`` says which step failed. With the rule ``counter`` everything else
            holds, and there may be a copy of the key.
    """
    if assertion.id != known.id:  # step 5
        raise CeremonyError("this credential was not asked for", rule="credential")
    if assertion.user_handle is not None and assertion.user_handle != known.user_handle:  # step 6
        raise CeremonyError("the credential says that it is another account's", rule="user-handle")
    check_client_data(assertion.client_data, expected, GET)  # steps 8 to 14
    data = _authenticator_data(assertion.authenticator_data)
    check_authenticator_data(data, expected)  # steps 15 to 19
    if data.has(flags.AT):
        raise CeremonyError("an assertion that brings a credential along", rule="authenticator-data")
    _check_signature(assertion, known)  # steps 20 and 21
    if (data.counter or known.counter) and data.counter <= known.counter:  # step 22
        raise CeremonyError(
            f"the key has counted {data.counter} signatures and had {known.counter} before: there may be two",
            rule="counter",
        )
    return data.counter


def check_client_data(data: bytes, expected: Expected, kind: str) -> ClientData:
    """Section 7.1, steps 5 to 11; section 7.2, steps 8 to 14."""
    try:
        client = parse_client_data(data)
    except InputError as error:
        raise CeremonyError(error.reason, rule="client-data") from error
    if client.type != kind:
        raise CeremonyError(f"of the type {client.type[:40]!r}, and not {kind}", rule="type")
    if not hmac.compare_digest(client.challenge, expected.challenge):
        raise CeremonyError("signed for another challenge than this one", rule="challenge")
    if client.origin not in expected.origins:
        raise CeremonyError(f"made on the page {client.origin[:80]!r}", rule="origin")
    if client.cross_origin:
        raise CeremonyError("made in a frame within the page of another origin", rule="cross-origin")
    if client.top_origin is not None:
        raise CeremonyError(f"made in a frame within {client.top_origin[:80]!r}", rule="top-origin")
    return client


def check_authenticator_data(data: AuthenticatorData, expected: Expected) -> None:
    """Section 7.1, steps 14 to 19; section 7.2, steps 15 to 19."""
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(expected.rp_id.encode()).digest()):
        raise CeremonyError("made for another relying party", rule="rp-id")
    if not data.has(flags.UP):
        raise CeremonyError("nobody has touched the key", rule="user-presence")
    if not data.has(flags.UV):
        raise CeremonyError("the key has not verified who holds it (PIN or finger)", rule="user-verification")
    if data.has(flags.BS) and not data.has(flags.BE):
        raise CeremonyError("backed up, and not to be backed up: a contradiction", rule="backup-state")
    if data.has(flags.BE):
        raise CeremonyError("a synced passkey: it can leave its hardware", rule="synced")


def _authenticator_data(data: bytes) -> AuthenticatorData:
    try:
        return parse_authenticator_data(data)
    except InputError as error:
        raise CeremonyError(str(error), rule="authenticator-data") from error


def _check_signature(assertion: Assertion, known: Known) -> None:
    from cryptography.exceptions import InvalidSignature

    message = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    try:
        parse_cose(known.cose).verify(assertion.signature, message)
    except InvalidSignature:
        raise CeremonyError("the signature is not that of the key", rule="signature") from None
    except InputError as error:
        raise CeremonyError(error.reason, rule="public-key") from error
