"""Files with the public key of a log: a line ``name+hash+base64`` (C2SP signed-note), PEM, or a JWK.

>>> parse_key(b"sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8\\n").name
'sum.golang.org'
"""

from __future__ import annotations

import base64
import json

from immure.auditlog.note import NoteKey, parse_vkey
from immure.errors import LogError

MAX_KEY_BYTES = 1 << 16
_PUBLIC_BYTES = 32


def parse_key(data: bytes, *, path: str | None = None) -> NoteKey | bytes:
    """The key in a file. PEM and JWK name no log: then it is the bare public key, as ``verify_log`` takes it,
    too.

    Raises:
        LogError: there is no Ed25519 public key in it.
    """
    if len(data) > MAX_KEY_BYTES:
        raise LogError(f"a public key of more than {MAX_KEY_BYTES} bytes", path=path)
    try:
        if data.startswith(b"-----BEGIN "):
            return _from_pem(data)
        if data.lstrip().startswith(b"{"):
            return _from_jwk(data)
        return parse_vkey(data.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        raise LogError("neither a line name+hash+base64 nor PEM nor a JWK", path=path) from error
    except LogError as error:
        raise LogError(error.reason, path=path) from error


def _from_jwk(data: bytes) -> bytes:
    """RFC 8037, section 2."""
    try:
        jwk = json.loads(data)
        if jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
            text = str(jwk["x"])
            public = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if len(public) == _PUBLIC_BYTES:
                return public
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LogError("no JWK that can be read") from error
    raise LogError("a JWK of another kind than Ed25519")


def _from_pem(data: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LogError("no PEM public key that can be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise LogError("a PEM public key of another kind than Ed25519")
    return key.public_bytes_raw()
