"""X.509 certificates (RFC 5280), as far as a key search needs them: the subject's public key, and when it
is valid.

Nothing is verified: a certificate here only says which key somebody may hold.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_spki
from immure.keymaterial.der import INTEGER, SEQUENCE, Der
from immure.keymaterial.key import Numbers

_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


class Certificate(NamedTuple):
    """The public key of a certificate, and the first and last moment of its validity (UTC)."""

    numbers: Numbers
    not_before: datetime
    not_after: datetime


def read_certificate(outer: Der) -> Certificate:
    """Steps over a Certificate.

    Raises:
        KeyFormatError: it is none, or its public key is refused.
    """
    certificate = outer.enter(SEQUENCE)
    body = certificate.enter(SEQUENCE)
    if body.next_tag == _VERSION:
        body.skip()
    body.span(INTEGER)  # serial number: some are negative or padded
    body.span(SEQUENCE)  # signature algorithm
    body.span(SEQUENCE)  # issuer
    validity = body.enter(SEQUENCE)
    not_before, not_after = _read_time(validity), _read_time(validity)
    body.span(SEQUENCE)  # subject
    return Certificate(read_spki(body), not_before, not_after)


def parse_certificate(data: bytes) -> Certificate:
    """A certificate as DER, all of ``data``; raises as :func:`read_certificate`."""
    outer = Der(data)
    certificate = read_certificate(outer)
    outer.finish()
    return certificate


def _read_time(body: Der) -> datetime:
    """UTCTime or GeneralizedTime in the forms of RFC 5280, section 4.1.2.5."""
    generalized = body.next_tag == _GENERALIZED_TIME
    text = body.take(_GENERALIZED_TIME if generalized else _UTC_TIME)
    if len(text) != (15 if generalized else 13) or text[-1:] != b"Z" or not text[:-1].isdigit():
        raise KeyFormatError("time of a certificate is malformed")
    digits = text[:-1].decode("ascii")
    if not generalized:
        digits = ("19" if digits >= "50" else "20") + digits
    fields = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    try:
        return datetime(*fields, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise KeyFormatError("time of a certificate is out of range") from None
