"""Why an envelope or statement is refused: every reason, in words that do not change.

The reason of an AttestationError begins with one of these; behind a colon may follow what exactly is wrong.

>>> refusal(Reason.EXPIRED, "2026-11-25T00:00:00Z").reason
'the clearance has expired: 2026-11-25T00:00:00Z'
"""

from __future__ import annotations

from enum import StrEnum

from immure.errors import AttestationError


class Reason(StrEnum):
    """Reasons, in the order in which they are looked for."""

    TOO_LARGE = "too large"
    NOT_JSON = "not valid JSON"
    DUPLICATE = "a JSON object names a member twice"
    NOT_ENVELOPE = "not a DSSE envelope"
    NOT_BASE64 = "not base64"
    PAYLOAD_TYPE = "unknown payload type"
    BAD_SIGNATURE = "a signature in the name of a trusted key does not hold"
    UNTRUSTED = "not signed by a trusted key"
    TOO_FEW = "signed by too few trusted keys"
    NOT_STATEMENT = "not an in-toto Statement of version 1"
    NO_SUBJECT = "the statement has no subject"
    SUBJECT_DIGEST = "a subject has no SHA-256 digest of 64 lower-case hexadecimal digits"
    PREDICATE_TYPE = "unknown predicate type"
    PREDICATE_VERSION = "unknown version of the predicate"
    PREDICATE = "malformed predicate"
    NOT_YET = "the clearance is not valid yet"
    EXPIRED = "the clearance has expired"
    OTHER_BYTES = "the statement is about other bytes"
    NOT_CLEARED = "the statement does not clear the dump"


def refusal(reason: Reason, detail: str = "", *, path: str | None = None) -> AttestationError:
    """The error to raise."""
    return AttestationError(f"{reason}: {detail}" if detail else str(reason), path=path)
