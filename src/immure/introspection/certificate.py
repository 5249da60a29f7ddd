"""The client's TLS certificate, as a proxy on this machine hands it on in a header.

Two forms are understood: that of RFC 9440 (``:`` base64 of the DER ``:``, RFC 8941), and the PEM with
percent-escapes that nginx (``$ssl_client_escaped_cert``) and Envoy (``%DOWNSTREAM_PEER_CERT%``) write. The
proxy must take away what a client sends under that name; we cannot know who wrote it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from immure.introspection.errors import ClientError
from immure.keymaterial.key import b64url

_MOST_BYTES: Final = 16 << 10
_PEM: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----\s*"
)
#: What stands there if there is none: nothing, or Envoy's dash.
_NONE: Final = (b"", b"-")


def certificate_of(values: list[bytes]) -> bytes | None:
    """The certificate (DER) in the values of the header; None if there is none.

    Raises:
        ClientError: more than one value, or one that is no certificate.
    """
    if not values or (len(values) == 1 and values[0].strip() in _NONE):
        return None
    if len(values) > 1:
        raise ClientError("the header of the TLS certificate is there twice")
    der = _decoded(values[0].strip())
    if not _is_sequence(der):
        raise ClientError("the header of the TLS certificate holds none")
    return der


def thumbprint(der: bytes) -> str:
    """``x5t#S256`` (RFC 8705, section 3.1)."""
    return b64url(hashlib.sha256(der).digest())


def _decoded(value: bytes) -> bytes:
    try:
        if len(value) > _MOST_BYTES:
            raise ClientError("the header of the TLS certificate is too long")
        if value[:1] == b":" and value[-1:] == b":" and len(value) > 2:
            return base64.b64decode(value[1:-1], validate=True)
        match = _PEM.fullmatch(unquote_to_bytes(value))
        return base64.b64decode(b"".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        return b""


def _is_sequence(der: bytes) -> bool:
    """Whether these bytes are one DER sequence and nothing behind it (X.690), as a certificate is."""
    if len(der) < 4 or der[0] != 0x30 or der[1] not in (0x81, 0x82):
        return False
    count = der[1] & 0x7F
    return 2 + count + int.from_bytes(der[2 : 2 + count], "big") == len(der)
