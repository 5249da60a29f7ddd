"""Workstations: client certificates (mTLS) to which sessions are bound.

That its private key cannot leave the machine is proven by the machine's TPM (:mod:`.tpm`), or it is what the
authority that issued the certificate vouches for; ``workstations.roots`` of the policy names that authority.
Without one, whatever two people have approved is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from immure.access.room import deny
from immure.access.webauthn.chain import der, parse_certificate, parse_pem, verify_chain
from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PEM = b"-----BEGIN "


def read_workstation(data: bytes, roots: Sequence[Certificate], at: datetime) -> tuple[str, datetime]:
    """The SHA-256 (hex) of a client certificate in PEM or DER, and until when it is valid.

    Raises:
        DeniedError: it is none, is not valid now, is not for clients, or leads to none of ``roots``.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        certificate = parse_workstation(data)
        if roots:
            verify_chain([certificate], roots, at=at)
    except (InputError, UsageError) as error:
        deny("workstation", error.reason)
    if not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
        deny("workstation", "the certificate of the workstation is not valid now")
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        deny("workstation", "the certificate is not one for clients (no extended key usage)")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        deny("workstation", "the certificate is not one for clients")
    return hashlib.sha256(der(certificate)).hexdigest(), certificate.not_valid_after_utc.replace(
        microsecond=0
    )


def parse_workstation(data: bytes) -> Certificate:
    """The certificate in PEM or DER; raises InputError or UsageError."""
    if data.lstrip().startswith(_PEM):
        return parse_pem(data.decode("ascii", "replace"))
    return parse_certificate(data)
