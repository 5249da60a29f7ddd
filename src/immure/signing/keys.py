"""Private keys as the service needs them: made, used for tokens, counted, destroyed; never seen.

An implementation for each custody backend: :mod:`.holder_keys`, :mod:`.pkcs11_keys`, :mod:`.awskms_keys`,
:mod:`.vault_keys`, :mod:`.file_keys`.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from binascii import b2a_base64
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from immure.signing.rotation import KeyMaker

_URL: Final = bytes.maketrans(b"+/", b"-_")
_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How often a key has signed, as far as anybody counts.

    Attributes:
        signed: tokens signed. If it lasts, the true number is never above it; otherwise never below.
        quota: how often the key may sign at most, None if nobody bounds it.
        lasts: whether the count is kept with the key; otherwise it is this process's since its start.
    """

    signed: int
    quota: int | None = None
    lasts: bool = False

    @property
    def left(self) -> int | None:
        """How often it may sign yet; None if nobody bounds it."""
        return None if self.quota is None else max(0, self.quota - self.signed)


class TokenKeys(KeyMaker):
    """Makes keys, and signs tokens with them.

    Attributes:
        warning: what users must know of this backend, None if nothing.
    """

    warning: str | None = None

    def __init__(self) -> None:
        self._signed: Counter[str] = Counter()

    async def start(self) -> None:
        """Get ready in this process; raises SignerError."""

    def tell(self, audiences: Mapping[str, str]) -> None:
        """The class of each audience, as the settings have it now: for keys that are made from now on."""

    @abstractmethod
    async def sign(self, kid: str, algorithm: str, signed: bytes) -> bytes:
        """A signature as JWS has it.

        Args:
            kid: of the key.
            algorithm: which the header names.
            signed: header and claims of a token (RFC 7515, section 5.1), which a backend that can holds
                against the key's scope once more.

        Raises:
            SignerError: the key cannot be used now, or may not sign this.
        """

    def sign_at_once(self, kid: str, signed: bytes) -> asyncio.Future[bytes] | None:
        """As :meth:`sign`, if all that it takes is to ask; None if it takes more, or nobody knows."""
        return None

    async def sign_token(self, kid: str, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A token in compact form (RFC 7515, section 7.1).

        Args:
            kid: of the key.
            header: all of it, ``alg`` and ``kid`` included.
            claims: all of them.

        Raises:
            SignerError: the key cannot be used now, or may not sign this.
        """
        signed = signing_input(header, claims)
        return compact(signed, await self.sign(kid, str(header["alg"]), signed))

    def use(self, kid: str) -> KeyUse:
        """How often the key has signed. Tokens (PKCS#11), KMS and Vault keep no count, so of those it is what
        this process knows. Called from another thread than the loop's; raises SignerError."""
        return KeyUse(self._signed[kid])

    def uses(self, kid: str) -> int:
        """See :meth:`KeyMaker.uses`."""
        return self.use(kid).signed

    def _count(self, kid: str) -> None:
        """One token more; called in the loop."""
        self._signed[kid] += 1

    async def aclose(self) -> None:
        """Let go of the keys."""


class ThreadedKeys(TokenKeys):
    """Keys whose use blocks: each signature is waited for in a thread.

    Args:
        name: of the threads.
        threads: signatures that are waited for at once.
    """

    def __init__(self, name: str, threads: int) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"immure-{name}")

    async def sign(self, kid: str, algorithm: str, signed: bytes) -> bytes:
        """See :meth:`TokenKeys.sign`."""
        loop = asyncio.get_running_loop()
        raw = await loop.run_in_executor(self._threads, self._sign, kid, algorithm, signed)
        self._count(kid)
        return raw

    @abstractmethod
    def _sign(self, kid: str, wanted: str, message: bytes) -> bytes:
        """A signature as JWS has it, held against the public half before it leaves; called in a thread."""

    async def aclose(self) -> None:
        """See :meth:`TokenKeys.aclose`."""
        await asyncio.to_thread(self._threads.shutdown)


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """What is signed (RFC 7515, section 5.1)."""
    return encoded(_dumps(header).encode()) + b"." + encoded(_dumps(claims).encode())


def compact(signed: bytes, signature: bytes) -> str:
    """A token (RFC 7515, section 7.1)."""
    return f"{signed.decode('ascii')}.{encoded(signature).decode('ascii')}"


def encoded(data: bytes) -> bytes:
    """Base64url without padding (RFC 7515, section 2)."""
    return b2a_base64(data, newline=False).translate(_URL).rstrip(b"=")
