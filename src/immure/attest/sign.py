"""Signs statements. What is signed is read back first, as a verifier will read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from immure import clock
from immure.attest.clearance import Clearance
from immure.attest.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, parse_envelope
from immure.attest.from_record import clearance_of, is_record
from immure.attest.predicates import read_payload, read_predicate
from immure.attest.reasons import Reason, refusal
from immure.attest.statement import Digest, Statement, read_statement
from immure.attest.strict_json import parse_json
from immure.attest.verify import check_subject, check_time
from immure.clock import Clock
from immure.custody.signer import Signer

#: How long a clearance holds, if nothing else is said.
VALID: Final = timedelta(days=7)


def sign_statement(statement: Statement, *signers: Signer) -> bytes:
    """An envelope (JSON) with a signature of each of the signers, at least one, over the statement.

    Raises:
        AttestationError: no verifier would take the statement, or the envelope would be too large.
        SignerError: a key cannot be used.
    """
    return sign_envelope(Envelope(statement.to_bytes(), PAYLOAD_TYPE, ()), *signers)


def add_signature(data: bytes, *signers: Signer) -> bytes:
    """The envelope in ``data`` with further signatures. Those that it has are kept as they are, not verified.

    Raises:
        AttestationError, SignerError: as :func:`sign_statement`; or it is no envelope.
    """
    return sign_envelope(parse_envelope(data), *signers)


def sign_envelope(envelope: Envelope, *signers: Signer) -> bytes:
    """The envelope with further signatures, as JSON; raises as :func:`sign_statement`."""
    if envelope.payload_type != PAYLOAD_TYPE:
        raise refusal(Reason.PAYLOAD_TYPE, repr(envelope.payload_type[:80]))
    read_payload(envelope.payload)
    message, signatures = envelope.pae(), list(envelope.signatures)
    for signer in signers:
        if any(one.keyid == signer.thumbprint for one in signatures):
            raise refusal(Reason.NOT_ENVELOPE, f"the key {signer.thumbprint} has signed it already")
        signatures.append(EnvelopeSignature(signer.thumbprint, signer.sign(message)))
    if not signatures:
        raise refusal(Reason.UNTRUSTED, "nobody signs it")
    return replace(envelope, signatures=tuple(signatures)).to_bytes()


def read_document(
    data: bytes,
    name: str,
    digest: Digest,
    *,
    now: Clock = clock.now,
    valid: timedelta = VALID,
) -> Envelope:
    """What is to be signed for a file of these bytes, as an envelope (without a signature, if it is new).

    Args:
        data: JSON: the record of a redaction, a clearance, a statement with one, or an envelope with that.
        name: what to call the file in a new statement.
        digest: of the file.
        now: tells the time.
        valid: how long a clearance is to hold that is made of a record.

    Raises:
        AttestationError: it is none of these, does not hold now, or does not clear a file of these bytes.
    """
    value = parse_json(data, fractions=True)
    if isinstance(value, dict) and "payload" in value:
        envelope = parse_envelope(data)
        statement, clearance = read_payload(envelope.payload)
    else:
        if isinstance(value, dict) and "_type" in value:
            statement = read_statement(value)
            clearance = read_predicate(statement)
        else:
            if isinstance(value, dict) and is_record(value):
                clearance = _of_record(value, digest, now().replace(microsecond=0), valid)
            else:
                clearance = Clearance.from_json(value)
            statement = clearance.statement(name, digest.sha256)
        envelope = Envelope(statement.to_bytes(), PAYLOAD_TYPE, ())
    check_subject(statement, digest)
    clearance.check_clears(digest)
    check_time(clearance, now())
    return envelope


def _of_record(record: Mapping[str, Any], digest: Digest, now: datetime, valid: timedelta) -> Clearance:
    clearance = clearance_of(record, now, now + valid)
    if record["output"]["sha256"] != digest.sha256:
        raise refusal(Reason.OTHER_BYTES, "the record is of another file")
    return clearance
