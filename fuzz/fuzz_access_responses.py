"""Feeds broken WebAuthn responses to the verification of assertions and registrations: none gets in."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from driver import run

from immure.access.errors import CeremonyError
from immure.access.webauthn.assertion import Expected, Known, verify_assertion
from immure.access.webauthn.authenticator_data import parse_authenticator_data
from immure.access.webauthn.cbor import parse_cbor
from immure.access.webauthn.client_data import parse_client_data
from immure.access.webauthn.cose import parse_cose
from immure.access.webauthn.models import Model
from immure.access.webauthn.registration import verify_registration
from immure.access.webauthn.response import Assertion, Registration, parse_response
from immure.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fido2 import cbor

from access.authenticator import AAGUID, Authenticator, b64, unb64, vendor

SECONDS = 1.0
ID, ORIGIN = "access.prod.example", "https://access.prod.example"
CHALLENGE = hashlib.sha256(b"a document").digest()
EXPECTED = Expected(ID, (ORIGIN,), CHALLENGE)
NOW = datetime(2026, 11, 30, tzinfo=UTC)
MODEL = Model(AAGUID, "Example Key 5", (vendor()[0].certificate,))
KEY = Authenticator()
MADE = KEY.create(
    {"rp": {"id": ID}, "user": {"id": b64(b"h" * 32)}, "challenge": b64(CHALLENGE), "excludeCredentials": []}
)
ONE = next(iter(KEY.credentials.values()))
SIGNED = KEY.get({"challenge": b64(CHALLENGE), "rpId": ID, "allowCredentials": [{"id": b64(ONE.id)}]})
KNOWN = Known(ONE.id, ONE.handle, cbor.encode(ONE.cose), 0)
PARTS = [
    unb64(MADE["response"]["attestationObject"]),
    unb64(MADE["response"]["clientDataJSON"]),
    unb64(SIGNED["response"]["authenticatorData"]),
    unb64(SIGNED["response"]["signature"]),
    KNOWN.cose,
]
SEEDS = [json.dumps(MADE).encode(), json.dumps(SIGNED).encode(), *PARTS]


def check(data: bytes) -> None:
    """An error that is ours, or what was signed to begin with."""
    begun = time.thread_time()
    for parse in (parse_cbor, parse_authenticator_data, parse_client_data, parse_cose):
        try:
            parse(data)
        except InputError:
            continue
    _whole(data)
    _part(data)
    assert time.thread_time() - begun < SECONDS


def _whole(data: bytes) -> None:
    try:
        response = parse_response(data)
    except InputError:
        return
    _verify(response)


def _part(data: bytes) -> None:
    """The same bytes in the place of each part of responses that are right."""
    good = parse_response(SIGNED)
    made = parse_response(MADE)
    assert isinstance(good, Assertion)
    assert isinstance(made, Registration)
    _verify(Registration(made.id, made.client_data, data))
    _verify(Registration(made.id, data, made.attestation_object))
    _verify(Assertion(good.id, data, good.authenticator_data, good.signature))
    _verify(Assertion(good.id, good.client_data, data, good.signature))
    _verify(Assertion(good.id, good.client_data, good.authenticator_data, data))


def _verify(response: Registration | Assertion) -> None:
    try:
        if isinstance(response, Registration):
            verify_registration(response, EXPECTED, (MODEL,), taken=(), at=NOW)
            assert response.client_data == PARTS[1]
            assert b"authData" in response.attestation_object
        else:
            verify_assertion(response, EXPECTED, KNOWN)
            assert response.authenticator_data == PARTS[2]
    except CeremonyError:
        return


if __name__ == "__main__":
    run(check, SEEDS)
