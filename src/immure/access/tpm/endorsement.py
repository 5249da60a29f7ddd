"""Certificates of endorsement keys, which vouch that a key is in a TPM (TCG EK Credential Profile, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from immure.access.webauthn.chain import parse_certificate, verify_chain
from immure.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate

#: id-tcg-kp-EKCertificate: a vendor's authority signs other certificates too.
_PURPOSE: Final = "2.23.133.8.1"
_VENDOR, _MODEL, _VERSION = "2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"
#: What is critical in such a certificate, and looked at here.
_LOOKED_AT: Final = ("2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37")


def verify_endorsement(
    data: bytes, chain: Sequence[bytes], roots: Sequence[Certificate], at: datetime
) -> Certificate:
    """The certificate of an endorsement key, if it leads to one of the roots.

    Args:
        data: in DER.
        chain: certificates (DER) between it and a root.
        roots: of the vendors whose TPMs are taken.
        at: the moment at which it must hold.

    Raises:
        InputError: it does not, or is one for something else.
    """
    certificate = parse_certificate(data)
    verify_chain([certificate, *map(parse_certificate, chain)], roots, at=at)
    _check_purpose(certificate)
    endorsement_key(certificate)
    return certificate


def _check_purpose(certificate: Certificate) -> None:
    from cryptography import x509

    for extension in certificate.extensions:
        if extension.critical and extension.oid.dotted_string not in _LOOKED_AT:
            raise InputError(f"a certificate of a TPM that demands {extension.oid.dotted_string}")
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        raise InputError("a certificate that is not one of an endorsement key") from None
    if _PURPOSE not in {one.dotted_string for one in purposes}:
        raise InputError("a certificate that is not one of an endorsement key")


def endorsement_key(certificate: Certificate) -> RSAPublicKey | EllipticCurvePublicKey:
    """The key that it is about; raises InputError if it is of no kind that is taken."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key
    raise InputError("an endorsement key that is neither RSA of 2048 bits nor on P-256")


def model_of(certificate: Certificate) -> str:
    """Vendor, model and version of the TPM, as its certificate says; for people."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "not said"
    found = {}
    for directory in names.get_values_for_type(x509.DirectoryName):
        for attribute in directory:
            found[attribute.oid.dotted_string] = str(attribute.value)
    texts = [found.get(oid, "") for oid in (_VENDOR, _MODEL, _VERSION)]
    plain = " ".join(text for text in texts if text)
    return "".join(one if one.isprintable() else "?" for one in plain)[:120] or "not said"
