"""Chains of X.509 certificates from a leaf to a root that somebody has chosen (RFC 5280, section 6.1).

>>> verify_chain([leaf, intermediate], [root], at=now())   # doctest: +SKIP

Each certificate is signed by the next, whose name is that of its issuer; each is valid at the moment; each
above the leaf may issue, and may have so many below it; the leaf may not. Hashes are SHA-2. Certificates of
authenticators have no names to constrain and no revocation to ask for: revoked models are in the metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_CERTIFICATES: Final = 5
MOST_BYTES: Final = 1 << 14
_HASHES: Final = ("sha256", "sha384", "sha512")


def parse_certificate(data: bytes) -> Certificate:
    """The certificate in DER; raises InputError."""
    from cryptography import x509

    if len(data) > MOST_BYTES:
        raise InputError(f"a certificate of more than {MOST_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(data)
        _read_all(certificate)
    except Exception as error:
        raise InputError("a certificate that cannot be read") from error
    return certificate


def _read_all(certificate: Certificate) -> None:
    """Members are read when they are asked for, and refused only then: so all are asked for now."""
    _ = (certificate.extensions, certificate.subject, certificate.issuer, certificate.version)
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.public_key())


def parse_pem(text: str) -> Certificate:
    """The one certificate in a text of PEM; raises UsageError."""
    from cryptography import x509

    try:
        (certificate,) = x509.load_pem_x509_certificates(text.encode())
        _read_all(certificate)
    except Exception as error:
        raise UsageError("not one certificate in PEM") from error
    return certificate


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 of a certificate, in hex."""
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex()


def der(certificate: Certificate) -> bytes:
    """The certificate in DER."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def verify_chain(chain: Sequence[Certificate], roots: Sequence[Certificate], *, at: datetime) -> Certificate:
    """The root that a chain, the leaf first, ends at.

    Args:
        chain: the leaf and what is between it and the root; the root itself may be its end.
        roots: those that are trusted.
        at: the moment at which it must hold.

    Raises:
        InputError: it does not hold; says why.
    """
    if not 0 < len(chain) <= MOST_CERTIFICATES:
        raise InputError(f"a chain of {len(chain)} certificates; there may be 1 to {MOST_CERTIFICATES}")
    trusted = {fingerprint(root): root for root in roots}
    root = trusted.get(fingerprint(chain[-1]))
    if root is None:
        root = next((one for one in roots if _issues(one, chain[-1])), None)
        chain = [*chain, root] if root is not None else chain
    if root is None or len(chain) < 2:
        raise InputError("a certificate that does not lead to a root that is trusted")
    for below, above in pairwise(chain):
        if not _issues(above, below):
            raise InputError("a certificate that the next one in the chain has not signed")
    for depth, certificate in enumerate(chain):
        _check_time(certificate, at)
        if depth:
            _check_issuer(certificate, depth - 1)
    _check_leaf(chain[0])
    return root


def _issues(above: Certificate, below: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        hashed = below.signature_hash_algorithm
        if hashed is not None and hashed.name not in _HASHES:
            return False
        below.verify_directly_issued_by(above)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _check_time(certificate: Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise InputError("a certificate in the chain that is not valid at this time")


def _check_issuer(certificate: Certificate, below: int) -> None:
    """Whether a certificate may have so many intermediates below it."""
    from cryptography import x509

    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        raise InputError("a certificate in the chain that does not say that it may issue others") from None
    if not basic.ca or (basic.path_length is not None and basic.path_length < below):
        raise InputError("a certificate in the chain that may not issue the ones below it")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise InputError("a certificate in the chain whose key may not sign certificates")


def _check_leaf(certificate: Certificate) -> None:
    from cryptography import x509

    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return
    if basic.ca:
        raise InputError("a leaf that is the certificate of an authority")
