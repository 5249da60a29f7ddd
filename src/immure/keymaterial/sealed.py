"""Containers of keys that nothing in them opens: blobs of Windows' DPAPI, keychains of macOS, keys that a TPM
has wrapped. They are recognised, so that a report can say that they are there.

Sources: the layout of DPAPI blobs as published by Bursztein and Picod ("Recovering Windows secrets and EFS
certificates offline", WOOT 2010); Apple's open source ``securityd`` (``ssblob.h``);
"ASN.1 Specification for TPM 2.0 Key Files" (J. Bottomley); TPM 2.0 Library, part 2.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.der import INTEGER, OCTETS, OID, SEQUENCE, Der, read_header
from immure.keymaterial.keystores import COMMON_PASSWORDS

#: Version 1, and the GUID of the only provider.
DPAPI_HEAD: Final = bytes.fromhex("01000000d08c9ddf0115d1118c7a00c04fc297eb")
#: What stands right before the salt, the first thing in a blob that looks random: algorithm, bits and
#: the length of the salt, for AES-256 and for triple DES.
DPAPI_CIPHERS: Final = (bytes.fromhex("106600000001000020000000"), bytes.fromhex("03660000c000000010000000"))
#: Magic, version 1.0, and the length of what follows.
KEYCHAIN_HEAD: Final = b"kych\x00\x01\x00\x00\x00\x00\x00\x10"
#: The object identifiers of a TPM 2.0 key file: 2.23.133.10.1, and its kinds below it.
TPM_OID: Final = b"\x06\x06\x67\x81\x05\x0a\x01"
_TPM_KINDS: Final = {3: "a loadable key", 4: "an importable key", 5: "sealed data"}
_ALGORITHMS: Final = {0x0001: "RSA", 0x0023: "EC", 0x0008: "data", 0x0025: "symmetric"}
_MOST: Final = 1 << 16
_DB_BLOB: Final = b"\xfa\xde\x07\x11"
_DB_FIELDS: Final = struct.Struct(">4s3I16s3I20s8s20s")
_KEYCHAIN_ROUNDS: Final = 1000


class Sealed(NamedTuple):
    """A container: what it is, in words; whether it is open after all; and the offset behind it."""

    what: str
    is_open: bool
    end: int


class _Little:
    """Lengths and strings of a little-endian format."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, count: int) -> bytes:
        field = self.data[self.at : self.at + count]
        if len(field) < count or count > _MOST:
            raise KeyFormatError("DPAPI blob is cut off")
        self.at += count
        return field

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def string(self) -> bytes:
        return self.take(self.uint32())


def read_dpapi(data: bytes, at: int = 0) -> Sealed:
    """A DPAPI blob, as credentials, CNG key files and browsers have them.

    Raises:
        KeyFormatError: none begins there, or it is cut off.
    """
    reader = _Little(data, at)
    if reader.take(len(DPAPI_HEAD)) != DPAPI_HEAD or reader.uint32() != 1:
        raise KeyFormatError("not a DPAPI blob")
    master = uuid.UUID(bytes_le=reader.take(16))
    reader.uint32()  # flags
    description = reader.string()
    if not description.endswith(b"\0\0") or len(description) % 2:
        raise KeyFormatError("DPAPI blob without a description")
    cipher, key_bits = reader.uint32(), reader.uint32()
    reader.string()  # salt
    reader.string()  # a key that is never there
    digest, digest_bits = reader.uint32(), reader.uint32()
    if not key_bits or not digest_bits or cipher >> 13 != 3 or digest >> 13 != 4:
        raise KeyFormatError("DPAPI blob of unknown algorithms")
    reader.string()  # of the code
    hidden = reader.string()
    reader.string()  # the code
    return Sealed(f"DPAPI blob of {len(hidden)} bytes under the master key {master}", False, reader.at)


def read_keychain(data: bytes, at: int = 0) -> Sealed:
    """A keychain of macOS (``login.keychain-db``) and its database key; whether a common password opens it.

    Raises:
        KeyFormatError: none begins there, or its database key is not within 64 KiB.
    """
    if data[at : at + len(KEYCHAIN_HEAD)] != KEYCHAIN_HEAD:
        raise KeyFormatError("not a keychain")
    blob = data.find(_DB_BLOB, at, at + _MOST)
    if blob < 0 or len(data) < blob + _DB_FIELDS.size:
        raise KeyFormatError("keychain without a database key")
    _, _, start, total, _, _, _, _, salt, vector, _ = _DB_FIELDS.unpack_from(data, blob)
    hidden = data[blob + start : blob + total]
    if not _DB_FIELDS.size <= start < total <= _MOST or len(hidden) < total - start or len(hidden) % 8:
        raise KeyFormatError("keychain whose database key is cut off")
    is_open = any(_opens(password, salt, vector, hidden) for password in COMMON_PASSWORDS)
    return Sealed("keychain of macOS", is_open, blob + total)


def _opens(password: str, salt: bytes, vector: bytes, hidden: bytes) -> bool:
    """Whether what is hidden is two keys, of 24 and 20 bytes, and their padding."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, _KEYCHAIN_ROUNDS, 24)
    plain = Cipher(TripleDES(key), modes.CBC(vector)).decryptor().update(hidden)
    return len(plain) == 48 and plain.endswith(bytes([4]) * 4)


def read_tpm_key(data: bytes, at: int = 0) -> Sealed:
    """A key file of a TPM 2.0 (``TSS2 PRIVATE KEY``, without the armour).

    Raises:
        KeyFormatError: none begins there, or it is cut off.
    """
    _, _, end = read_header(data, at, len(data))
    body = Der(data, at, end).enter(SEQUENCE)
    kind = body.take(OID)
    if kind[:-1] != TPM_OID[2:] or kind[-1] not in _TPM_KINDS:
        raise KeyFormatError("not a key of a TPM")
    values = _values(data, body.at, end)
    strings = [value for tag, value in values if tag == OCTETS]
    if not any(tag == INTEGER for tag, _ in values) or len(strings) < 2:
        raise KeyFormatError("key of a TPM without its parts")
    public, private = strings[-2:]
    if len(public) < 4 or len(private) < 2 or int.from_bytes(private[:2], "big") != len(private) - 2:
        raise KeyFormatError("key of a TPM whose parts have other lengths")
    algorithm = _ALGORITHMS.get(int.from_bytes(public[2:4], "big"), "unknown")
    no_password = any(tag == 0xA0 and value[-1:] not in (b"", b"\0") for tag, value in values)
    words = f"{_TPM_KINDS[kind[-1]]} of a TPM ({algorithm})" + ", which asks for no password" * no_password
    return Sealed(words, False, end)


def _values(data: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    """Tags and contents of what stands side by side."""
    values = []
    while at < end:
        tag, start, stop = read_header(data, at, end)
        values.append((tag, data[start:stop]))
        at = stop
    return values
