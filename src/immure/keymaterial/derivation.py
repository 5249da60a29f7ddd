"""Keys from passwords: by PBKDF2 (RFC 8018, section 5.2), and as PKCS#12 does it (RFC 7292, appendix B)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from immure.errors import KeyFormatError

#: What PKCS#12 makes of one password: a key, a vector, the key of a code.
KEY_ID: Final = 1
IV_ID: Final = 2
MAC_ID: Final = 3

#: A password; None stands for no password at all, which PKCS#12 tells from an empty one.
Password = str | None

#: What one round costs: in the library's own loop, and in one of Python.
_PBKDF2_COST: Final = {"sha1": 1, "sha224": 1, "sha256": 1, "sha384": 3, "sha512": 3}
_LOOP_COST: Final = {"sha1": 3, "sha224": 4, "sha256": 4, "sha384": 6, "sha512": 6}


@dataclass(frozen=True, slots=True)
class Derivation:
    """How bytes are made of a password: by PBKDF2, or as RFC 7292, appendix B, has it."""

    hash_name: str
    salt: bytes
    rounds: int
    is_pbkdf2: bool

    def cost(self, length: int) -> int:
        """What so many bytes cost, in units of some quarter of a microsecond."""
        blocks = -(-length // hashlib.new(self.hash_name).digest_size)
        by_hash = _PBKDF2_COST if self.is_pbkdf2 else _LOOP_COST
        return self.rounds * blocks * by_hash[self.hash_name]

    def key(self, password: Password | bytes, length: int, purpose: int = KEY_ID) -> bytes:
        """So many bytes for a purpose, which PBKDF2 does not know of.

        Raises:
            KeyFormatError: bytes instead of text, which only PBKDF2 takes.
        """
        if self.is_pbkdf2:
            secret = password if isinstance(password, bytes) else (password or "").encode()
            return hashlib.pbkdf2_hmac(self.hash_name, secret, self.salt, self.rounds, length)
        if isinstance(password, bytes):
            raise KeyFormatError("PKCS#12 derives keys from text")
        return derived(self.hash_name, password, self.salt, self.rounds, purpose, length)


def derived(hash_name: str, password: Password, salt: bytes, rounds: int, purpose: int, length: int) -> bytes:
    """Key material of a password (RFC 7292, appendix B.2)."""
    width = 128 if hash_name in ("sha384", "sha512") else 64
    text = b"" if password is None else (password + "\0").encode("utf-16-be")
    blocks = bytearray(_filled(salt, width) + _filled(text, width))
    make: Callable[..., hashlib._Hash] = getattr(hashlib, hash_name)
    result = b""
    while True:
        digest = make(bytes([purpose]) * width + blocks, usedforsecurity=False).digest()
        for _ in range(rounds - 1):
            digest = make(digest, usedforsecurity=False).digest()
        result += digest
        if len(result) >= length:
            return result[:length]
        more = int.from_bytes(_filled(digest, width), "big") + 1
        for at in range(0, len(blocks), width):
            total = int.from_bytes(blocks[at : at + width], "big") + more
            blocks[at : at + width] = (total % (1 << 8 * width)).to_bytes(width, "big")


def _filled(data: bytes, width: int) -> bytes:
    """Repeated until the last block of the hash is full."""
    length = -(-len(data) // width) * width
    return (data * (length // max(len(data), 1) + 1))[:length]
