"""Key stores that open without a password, or with one that everybody knows: Java's JKS, and PKCS#12 (RFC
7292).

JKS is as the JDK writes it (``sun.security.provider.JavaKeyStore`` describes the layout, ``KeyProtector``
the cipher). A store that opens with none of :data:`COMMON_PASSWORDS` is no finding: others are not guessed.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_pkcs8
from immure.keymaterial.der import INTEGER, OCTETS, OID, SEQUENCE, Der, read_header
from immure.keymaterial.private import PrivateKey

JKS_MAGIC = b"\xfe\xed\xfe\xed"
_KEY_ENTRY, _CERTIFICATE_ENTRY = 1, 2
_MAX_ENTRIES = 1024
_KEY_PROTECTOR = bytes.fromhex("2b060104012a02110101")
_SHA1 = 20

#: rounds of key derivation in one PKCS#12 file, all together, that an opening may cost (some 20 ms); the JDK
#: writes three times 10,000, OpenSSL three times 2,048
_MAX_ROUNDS = 50_000
#: the same for all passwords together (some 80 ms); of a store that costs much only the first ones are tried
_MOST_WORK = 200_000
_MAX_VALUES = 4096
#: passwords that documents, examples and products come with; the likeliest first
COMMON_PASSWORDS = (
    "", "changeit", "android", "password", "changeme", "secret", "123456", "keystore", "storepass", "keypass",
    "test", "12345678", "admin", "jboss", "tomcat", "weblogic", "wildfly", "server", "client", "kafka",
    "hadoop",
    "wso2carbon", "localhost", "demo", "default", "qwerty", "pass", "1234", "passw0rd", "Password1",
)  # fmt: skip


class StoreKey(NamedTuple):
    """A private key of a store, None if no common password opens it, and the bounds of its entry."""

    private: PrivateKey | None
    start: int
    end: int


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


def read_pkcs12(data: bytes, at: int = 0) -> StoreKey:
    """The private key of the PKCS#12 file (PFX) at ``at``, if no password or a common one opens it. Whether
    there is a key in another one cannot be told.

    Raises:
        KeyFormatError: no file begins there, it is cut off, holds no key, or would cost too much to open.
    """
    _, _, end = read_header(data, at, len(data))
    body = Der(data, at, end).enter(SEQUENCE)
    if body.integer() != 3:
        raise KeyFormatError("not PKCS#12")
    rounds = _rounds(data[at:end])
    if rounds > _MAX_ROUNDS:
        raise KeyFormatError("PKCS#12 file that asks for too many rounds")
    tried = (None, *(password.encode() for password in COMMON_PASSWORDS))
    for password in tried[: max(2, _MOST_WORK // max(rounds, 1))]:
        try:
            encoded = _pkcs12_key(data[at:end], password)
        except ValueError:
            continue
        if not encoded:
            raise KeyFormatError("PKCS#12 file that holds no key")
        return StoreKey(read_pkcs8(Der(encoded)), at, end)
    if not rounds:
        raise KeyFormatError("not PKCS#12, or one of which nothing is encrypted")
    return StoreKey(None, at, end)


def _pkcs12_key(data: bytes, password: bytes | None) -> bytes:
    """The key of a file in PKCS#8, nothing if it has none.

    Raises:
        ValueError: the password is another one, or the file is broken.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on old ciphers: they are the file's choice, not ours
            key, _, _ = pkcs12.load_key_and_certificates(data, password)
        if key is None:
            return b""
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("unknown cipher or key") from error


def _rounds(data: bytes) -> int:
    """The sum of what may be counts of rounds: INTEGERs directly behind an OCTET STRING, at any depth.

    Walks into everything that is constructed, and into strings that begin as a SEQUENCE does. Ciphertext may
    do so by chance: where something turns out not to be DER the walk goes no further.

    Raises:
        KeyFormatError: too many values.
    """
    total = seen = 0
    pending = [(0, len(data))]
    while pending:
        at, end = pending.pop()
        last = -1
        while at < end:
            seen += 1
            if seen > _MAX_VALUES:
                raise KeyFormatError("PKCS#12 file of too many values")
            try:
                tag, start, stop = read_header(data, at, end)
            except KeyFormatError:
                break
            if tag == INTEGER and last == OCTETS:
                total += int.from_bytes(data[start : min(stop, start + 16)], "big")
            elif tag & 0x20 or (tag == OCTETS and data[start : start + 1] == b"\x30"):
                pending.append((start, stop))
            last, at = tag, stop
    return total
