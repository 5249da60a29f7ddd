"""Key databases of NSS (``key4.db`` of Firefox, Thunderbird and servers), as far as no password closes them.

Layout: an SQLite database (``sdb.c`` of NSS): ``metaData`` has the salt and an encrypted constant by which a
password is checked, ``nssPrivate`` one row for each private object, with a column for each attribute of PKCS
#11 (``a124``:
CKA_PRIME_1). Secret attributes are encrypted by PBES2 (RFC 8018), under a key from the SHA-1 of salt and
password. With no password set, it is the empty one; others are not tried. Certificates of old databases
(``key3.db``) and triple DES are not read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Final

from immure.dumps.limits import MIB, Limits
from immure.dumps.readers import BytesReader, SharedReader
from immure.dumps.tables import printable
from immure.dumps.unreadable import Unreadable
from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.der import OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.numbers import checked_rsa
from immure.keymaterial.private import PrivateKey, ec_from_scalar, rsa_from_prime
from immure.keymaterial.serialize import to_pkcs8
from immure.watching.containers.part import Container, Part

MAGIC: Final = b"SQLite format 3\0"
_TABLE: Final = b"nssPrivate"
#: One page of the smallest size, and what is read into memory.
_LEAST_BYTES: Final = 512
_MOST_BYTES: Final = 64 * MIB
_MOST_ROWS: Final = 10_000
_MOST_VALUE: Final = 1 << 16
#: Steps of SQLite's machine, in thousands, that a database may cost.
_MOST_STEPS: Final = 20_000
#: Rounds of key derivation for one database; NSS takes one where there is no password.
_MOST_ROUNDS: Final = 100_000
_PBES2: Final = bytes.fromhex("2a864886f70d01050d")
_AES_256_CBC: Final = bytes.fromhex("60864801650304012a")
_CHECK: Final = b"password-check"
_ATTRIBUTES: Final = "a100, a120, a122, a124, a180, a11"
_RSA, _EC = b"\0\0\0\0", b"\0\0\0\x03"


def detect(head: bytes) -> bool:
    """Whether a file begins as such a database does."""
    return head.startswith(MAGIC) and _TABLE in head


def parts(shared: SharedReader, limits: Limits) -> Iterator[Part | Unreadable]:
    """Each private key, as PKCS #8."""
    reader = shared.reader
    reader.wait()
    size = reader.size or 0
    if not _LEAST_BYTES <= size <= _MOST_BYTES:
        yield Unreadable("", f"is a key database of {size} bytes: not opened")
        return
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            _harden(database)
            database.deserialize(reader.read(0, size))
            keys = _Keys(database)
            if not keys.is_open:
                return  # a password closes it: no finding
            for number, private in enumerate(keys.read(), 1):
                yield Part(f"key {number}", BytesReader(to_pkcs8(private)))
    except (
        sqlite3.Error,
        KeyFormatError,
        OverflowError,
        ValueError,
    ) as error:  # also of messages with foreign bytes
        yield Unreadable("", f"the key database cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    return (
        "its texts are no UTF-8"
        if isinstance(error, UnicodeError)
        else printable(str(error).encode("utf-8", "replace"), 200)
    )


def _harden(database: sqlite3.Connection) -> None:
    """Foreign bytes are about to be a database."""
    steps = iter(range(_MOST_STEPS))
    database.set_progress_handler(lambda: next(steps, None) is None, 1000)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
        database.execute(f"PRAGMA {pragma}")


class _Keys:
    """The private keys of a database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._rounds = _MOST_ROUNDS
        (kind,) = database.execute("SELECT type FROM sqlite_schema WHERE name = 'nssPrivate'").fetchone() or (
            "",
        )
        row = database.execute("SELECT item1, item2 FROM metaData WHERE id = 'password'").fetchone()
        if kind != "table" or row is None or not all(isinstance(item, bytes) for item in row):
            raise KeyFormatError("it has no password entry")
        self._secret = hashlib.sha1(row[0], usedforsecurity=False).digest()
        self.is_open = self._decrypted(row[1]) == _CHECK

    def read(self) -> Iterator[PrivateKey]:
        """One after the other; what is no key is left out."""
        columns = self._columns()
        rows = self._database.execute(f"SELECT {columns} FROM nssPrivate LIMIT {_MOST_ROWS}")  # noqa: S608
        for row in rows:
            fields = [item if isinstance(item, bytes) and len(item) <= _MOST_VALUE else b"" for item in row]
            with suppress(KeyFormatError):
                yield self._key(*fields)

    def _columns(self) -> str:
        """The attributes; a database has columns only for those that it has seen."""
        found = {name for _, name, *_ in self._database.execute("PRAGMA table_info(nssPrivate)")}
        return ", ".join(name if name in found else "NULL" for name in _ATTRIBUTES.split(", "))

    def _key(self, kind: bytes, n: bytes, e: bytes, prime: bytes, curve: bytes, scalar: bytes) -> PrivateKey:
        if kind == _RSA:
            return rsa_from_prime(checked_rsa(_number(n), _number(e)), _number(self._decrypted(prime)))
        if kind == _EC:
            oid = Der(curve).take(OID)
            name = next((known.name for known in CURVES.values() if known.oid == oid), "")
            return ec_from_scalar(name, _number(self._decrypted(scalar)))
        raise KeyFormatError("a key of another kind")

    def _decrypted(self, sealed: bytes) -> bytes:
        """What PBES2 with PBKDF2, HMAC-SHA-256 and AES-256-CBC has sealed (RFC 8018, appendix A.4)."""
        body = Der(sealed).enter(SEQUENCE)
        algorithm = body.enter(SEQUENCE)
        if algorithm.take(OID) != _PBES2:
            raise KeyFormatError("its cipher is one that is not read")
        scheme = algorithm.enter(SEQUENCE)
        derivation = scheme.enter(SEQUENCE)
        derivation.skip()
        parameters = derivation.enter(SEQUENCE)
        salt, rounds = parameters.take(OCTETS), parameters.integer()
        cipher = scheme.enter(SEQUENCE)
        if cipher.take(OID) != _AES_256_CBC:
            raise KeyFormatError("its cipher is one that is not read")
        # NSS leaves the head of an OCTET STRING of 14 bytes in the vector
        vector, data = b"\x04\x0e" + cipher.take(OCTETS), body.take(OCTETS)
        self._rounds -= rounds
        if self._rounds < 0 or rounds < 1 or len(vector) != 16 or len(data) % 16 or not data:
            raise KeyFormatError("its cipher is one that is not read")
        return _aes(hashlib.pbkdf2_hmac("sha256", self._secret, salt, rounds, 32), vector, data)


def _aes(key: bytes, vector: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= 16 or plain[-padding:] != bytes([padding]) * padding:
        return b""  # under another key
    return plain[:-padding]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


CONTAINER: Final = Container("nss", detect, parts)
