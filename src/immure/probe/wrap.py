"""Encrypted tokens (RFC 7516) of the kinds that attackers make: with a public key, no key, or a bomb inside.

Whoever has a public key can encrypt, so that encryption says nothing of who made a token.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from immure.keymaterial.key import b64url
from immure.probe.mint import to_json

#: Bytes that a decompression bomb becomes.
BOMB: Final = 1 << 20


def encrypted(plain: bytes, public: Any, **header: Any) -> str:
    """Five parts, for the owner of an RSA key (RSA-OAEP-256, A256GCM)."""
    secret = hashlib.sha256(plain + b"key").digest()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    head = {"alg": "RSA-OAEP-256", "enc": "A256GCM", **header}
    return _sealed(head, public.encrypt(secret, oaep), secret, plain)


def direct(plain: bytes, secret: bytes, **header: Any) -> str:
    """Five parts, with a key that both sides are said to have (``dir``)."""
    return _sealed({"alg": "dir", "enc": "A256GCM", **header}, b"", secret, plain)


def bomb(public: Any) -> str:
    """A token of some 2,000 bytes that becomes :data:`BOMB` bytes when decrypted (RFC 7516, ``zip``)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(BOMB)) + packer.flush()
    return encrypted(packed, public, zip="DEF")


def _sealed(head: Mapping[str, Any], key: bytes, secret: bytes, plain: bytes) -> str:
    protected = b64url(to_json(head))
    iv = hashlib.sha256(plain + b"iv").digest()[:12]
    sealed = AESGCM(secret).encrypt(iv, plain, protected.encode())
    return ".".join((protected, b64url(key), b64url(iv), b64url(sealed[:-16]), b64url(sealed[-16:])))
