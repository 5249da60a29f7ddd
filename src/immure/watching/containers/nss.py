"""Key databases of NSS (``key4.db`` of Firefox, Thunderbird and servers) that common passwords open.

Layout: an SQLite database (``sdb.c`` of NSS): ``metaData`` has the salt and an encrypted constant by which a
password is checked, ``nssPrivate`` one row for each private object, with a column for each attribute of PKCS
#11 (``a124``:
CKA_PRIME_1). Secret attributes are encrypted by PBES2 (RFC 8018), under a key from the SHA-1 of salt and
password. With no password set, it is the empty one; those that everybody knows are tried as well. Old
databases (``key3.db``) are not read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Final

from immure.dumps.limits import MIB, Limits
from immure.dumps.readers import BytesReader, SharedReader
from immure.dumps.tables import printable
from immure.dumps.unreadable import Unreadable
from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVE_BY_OID
from immure.keymaterial.der import OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.nss import secret_of
from immure.keymaterial.numbers import checked_rsa
from immure.keymaterial.pbe import Encryption, read_encryption
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
#: Units of work, a quarter of a microsecond each, that reading all keys of one database may cost; NSS takes
#: one round of derivation where there is no password.
_MOST_READING: Final = 2_500_000
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
                return  # a password that not everybody knows closes it: no finding
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
        self._left = _MOST_READING
        (kind,) = database.execute("SELECT type FROM sqlite_schema WHERE name = 'nssPrivate'").fetchone() or (
            "",
        )
        row = database.execute("SELECT item1, item2 FROM metaData WHERE id = 'password'").fetchone()
        if kind != "table" or row is None or not all(isinstance(item, bytes) for item in row):
            raise KeyFormatError("it has no password entry")
        self._secret, _ = secret_of(row[0], *_sealed(row[1]))

    @property
    def is_open(self) -> bool:
        """Whether a common password opens it."""
        return self._secret is not None

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
            if oid not in CURVE_BY_OID:
                raise KeyFormatError("a key on a curve that is not known here")
            return ec_from_scalar(CURVE_BY_OID[oid].name, _number(self._decrypted(scalar)))
        raise KeyFormatError("a key of another kind")

    def _decrypted(self, sealed: bytes) -> bytes:
        encryption, hidden = _sealed(sealed)
        self._left -= encryption.cost
        if self._left < 0 or self._secret is None:
            raise KeyFormatError("it asks for more rounds of derivation than are done")
        return encryption.decrypt(self._secret, hidden)


def _sealed(data: bytes) -> tuple[Encryption, bytes]:
    """How a value is encrypted, and to what."""
    body = Der(data).enter(SEQUENCE)
    return read_encryption(body), body.take(OCTETS)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


CONTAINER: Final = Container("nss", detect, parts)
