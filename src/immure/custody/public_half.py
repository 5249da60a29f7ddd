"""The public half of a signing key: from what a library or token gives, and as files for those who verify."""

from __future__ import annotations

import json
from typing import Literal

from immure.custody.algorithms import Algorithm
from immure.errors import KeyFormatError, SignerError
from immure.keymaterial import der
from immure.keymaterial.asn1 import read_spki
from immure.keymaterial.curves import CURVES, OKP_OIDS
from immure.keymaterial.key import EcNumbers, Numbers, Origin, PublicKey, RsaNumbers
from immure.keymaterial.serialize import EC_PUBLIC_KEY, RSA_ENCRYPTION, uncompressed

Form = Literal["jwk", "pem"]


def from_spki(data: bytes, source: str) -> PublicKey:
    """A public key from a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).

    Raises:
        SignerError: it is none, or of a kind that we do not know.
    """
    try:
        return PublicKey(read_spki(der.Der(data)), Origin(source))
    except KeyFormatError as error:
        raise SignerError(f"its public half is refused: {error.reason}", path=source) from error


def to_spki(numbers: Numbers) -> bytes:
    """The SubjectPublicKeyInfo of these numbers."""
    if isinstance(numbers, RsaNumbers):
        algorithm = der.sequence(der.encode(der.OID, RSA_ENCRYPTION), der.encode(der.NULL, b""))
        key = der.sequence(der.integer(numbers.n), der.integer(numbers.e))
    elif isinstance(numbers, EcNumbers):
        curve = der.encode(der.OID, CURVES[numbers.curve].oid)
        algorithm = der.sequence(der.encode(der.OID, EC_PUBLIC_KEY), curve)
        key = uncompressed(numbers)
    else:
        algorithm = der.sequence(der.encode(der.OID, OKP_OIDS[numbers.curve]))
        key = numbers.x
    return der.sequence(algorithm, der.bits(key))


def to_pem(public: PublicKey) -> str:
    """PEM (RFC 7468, section 13). It does not say by which algorithm the key signs."""
    import base64

    text = base64.b64encode(to_spki(public.numbers)).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def to_jwk(public: PublicKey, algorithm: Algorithm) -> str:
    """A JWK (RFC 7517) that says by which algorithm the key signs, its thumbprint being its ``kid``."""
    jwk = public.to_jwk() | {"use": "sig", "alg": algorithm, "kid": public.thumbprint}
    return json.dumps(jwk, indent=2) + "\n"
