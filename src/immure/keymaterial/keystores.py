"""Passwords that everybody knows, and Java's JKS key stores as far as one of them opens them.

JKS is as the JDK writes it (``sun.security.provider.JavaKeyStore`` describes the layout, ``KeyProtector``
the cipher). A store that opens with none of :data:`COMMON_PASSWORDS` is no finding: others are not guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_pkcs8
from immure.keymaterial.der import OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.private import PrivateKey

JKS_MAGIC = b"\xfe\xed\xfe\xed"
_KEY_ENTRY, _CERTIFICATE_ENTRY = 1, 2
_MAX_ENTRIES = 1024
_KEY_PROTECTOR = bytes.fromhex("2b060104012a02110101")
_SHA1 = 20

#: passwords that documents, examples and products come with; the likeliest first
COMMON_PASSWORDS = (
    "", "changeit", "android", "password", "changeme", "secret", "123456", "keystore", "storepass", "keypass",
    "test", "12345678", "admin", "jboss", "tomcat", "weblogic", "wildfly", "server", "client", "kafka",
    "hadoop",
    "wso2carbon", "localhost", "demo", "default", "qwerty", "pass", "1234", "passw0rd", "Password1",
)  # fmt: skip


#: what is said of a store that stays closed
CLOSED = "none of the common passwords opens it"


class StoreKey(NamedTuple):
    """A private key of a store, None if no common password opens it, and the bounds of its entry.

    Attributes:
        reason: why it is not open, in words, if it is not.
    """

    private: PrivateKey | None
    start: int
    end: int
    reason: str = CLOSED


def not_all_tried(rounds: int) -> str:
    """What is said of a store that not all passwords were tried on, because each takes so many rounds."""
    why = f"each password takes {rounds:,} rounds, too many to try all common ones"
    return f"{why}; none that was tried opens it"


class DataInput:
    """What Java's class of that name reads: big-endian numbers, and bytes."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, count: int) -> bytes:
        """So many bytes.

        Raises:
            KeyFormatError: there are fewer.
        """
        field = self.data[self.at : self.at + count]
        if len(field) < count:
            raise KeyFormatError("key store is cut off")
        self.at += count
        return field

    def uint(self, width: int) -> int:
        """A number of so many bytes; raises as :meth:`take` does."""
        return int.from_bytes(self.take(width), "big")


def read_jks(data: bytes, at: int = 0) -> Iterator[StoreKey]:
    """The private keys of a JKS key store, and those that none of :data:`COMMON_PASSWORDS` opens.

    Raises:
        KeyFormatError: no store begins there, or it is cut off; what came before is valid.
    """
    reader = DataInput(data, at)
    if reader.take(4) != JKS_MAGIC or (version := reader.uint(4)) not in (1, 2):
        raise KeyFormatError("not a JKS key store")
    for _ in range(min(reader.uint(4), _MAX_ENTRIES)):
        start = reader.at
        kind = reader.uint(4)
        reader.take(reader.uint(2) + 8)  # alias, time
        if kind == _KEY_ENTRY:
            private = _open_entry(reader.take(reader.uint(4)))
            end = reader.at
            for _ in range(min(reader.uint(4), _MAX_ENTRIES)):
                _skip_certificate(reader, version)
            yield StoreKey(private, start, end)
        elif kind == _CERTIFICATE_ENTRY:
            _skip_certificate(reader, version)
        else:
            raise KeyFormatError("JKS entry of an unknown kind")


def _skip_certificate(reader: DataInput, version: int) -> None:
    if version == 2:
        reader.take(reader.uint(2))
    reader.take(reader.uint(4))


def _open_entry(data: bytes) -> PrivateKey | None:
    """The key in an EncryptedPrivateKeyInfo of JKS, None if no common password opens it."""
    body = Der(data).enter(SEQUENCE)
    if body.enter(SEQUENCE).take(OID) != _KEY_PROTECTOR:
        return None
    sealed = body.take(OCTETS)
    for password in COMMON_PASSWORDS:
        plain = _unsealed(sealed, password.encode("utf-16-be"))
        if plain is not None:
            return read_pkcs8(Der(plain))
    return None


def _unsealed(sealed: bytes, password: bytes) -> bytes | None:
    """What ``KeyProtector`` has sealed, None if the password is another one. A key begins as a SEQUENCE does:
    most passwords are wrong already at its first byte."""
    salt, hidden, check = sealed[:_SHA1], sealed[_SHA1:-_SHA1], sealed[-_SHA1:]
    block = hashlib.sha1(password + salt, usedforsecurity=False).digest()
    if not hidden or hidden[0] ^ block[0] != SEQUENCE:
        return None
    stream = bytearray(block)
    while len(stream) < len(hidden):
        block = hashlib.sha1(password + block, usedforsecurity=False).digest()
        stream += block
    plain = bytes(left ^ right for left, right in zip(hidden, stream, strict=False))
    if hashlib.sha1(password + plain, usedforsecurity=False).digest() != check:
        return None
    return plain
