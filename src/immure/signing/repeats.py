"""Requests that come again, byte for byte: programs ask for the same token over and over.

What was granted to a client that proved itself by its secret is granted again without reading the request
anew. Kept is a digest of the request, under a key of this process: neither a secret nor something to guess
one by. It ends with the settings by which it was granted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from immure.introspection.asgi import Scope
from immure.signing.drafts import Draft

_MOST: Final = 1024
_FORM: Final = b"application/x-www-form-urlencoded"
#: Headers by which a request is more than its body and its secret.
_MORE: Final = frozenset({b"dpop", b"origin", b"content-encoding", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Known:
    """What was granted before.

    Attributes:
        client: to whom.
        draft: of the token; its scope was looked at.
        rest: of the answer, behind the token.
    """

    client: str
    draft: Draft
    rest: str


class Repeats:
    """What was granted for requests of one endpoint.

    Args:
        certificate_header: whose value says more of who asks; None if no proxy sets one.
    """

    def __init__(self, certificate_header: str | None) -> None:
        self._more = _MORE if certificate_header is None else _MORE | {certificate_header.lower().encode()}
        self._key = os.urandom(32)
        self._kept: dict[bytes, Known] = {}

    def name(self, scope: Scope, body: bytes) -> bytes | None:
        """What such a request is called; None if it is not one of a kind that can come again."""
        secret, forms = None, 0
        for key, value in scope["headers"]:
            if key == b"authorization":
                if secret is not None:
                    return None
                secret = value
            elif key == b"content-type":
                if value != _FORM:
                    return None
                forms += 1
            elif key in self._more:
                return None
        if secret is None or forms != 1 or scope["method"] != "POST":
            return None
        made = blake2b(secret, digest_size=32, key=self._key)
        made.update(b"\n")  # no header has one
        made.update(body)
        return made.digest()

    def get(self, name: bytes | None) -> Known | None:
        """What was granted before."""
        return None if name is None else self._kept.get(name)

    def keep(self, name: bytes, known: Known) -> None:
        """Remember it."""
        if len(self._kept) >= _MOST:
            self._kept = {}
        self._kept[name] = known
