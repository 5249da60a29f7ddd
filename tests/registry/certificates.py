"""Certificates for the tests."""

from __future__ import annotations

import base64
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from keymaterial.keys import key


def certificate(kind: str, number: int, begins: datetime, ends: datetime) -> x509.Certificate:
    private = key(kind, number)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(7)
        .public_key(private.public_key())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    return builder.sign(private, None if kind.startswith("Ed") else hashes.SHA256())


def chain(kind: str, number: int, begins: datetime, ends: datetime) -> list[str]:
    """What ``x5c`` holds."""
    return [base64.b64encode(certificate(kind, number, begins, ends).public_bytes(Encoding.DER)).decode()]
