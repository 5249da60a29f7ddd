"""BKS, the key store of the Bouncy Castle provider (versions 1 and 2), as far as common passwords open it.

Source: ``BcKeyStoreSpi`` of Bouncy Castle describes the layout; a key is sealed with triple DES under what
RFC 7292, appendix B, makes of the password. The UBER store of the same provider is encrypted as a whole
(Twofish): :func:`reads_like_uber` tells one by its head, and nobody reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_pkcs8
from immure.keymaterial.der import Der
from immure.keymaterial.derivation import IV_ID, KEY_ID, derived
from immure.keymaterial.keystores import COMMON_PASSWORDS, DataInput, StoreKey
from immure.keymaterial.private import PrivateKey

#: What a store of each version begins with: the version, and that its salt has twenty bytes.
HEADS: Final = tuple(version.to_bytes(4, "big") + b"\0\0\0\x14" for version in (1, 2))
_CERTIFICATE, _KEY, _SECRET, _SEALED = 1, 2, 3, 4
_PRIVATE: Final = 0
_MAX_ENTRIES: Final = 1024
_BLOCK: Final = 8
#: Bytes before the ciphertext of an UBER store, and how many of it are looked at: a store with a key has
#: more. Some 162 of random ones are different, and some 19 of a salt; fewer than is asked for are of one
#: salt in 50 million.
UBER_HEAD: Final = 32
_UBER_LOOK: Final = 256
#: Rounds of key derivation that one entry may ask for, and hashes that a store may cost (some 100 ms).
_MAX_ROUNDS: Final = 20_000
_MOST_WORK: Final = 300_000
_HASH, _HASH_BLOCK = 20, 64


def read_bks(data: bytes, at: int = 0) -> Iterator[StoreKey]:
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
                yield StoreKey(private, start, reader.at)
        elif kind in (_SECRET, _SEALED):
            sealed = reader.take(reader.uint(4))
            if kind == _SEALED:
                private, work = _open(sealed, work)
                yield StoreKey(private, start, reader.at)
        else:
            raise KeyFormatError("BKS entry of an unknown kind")


def reads_like_uber(data: bytes, at: int = 0) -> bool:
    """Whether an UBER store may begin here: version 1, twenty bytes of salt, 1,024 to 2,047 rounds (Bouncy
    Castle draws ten bits of them), and a ciphertext. Salt and ciphertext look random, and no entry of a BKS
    store of version 1 follows, which begins in the same way.

    86 bits are fixed: 64 of version and length, 22 of the rounds. So of random bytes, one place in 2^86
    reads so. Nothing but its head tells it from another format that begins with these numbers, a hash of
    twenty bytes and something that is encrypted or compressed.
    """
    head, body = data[at : at + UBER_HEAD], data[at + UBER_HEAD : at + UBER_HEAD + _UBER_LOOK]
    if head[:8] != HEADS[0] or len(body) < _UBER_LOOK or not 1024 <= int.from_bytes(head[28:], "big") < 2048:
        return False
    is_entry = body[0] <= _SEALED and body[1] == 0
    return not is_entry and len(set(head[8:28])) >= 13 and len(set(body)) >= 120


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
    secret = TripleDES(derived("sha1", password or None, salt, rounds, KEY_ID, 24))
    before = hidden[-2 * _BLOCK : -_BLOCK] or bytes(_BLOCK)
    last = Cipher(secret, modes.CBC(before)).decryptor().update(hidden[-_BLOCK:])
    count = last[-1]
    if len(hidden) > _BLOCK and not (1 <= count <= _BLOCK and last.endswith(bytes([count]) * count)):
        return None
    vector = derived("sha1", password or None, salt, rounds, IV_ID, _BLOCK)
    return Cipher(secret, modes.CBC(vector)).decryptor().update(hidden)
