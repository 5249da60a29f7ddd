"""BKS, the key store of the Bouncy Castle provider (versions 1 and 2), as far as common passwords open it.

Source: ``BcKeyStoreSpi`` of Bouncy Castle describes the layout; a key is sealed with triple DES under what
RFC 7292, appendix B, makes of the password. The UBER store of the same provider is encrypted as a whole
(Twofish): nothing tells that it is one, and it is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_pkcs8
from immure.keymaterial.der import Der
from immure.keymaterial.keystores import COMMON_PASSWORDS, DataInput
from immure.keymaterial.private import PrivateKey

#: What a store of each version begins with: the version, and that its salt has twenty bytes.
HEADS: Final = tuple(version.to_bytes(4, "big") + b"\0\0\0\x14" for version in (1, 2))
_CERTIFICATE, _KEY, _SECRET, _SEALED = 1, 2, 3, 4
_PRIVATE: Final = 0
_MAX_ENTRIES: Final = 1024
_BLOCK: Final = 8
#: Rounds of key derivation that one entry may ask for, and hashes that a store may cost (some 100 ms).
_MAX_ROUNDS: Final = 20_000
_MOST_WORK: Final = 300_000
_KEY_ID, _IV_ID = 1, 2
_HASH, _HASH_BLOCK = 20, 64


class BksKey(NamedTuple):
    """A private key of a store, None if no common password opens it, and the bounds of its entry."""

    private: PrivateKey | None
    start: int
    end: int


def read_bks(data: bytes, at: int = 0) -> Iterator[BksKey]:
    """The private keys of a BKS store. Keys that are not private are left out.

    Raises:
        KeyFormatError: no store begins there, or it is cut off; what came before is valid.
    """
    reader = DataInput(data, at)
    if reader.take(8) not in HEADS:
        raise KeyFormatError("not a BKS key store")
    reader.take(_HASH + 4)  # salt and rounds of the code at the end
    work = _MOST_WORK
    for _ in range(_MAX_ENTRIES):
        start, kind = reader.at, reader.uint(1)
        if kind == 0:
            return
        reader.take(reader.uint(2) + 8)  # alias, time
        for _ in range(min(reader.uint(4), _MAX_ENTRIES)):
            _skip_certificate(reader)
        if kind == _CERTIFICATE:
            _skip_certificate(reader)
        elif kind == _KEY:
            private = _plain_key(reader)
            if private is not None:
                yield BksKey(private, start, reader.at)
        elif kind in (_SECRET, _SEALED):
            sealed = reader.take(reader.uint(4))
            if kind == _SEALED:
                private, work = _open(sealed, work)
                yield BksKey(private, start, reader.at)
        else:
            raise KeyFormatError("BKS entry of an unknown kind")


def _skip_certificate(reader: DataInput) -> None:
    reader.take(reader.uint(2))
    reader.take(reader.uint(4))


def _plain_key(reader: DataInput) -> PrivateKey | None:
    """The key that is written as type, names of format and algorithm, and bytes; None if it is not private.

    Raises:
        KeyFormatError: it is cut off, or says that it is a private key and is none.
    """
    kind = reader.uint(1)
    form, _ = reader.take(reader.uint(2)), reader.take(reader.uint(2))
    encoded = reader.take(reader.uint(4))
    return read_pkcs8(Der(encoded)) if kind == _PRIVATE and form in (b"PKCS#8", b"PKCS8") else None


def _open(sealed: bytes, work: int) -> tuple[PrivateKey | None, int]:
    """What is sealed, and how much work may still be done."""
    reader = DataInput(sealed, 0)
    salt, rounds = reader.take(reader.uint(4)), reader.uint(4)
    hidden = sealed[reader.at :]
    if not 0 < rounds <= _MAX_ROUNDS or not 0 < len(salt) <= _HASH_BLOCK:
        return None, work
    if len(hidden) % _BLOCK or not hidden:
        return None, work
    for password in COMMON_PASSWORDS:
        work -= 3 * rounds
        if work < 0:
            break
        plain = _unsealed(hidden, password, salt, rounds)
        if plain is not None:
            try:
                return _plain_key(DataInput(plain, 0)), work
            except KeyFormatError:
                continue  # a wrong password whose last byte looks right, one of 256
    return None, work


def _unsealed(hidden: bytes, password: str, salt: bytes, rounds: int) -> bytes | None:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    # of another password nothing looks right, which the last block tells: that needs no vector
    secret = TripleDES(derived(password, salt, rounds, _KEY_ID, 24))
    before = hidden[-2 * _BLOCK : -_BLOCK] or bytes(_BLOCK)
    last = Cipher(secret, modes.CBC(before)).decryptor().update(hidden[-_BLOCK:])
    count = last[-1]
    if len(hidden) > _BLOCK and not (1 <= count <= _BLOCK and last.endswith(bytes([count]) * count)):
        return None
    vector = derived(password, salt, rounds, _IV_ID, _BLOCK)
    return Cipher(secret, modes.CBC(vector)).decryptor().update(hidden)


def derived(password: str, salt: bytes, rounds: int, purpose: int, length: int) -> bytes:
    """Key material of a password (RFC 7292, appendix B.2, with SHA-1)."""
    text = (password + "\0").encode("utf-16-be") if password else b""
    blocks = bytearray(_filled(salt) + _filled(text))
    result = b""
    while True:
        digest = hashlib.sha1(bytes([purpose]) * _HASH_BLOCK + blocks, usedforsecurity=False).digest()
        for _ in range(rounds - 1):
            digest = hashlib.sha1(digest, usedforsecurity=False).digest()
        result += digest
        if len(result) >= length:
            return result[:length]
        more = int.from_bytes(_filled(digest), "big") + 1
        for at in range(0, len(blocks), _HASH_BLOCK):
            total = int.from_bytes(blocks[at : at + _HASH_BLOCK], "big") + more
            blocks[at : at + _HASH_BLOCK] = (total % (1 << 8 * _HASH_BLOCK)).to_bytes(_HASH_BLOCK, "big")


def _filled(data: bytes) -> bytes:
    """Repeated until the last block of the hash is full."""
    length = -(-len(data) // _HASH_BLOCK) * _HASH_BLOCK
    return (data * (length // max(len(data), 1) + 1))[:length]
