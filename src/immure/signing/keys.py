"""Private keys as the service needs them: made, used for tokens, counted, destroyed; never seen.

An implementation for each custody backend: :mod:`.holder_keys`, :mod:`.file_keys`.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from immure.signing.rotation import KeyMaker

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


class TokenKeys(KeyMaker):
    """Makes keys, and signs tokens with them.

    Attributes:
        warning: what users must know of this backend, None if nothing.
    """

    warning: str | None = None

    async def start(self) -> None:
        """Get ready in this process; raises SignerError."""

    @abstractmethod
    async def sign_token(self, kid: str, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A token in compact form (RFC 7515, section 7.1).

        Args:
            kid: of the key.
            header: all of it, ``alg`` and ``kid`` included.
            claims: which a backend that can holds against the key's scope once more.

        Raises:
            SignerError: the key cannot be used now, or may not sign this.
        """

    async def aclose(self) -> None:
        """Let go of the keys."""


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """What is signed (RFC 7515, section 5.1)."""
    return encoded(_dumps(header).encode()) + b"." + encoded(_dumps(claims).encode())


def encoded(data: bytes) -> bytes:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=")
