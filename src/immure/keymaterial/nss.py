"""The key database of NSS (``key4.db`` of Firefox, of pk12util and certutil, of servers that use NSS), as far
as common passwords open it. A database that has no password has the empty one.

Source: NSS's ``sftkpwd.c``, ``sftkdb.c`` and ``lowpbe.c``. The file is one of SQLite, but of an image only
pieces of it may be there, so no table is read: the row that the password is checked by leads to the salt of
the database, and the parts of a private key stand side by side, each encrypted by itself with PBES2 (RFC
8018). Databases of before 2019, with triple DES, are not known here, nor are keys that SQLite has spread over
several pages, as it does with some of RSA of more than 4096 bits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVE_BY_OID, Curve
from immure.keymaterial.der import OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.keystores import CLOSED, COMMON_PASSWORDS, not_all_tried
from immure.keymaterial.numbers import checked_rsa
from immure.keymaterial.pbe import Encryption, read_encryption
from immure.keymaterial.private import EcPrivate, PrivateKey, RsaPrivate, ec_from_scalar, rsa_from_parts

#: The identifier of PBES2, which is in every part.
PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
#: What stands before the salt of the database, which stands right before the part that is checked.
NAME: Final = b"password"
_CHECK: Final = b"password-check"
_SALTS: Final = (20, 16, 32)
#: Units of a quarter of a microsecond: all passwords with 10,000 rounds each, and what is read then.
_MOST_TRYING: Final = 500_000
_MOST_READING: Final = 2_500_000
#: Bytes behind a part of a key of an elliptic curve in which its curve and point stand.
_ROW: Final = 600


class NssKey(NamedTuple):
    """A private key of a database, and the bounds of its parts."""

    private: PrivateKey
    start: int
    end: int


class _Part(NamedTuple):
    """Something that is encrypted, and its bounds."""

    encryption: Encryption
    hidden: bytes
    start: int
    end: int


class Database(NamedTuple):
    """A database.

    Attributes:
        start, end: the row that its password is checked by.
        secret: what its parts are under, None if no common password opens it.
        reason: why it is not open, in words, if it is not.
    """

    start: int
    end: int
    secret: bytes | None
    reason: str


def read_database(data: bytes, at: int) -> Database:
    """The database whose password is checked by the part in which :data:`PBES2` stands at ``at``.

    Raises:
        KeyFormatError: the part is none, or another one.
    """
    part = _read_part(data, at)
    for size in _SALTS:
        name = part.start - size - len(NAME)
        if name >= 0 and data.startswith(NAME, name):
            salt = data[part.start - size : part.start]
            return Database(name, part.end, *secret_of(salt, part.encryption, part.hidden))
    raise KeyFormatError("not what NSS checks a password by")


def secret_of(salt: bytes, encryption: Encryption, hidden: bytes) -> tuple[bytes | None, str]:
    """What all parts of the database with this salt are encrypted under, if what its password is checked by
    opens with a common one; or None, and why that is not known."""
    tried = COMMON_PASSWORDS[: _MOST_TRYING // encryption.cost]
    for password in tried:
        secret = hashlib.sha1(salt + password.encode(), usedforsecurity=False).digest()
        if _opened(encryption, hidden, secret) == _CHECK:
            return secret, ""
    if len(tried) < len(COMMON_PASSWORDS):
        return None, not_all_tried(encryption.derivation.rounds)
    return None, CLOSED


def read_keys(data: bytes, secret: bytes) -> Iterator[NssKey]:
    """The private keys in these bytes whose parts are under the secret of their database."""
    budget = _MOST_READING
    numbers: list[tuple[_Part, bytes]] = []
    at = data.find(PBES2)
    while at >= 0:
        try:
            part = _read_part(data, at)
        except KeyFormatError:
            at = data.find(PBES2, at + 1)
            continue
        budget -= part.encryption.cost
        if budget < 0:
            return
        at = data.find(PBES2, part.end)
        plain = _opened(part.encryption, part.hidden, secret)
        if plain is None:
            continue
        if numbers and numbers[-1][0].end != part.start:
            numbers.clear()
        numbers.append((part, plain))
        yield from _ec_key(data, part, plain)
        if len(numbers) == 6:
            yield from _rsa_key(numbers)
            del numbers[0]


def _read_part(data: bytes, at: int) -> _Part:
    """The part in which the identifier of PBES2 stands at ``at``."""
    for size in (2, 3, 4):  # of the header around it all; the one between has two bytes
        start = at - 2 - size
        if start >= 0 and data[start] == SEQUENCE and data[at - 2] == SEQUENCE:
            outer = Der(data, start)
            try:
                body = outer.enter(SEQUENCE)
            except KeyFormatError:
                continue
            if body.at == at - 2:
                encryption, hidden = read_encryption(body), body.take(OCTETS)
                body.finish()
                return _Part(encryption, hidden, start, outer.at)
    raise KeyFormatError("nothing that is encrypted with PBES2")


def _opened(encryption: Encryption, hidden: bytes, secret: bytes) -> bytes | None:
    try:
        return encryption.decrypt(secret, hidden)
    except KeyFormatError:
        return None


def _rsa_key(numbers: list[tuple[_Part, bytes]]) -> Iterator[NssKey]:
    """The key whose exponent, primes, and so on these are, if they are."""
    d, p, q, *crt = (int.from_bytes(plain, "big") for _, plain in numbers)
    try:
        private = _proved_rsa(d, p, q)
    except (KeyFormatError, ValueError):
        return
    if [number.reveal() for number in (private.dp, private.dq, private.qinv)] == crt:
        yield NssKey(private, numbers[0][0].start, numbers[-1][0].end)


def _proved_rsa(d: int, p: int, q: int) -> RsaPrivate:
    if min(d, p, q) < 2:
        raise KeyFormatError("no numbers of RSA")
    public = checked_rsa(p * q, pow(d, -1, math.lcm(p - 1, q - 1)))
    return rsa_from_parts(public.n, public.e, d, p, q)


def _ec_key(data: bytes, part: _Part, plain: bytes) -> Iterator[NssKey]:
    """The key whose scalar this is, if its curve and its point stand behind it."""
    row = data[part.end : part.end + _ROW]
    for oid, curve in CURVE_BY_OID.items():
        if len(plain) == curve.size and bytes([OID, len(oid)]) + oid in row:
            try:
                private = ec_from_scalar(curve.name, int.from_bytes(plain, "big"))
            except KeyFormatError:
                continue
            if _point(private, curve) in row:
                yield NssKey(private, part.start, part.end)


def _point(private: EcPrivate, curve: Curve) -> bytes:
    public = private.public
    return b"\x04" + public.x.to_bytes(curve.size, "big") + public.y.to_bytes(curve.size, "big")
