"""What is encrypted under passwords, as PKCS#12 files and key stores of Java have it.

Sources: RFC 7292, section 4 and appendix C (codes and ciphers of PKCS#12); RFC 8018, section 6.2 and appendix
A (PBES2); RFC 9579 and RFC 8018, section 7.1 (PBMAC1). Counts of rounds come from foreign files: everything
here says what it would cost before it does it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from immure.errors import KeyFormatError
from immure.keymaterial.der import INTEGER, OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.derivation import IV_ID, MAC_ID, Derivation, Password

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherAlgorithm

K = TypeVar("K")
V = TypeVar("V")

_PKCS5: Final = bytes.fromhex("2a864886f70d0105")
_PBES2, _PBKDF2, _PBMAC1 = _PKCS5 + b"\x0d", _PKCS5 + b"\x0c", _PKCS5 + b"\x0e"
_PKCS12_PBE: Final = bytes.fromhex("2a864886f70d010c01")
_HMAC: Final = bytes.fromhex("2a864886f70d02")
_HMAC_HASHES: Final = {7: "sha1", 8: "sha224", 9: "sha256", 10: "sha384", 11: "sha512"}
_SHA2: Final = bytes.fromhex("6086480165030402")
_HASHES: Final = {
    bytes.fromhex("2b0e03021a"): "sha1",
    _SHA2 + b"\x04": "sha224",
    _SHA2 + b"\x01": "sha256",
    _SHA2 + b"\x02": "sha384",
    _SHA2 + b"\x03": "sha512",
}
#: RC2 with 40 bits. The library does it in whole keys only: :meth:`Encryption.decrypt` refuses it.
RC2_40: Final = "RC2-40"
#: The ciphers of RFC 7292, appendix C, and the bytes of their keys.
_PKCS12_CIPHERS: Final = {
    1: ("RC4", 16), 2: ("RC4", 5), 3: ("3DES", 24), 4: ("3DES", 16), 5: ("RC2", 16), 6: (RC2_40, 5),
}  # fmt: skip
#: The ciphers of PBES2, by their identifiers.
_AES: Final = bytes.fromhex("6086480165030401")
_PBES2_CIPHERS: Final = {
    _AES + b"\x02": ("AES", 16),
    _AES + b"\x16": ("AES", 24),
    _AES + b"\x2a": ("AES", 32),
    bytes.fromhex("2a864886f70d0307"): ("3DES", 24),
}
_BLOCKS: Final = {"AES": 16, "3DES": 8, "RC2": 8, RC2_40: 8, "RC4": 1}
#: NSS draws so many bytes of a vector, and takes them together with their header, which makes a block.
_NSS_VECTOR: Final = 14
_MOST_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Encryption:
    """A cipher in CBC mode (or RC4) under a password.

    Attributes:
        cipher, size: its name, and the bytes of its key.
        vector: where it begins; None if that is derived from the password too.
    """

    derivation: Derivation
    cipher: str
    size: int
    vector: bytes | None

    @property
    def cost(self) -> int:
        """What one password costs, in units as of :meth:`Derivation.cost`."""
        block = 0 if self.vector is not None or self.cipher == "RC4" else _BLOCKS[self.cipher]
        return self.derivation.cost(self.size) + self.derivation.cost(block)

    def decrypt(self, password: Password | bytes, hidden: bytes) -> bytes:
        """What is hidden under this password.

        Raises:
            KeyFormatError: the padding is wrong, so the password is another one; or the cipher is
                :data:`RC2_40`.
        """
        from cryptography.hazmat.primitives.ciphers import Cipher, modes

        block = _BLOCKS[self.cipher]
        if self.cipher == RC2_40:
            raise KeyFormatError("RC2 with 40 bits is not done here")
        if not hidden or len(hidden) % block:
            raise KeyFormatError(f"ciphertext is no whole number of blocks of {block} bytes")
        algorithm = _algorithm(self.cipher, self.derivation.key(password, self.size))
        if self.cipher == "RC4":
            return Cipher(algorithm, None).decryptor().update(hidden)
        vector = self.derivation.key(password, block, IV_ID) if self.vector is None else self.vector
        plain = Cipher(algorithm, modes.CBC(vector)).decryptor().update(hidden)
        count = plain[-1]
        if not 1 <= count <= block or not plain.endswith(bytes([count]) * count):
            raise KeyFormatError("another password, or broken ciphertext")
        return plain[:-count]


@dataclass(frozen=True, slots=True)
class Code:
    """An authentication code under a password."""

    derivation: Derivation
    hash_name: str
    size: int
    digest: bytes

    @property
    def cost(self) -> int:
        """What one password costs, in units as of :meth:`Derivation.cost`."""
        return self.derivation.cost(self.size)

    def accepts(self, password: Password, data: bytes) -> bool:
        """Whether the code of the data is this one."""
        key = self.derivation.key(password, self.size, MAC_ID)
        return hmac.compare_digest(hmac.digest(key, data, self.hash_name), self.digest)


def read_encryption(outer: Der) -> Encryption:
    """AlgorithmIdentifier of a password-based encryption.

    Raises:
        KeyFormatError: it is none, or one that is not known here.
    """
    body = outer.enter(SEQUENCE)
    oid = body.take(OID)
    parameters = body.enter(SEQUENCE)
    if oid == _PBES2:
        derivation, _ = _read_pbkdf2(parameters)
        cipher = parameters.enter(SEQUENCE)
        name, size = _known(_PBES2_CIPHERS, cipher.take(OID), "cipher")
        vector = cipher.take(OCTETS)
        if len(vector) == _NSS_VECTOR and name == "AES":
            vector = bytes([OCTETS, _NSS_VECTOR]) + vector
        if len(vector) != _BLOCKS[name]:
            raise KeyFormatError("initialization vector of another length than a block")
        return Encryption(derivation, name, size, vector)
    if oid[:-1] != _PKCS12_PBE:
        raise KeyFormatError("unknown password-based encryption")
    name, size = _known(_PKCS12_CIPHERS, oid[-1], "cipher")
    derivation = Derivation("sha1", parameters.take(OCTETS), _rounds(parameters), is_pbkdf2=False)
    return Encryption(derivation, name, size, None)


def read_code(outer: Der) -> Code:
    """MacData of PKCS#12 (RFC 7292, section 4; RFC 9579).

    Raises:
        KeyFormatError: it is none, or of algorithms that are not known here.
    """
    body = outer.enter(SEQUENCE)
    info = body.enter(SEQUENCE)
    algorithm = info.enter(SEQUENCE)
    oid, digest = algorithm.take(OID), info.take(OCTETS)
    if oid == _PBMAC1:
        parameters = algorithm.enter(SEQUENCE)
        derivation, size = _read_pbkdf2(parameters)
        if not 0 < size <= _MOST_BYTES:
            raise KeyFormatError("PBMAC1 without the length of its key, or with a great one")
        return Code(derivation, _hmac_hash(parameters.enter(SEQUENCE).take(OID)), size, digest)
    name = _known(_HASHES, oid, "hash")
    salt = body.take(OCTETS)
    rounds = 1 if body.done else _rounds(body)
    size = hashlib.new(name).digest_size
    return Code(Derivation(name, salt, rounds, is_pbkdf2=False), name, size, digest)


def _read_pbkdf2(outer: Der) -> tuple[Derivation, int]:
    """The derivation, and how many bytes it says to make, 0 if it does not say."""
    body = outer.enter(SEQUENCE)
    if body.take(OID) != _PBKDF2:
        raise KeyFormatError("unknown derivation of keys")
    parameters = body.enter(SEQUENCE)
    salt, rounds = parameters.take(OCTETS), _rounds(parameters)
    size = parameters.integer() if parameters.next_tag == INTEGER else 0
    name = "sha1" if parameters.done else _hmac_hash(parameters.enter(SEQUENCE).take(OID))
    return Derivation(name, salt, rounds, is_pbkdf2=True), size


def _hmac_hash(oid: bytes) -> str:
    return _known(_HMAC_HASHES, oid[-1] if oid[:-1] == _HMAC else -1, "HMAC")


def _rounds(body: Der) -> int:
    rounds = body.integer()
    if not 0 < rounds < 1 << 31:
        raise KeyFormatError("no rounds of derivation, or more than 31 bits of them")
    return rounds


def _known(table: Mapping[K, V], key: K, what: str) -> V:
    if key not in table:
        raise KeyFormatError(f"unknown {what}")
    return table[key]


def _algorithm(name: str, key: bytes) -> CipherAlgorithm:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, RC2, TripleDES
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    if name == "3DES":
        key = (key + key[:8])[:24]  # of two keys the first is the third, too
    ciphers: dict[str, Callable[[bytes], CipherAlgorithm]] = {
        "AES": AES, "3DES": TripleDES, "RC2": RC2, "RC4": ARC4,
    }  # fmt: skip
    return ciphers[name](key)
