"""Tokens that a symmetric key made (RFC 7515, RFC 7518, section 3.2): read, and held against a key."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Final, cast

from immure.errors import InputError
from immure.keymaterial.key import Numbers, Origin, b64url
from immure.keymaterial.sketch_key import OctKey, OctNumbers

MOST_TOKEN: Final = 64 << 10
_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


@dataclass(frozen=True, slots=True)
class HmacToken:
    """A token with a symmetric signature: what is signed, and the code.

    Attributes:
        algorithm: ``HS256``, ``HS384`` or ``HS512``.
        signed: header and claims, as they are signed.
        code: the signature.
        kid: as the header has it.
        source: where it was read.
    """

    algorithm: str
    signed: bytes
    code: bytes
    kid: str | None
    source: str

    def is_made_by(self, key: bytes) -> bool:
        """Whether the code holds under ``key``."""
        return hmac.digest(key, self.signed, _DIGESTS[self.algorithm]) == self.code

    @property
    def key(self) -> OctKey:
        """Its key, as reports name it: by the token, since a digest of the key could be guessed from."""
        fingerprint = b64url(hashlib.sha256(b"immure token key\0" + self.signed).digest())
        name = self.kid or f"of the token {fingerprint[:12]}"
        numbers = cast(Numbers, OctNumbers(fingerprint))
        return OctKey(numbers, Origin(self.source, kid=name, alg=self.algorithm), self.algorithm.lower())


def parse_token(data: bytes, path: str) -> HmacToken:
    """The token in a file's bytes (compact form; blanks around it are left out).

    Raises:
        InputError: it is none, or not one that a symmetric key made.
    """
    parts = data.strip().split(b".")
    if len(data) > MOST_TOKEN or len(parts) != 3:
        raise InputError("is no token in compact form (RFC 7515): header.claims.signature", path=path)
    try:
        head, _, code = (urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in parts)
        header = json.loads(head.decode("utf-8"))
    except (ValueError, binascii.Error, RecursionError):
        raise InputError("is no token: its header is not JSON in base64url", path=path) from None
    algorithm = header.get("alg") if type(header) is dict else None
    if type(algorithm) is not str or algorithm not in _DIGESTS:
        raise InputError(f"is not signed by a symmetric key ({', '.join(_DIGESTS)})", path=path)
    if len(code) != hashlib.new(_DIGESTS[algorithm]).digest_size:
        raise InputError(f"its signature has {len(code)} bytes, which is none of {algorithm}", path=path)
    kid = header.get("kid")
    name = kid if type(kid) is str and 0 < len(kid) <= 200 else None
    return HmacToken(algorithm, b".".join(parts[:2]), code, name, path)
