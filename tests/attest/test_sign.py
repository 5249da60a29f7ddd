"""What is signed: clearances, statements and envelopes, and nothing that no verifier would accept."""

from __future__ import annotations

import json

import pytest

from custody.softhsm import KEYS
from immure.attest.envelope import parse_envelope
from immure.attest.reasons import Reason
from immure.attest.sign import read_document, sign_envelope
from immure.attest.statement import Digest
from immure.attest.verify import verify_release
from immure.errors import AttestationError, SignerError

from .samples import BYTES, DIGEST, at, clearance, clock, envelope, full, signer, statement_json, trusted


def test_each_kind_of_document():
    for document in (full(), statement_json()):
        made = read_document(json.dumps(document, indent=1).encode(), "app.core", DIGEST, now=clock)
        assert made.signatures == ()
        verified = verify_release(sign_envelope(made, signer()), DIGEST, [trusted()], now=clock)
        assert verified.clearance == clearance()
        assert verified.statement.subjects[0].name == "app.core"
    assert read_document(envelope(), "unused", DIGEST, now=clock) == parse_envelope(envelope())


def test_a_statement_keeps_its_own_name():
    document = statement_json(subject=[{"name": "its own", "digest": {"sha256": DIGEST.sha256}}])
    assert b'"its own"' in read_document(json.dumps(document).encode(), "app.core", DIGEST, now=clock).payload


@pytest.mark.parametrize(
    "document", [full(), statement_json(), json.loads(envelope())], ids=["bare", "statement", "signed"]
)
@pytest.mark.parametrize(
    ("digest", "clock", "reason"),
    [
        (Digest(DIGEST.sha256, DIGEST.size + 1), clock, Reason.OTHER_BYTES),
        (DIGEST, at(days=30), Reason.EXPIRED),
        (DIGEST, at(days=-30), Reason.NOT_YET),
    ],
)
def test_what_does_not_hold_is_not_signed(document, digest, clock, reason):
    with pytest.raises(AttestationError, match=reason):
        read_document(json.dumps(document).encode(), "x", digest, now=clock)


@pytest.mark.parametrize("document", [statement_json(), json.loads(envelope())], ids=["statement", "signed"])
def test_what_is_about_other_bytes_is_not_signed(document):
    with pytest.raises(AttestationError, match=Reason.OTHER_BYTES):
        read_document(json.dumps(document).encode(), "x", Digest("0" * 64, DIGEST.size), now=clock)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"[]", Reason.PREDICATE),
        (b"{}", Reason.PREDICATE),
        (b'{"payload": "x"}', Reason.NOT_BASE64),
        (b'{"_type": 1}', Reason.NOT_STATEMENT),
        (json.dumps(statement_json(predicateType="x")).encode(), Reason.PREDICATE_TYPE),
        (json.dumps(full() | {"proof": full()["proof"] | {"holds": False}}).encode(), Reason.NOT_CLEARED),
    ],
)
def test_what_is_no_document(document, reason):
    with pytest.raises(AttestationError, match=f"^{reason}"):
        read_document(document, "x", DIGEST, now=clock)


@pytest.mark.parametrize("label", KEYS)
def test_by_a_key_on_a_token(token, label):
    """The same envelope, signed where the private key cannot be had."""
    from custody.softhsm import PIN
    from immure.attest.trust import trusted_key
    from immure.custody import open_signer

    made = read_document(json.dumps(full()).encode(), "app.core", DIGEST, now=clock)
    with open_signer(token.uri(label), pin=PIN) as on_token:
        data = sign_envelope(made, on_token, signer())
        key = trusted_key(on_token.public)
    assert key is not None
    assert len(verify_release(data, DIGEST, [key, trusted()], threshold=2, now=clock).keys) == 2
    with pytest.raises(SignerError, match="is closed"):
        sign_envelope(made, on_token)
    assert len(BYTES) == DIGEST.size
