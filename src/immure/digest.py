"""The name of a token in every log: 128 bits of SHA-256 over the bytes that were signed.

>>> signed_digest(b"eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJhIn0").hex()
'32c0dda3bf0f8592aebfb4df5cff5649'

The issuer writes it into its ledger before a token leaves, and who accepts the token writes it into the log
of acceptances; what was accepted and never issued is then the difference of two columns. The signature is
not in it, since a holder can change the signature of an ES256 token without making it invalid, and the
``jti`` is not enough, since a thief of the key can copy one. 128 bits, because a thief who chooses the claims
could grind a 64-bit digest that the ledger already has.
"""

from __future__ import annotations

import hashlib
from typing import Final

#: Bytes of a digest.
SIZE: Final = 16


def signed_digest(signed: bytes) -> bytes:
    """The digest of a token.

    Args:
        signed: the signing input of RFC 7515, section 5.1: encoded header, a point, encoded payload.

    Returns:
        16 bytes.
    """
    return hashlib.sha256(signed).digest()[:SIZE]
