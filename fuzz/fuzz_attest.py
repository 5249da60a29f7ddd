"""Feeds broken envelopes, statements and clearances to immure.attest, also with signatures that hold."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

from driver import run

from immure.attest.clearance import Clearance
from immure.attest.envelope import Envelope, parse_envelope
from immure.attest.predicates import read_payload
from immure.attest.strict_json import parse_json
from immure.attest.trust import TrustedKey
from immure.attest.verify import verify_envelope
from immure.attest.words import describe
from immure.custody.pkcs11_uri import parse_pkcs11_uri
from immure.errors import AttestationError, SignerError

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.attest import samples

KINDS = ("Ed25519", "P-256")
TRUSTED: list[TrustedKey] = [samples.trusted(kind) for kind in KINDS]
GOOD = [samples.envelope("Ed25519"), samples.envelope("P-256"), samples.envelope("P-256", "Ed25519")]
SAID = verify_envelope(GOOD[0], TRUSTED, now=samples.clock).statement


def check_attest(data: bytes) -> None:
    """Nothing but AttestationError is raised; nothing altered is verified; what is read can be shown."""
    if not (b"payload" in data[:20] or b'"_type"' in data or b'"tool"' in data):
        check_uri(data)
    for attempt in (check_envelope, check_signed, check_payload, check_clearance):
        with suppress(AttestationError):
            attempt(data)


def check_envelope(data: bytes) -> None:
    """An envelope that verifies says what was signed."""
    assert verify_envelope(data, TRUSTED, now=samples.clock).statement == SAID


def check_signed(data: bytes) -> None:
    """The payload of a broken envelope, signed anew: so the parser behind the signature is reached."""
    payload = parse_envelope(data).payload
    verify_envelope(samples.signed(payload), TRUSTED, now=samples.clock)


def check_payload(data: bytes) -> None:
    """A statement that is read is written and read as the same, and can be shown on a terminal."""
    statement, clearance = read_payload(data)
    again = read_payload(statement.to_bytes())
    assert again.clearance == clearance
    assert all(line.isprintable() for line in describe(statement, clearance))


def check_clearance(data: bytes) -> None:
    """As :func:`check_payload`, of a bare clearance."""
    clearance = Clearance.from_json(parse_json(data))
    assert Clearance.from_json(json.loads(json.dumps(clearance.to_json()))) == clearance


def check_uri(data: bytes) -> None:
    """A PKCS#11 URI is understood or refused, and never gives its PIN away."""
    try:
        words = repr(parse_pkcs11_uri(f"pkcs11:{data.decode('latin-1')}"))
    except SignerError as error:
        words = str(error)
    assert "pin-value=" not in words


if __name__ == "__main__":
    payloads = [parse_envelope(data).payload for data in GOOD]
    bare = [json.dumps(samples.FULL).encode(), json.dumps(samples.statement_json(), indent=1).encode()]
    url_safe = samples.changed(GOOD[0], lambda value: value.update(payload=value["payload"].translate(
        str.maketrans("+/", "-_"))))  # fmt: skip
    empty = Envelope(b"", "x", parse_envelope(GOOD[0]).signatures).to_bytes()
    uris = [
        b"token=a%20b;object=c;id=%01%02?module-path=/x.so&pin-source=file:/p",
        b"object=a?pin-value=1&alg=RS256",
    ]
    run(check_attest, [*GOOD, *payloads, *bare, url_safe, empty, *uris])
