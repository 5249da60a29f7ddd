"""One row of the ledger: what is kept of a token that was issued. The token itself is not kept.

>>> row = Issued(bytes(16), "https://login.example", "k1", 1_790_000_000, 1_790_003_600, subject="ada")
>>> row.leaf(7).decode()
'[7,"00000000000000000000000000000000","https://login.example","k1","ada",[],"","",1790000000,1790003600,""]'
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from immure.digest import SIZE
from immure.ledger.errors import LedgerError, LedgerRowError

#: Characters of the longest text in a row.
MOST_CHARACTERS: Final = 2048
#: Characters of the longest name of an issuer: PostgreSQL's index of names takes no more bytes.
MOST_ISSUER: Final = 512
#: Characters of all texts of a row, so that many that wait do not fill the memory.
MOST_IN_ALL: Final = 8192
#: Audiences of one token.
MOST_AUDIENCES: Final = 64
#: The first second of the year 10000.
END_OF_TIME: Final = 253_402_300_800
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_set = object.__setattr__
_MOST_KNOWN: Final = 512


@dataclass(frozen=True, slots=True)
class Issued:
    """What the ledger keeps of a token.

    Attributes:
        digest: of its signed bytes (:func:`immure.digest.signed_digest`), 16 bytes.
        issuer: ``iss``.
        kid: of the key that signed it.
        issued_at: ``iat``, seconds since 1970.
        expires: ``exp``, likewise.
        subject, tenant, client, session: what the token says; "" where it says nothing.
        audience: ``aud``, one or more.

    Raises:
        LedgerRowError: something of it is too long, or no such thing.
    """

    digest: bytes
    issuer: str
    kid: str
    issued_at: int
    expires: int
    subject: str = ""
    audience: tuple[str, ...] = ()
    tenant: str = ""
    client: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        _check_moments(self.digest, self.issued_at, self.expires)
        texts = (self.issuer, self.kid, self.subject, self.tenant, self.client, self.session, *self.audience)
        if len(texts) > MOST_AUDIENCES + 6:
            raise LedgerRowError(f"more than {MOST_AUDIENCES} audiences")
        size = 0
        for text in texts:
            if type(text) is not str or len(text) > MOST_CHARACTERS:
                raise LedgerRowError(f"not a text of up to {MOST_CHARACTERS} characters")
            size += len(text)
            if not text.isprintable():
                _check_odd(text)
        if size > MOST_IN_ALL or len(self.issuer) > MOST_ISSUER:
            raise LedgerRowError(
                f"more than {MOST_ISSUER} characters of an issuer's name, or {MOST_IN_ALL} in all"
            )
        if not self.issuer or not self.kid:
            raise LedgerRowError("a token has an issuer and a key")

    def again(self, digest: bytes, issued_at: int, expires: int) -> Issued:
        """The row of another token that says the same: its texts were looked at already.

        Raises:
            LedgerRowError: that is no digest, or no time.
        """
        _check_moments(digest, issued_at, expires)
        made = object.__new__(Issued)
        _set(made, "digest", digest)
        _set(made, "issuer", self.issuer)
        _set(made, "kid", self.kid)
        _set(made, "issued_at", issued_at)
        _set(made, "expires", expires)
        _set(made, "subject", self.subject)
        _set(made, "audience", self.audience)
        _set(made, "tenant", self.tenant)
        _set(made, "client", self.client)
        _set(made, "session", self.session)
        return made

    def leaf(self, sequence: int) -> bytes:
        """The row as a leaf of the tree of its batch: canonical JSON (RFC 8785) of eleven members."""
        same = _same(self.issuer, self.kid, self.subject, self.audience, self.tenant, self.client)
        times = f"{self.issued_at},{self.expires}"
        return f'[{sequence},"{self.digest.hex()}",{same},{times},{_encode(self.session)}]'.encode()

    def cells(self) -> tuple[object, ...]:
        """The row as the table of a database has it, without issuer and sequence number."""
        return (
            self.digest,
            self.kid,
            self.subject,
            _audiences(self.audience),
            self.tenant,
            self.client,
            self.issued_at,
            self.expires,
            self.session,
        )


def row_from(issuer: str, cells: Sequence[Any], path: str) -> Issued:
    """The row that a table has; raises LedgerError if somebody put something else there."""
    digest, kid, subject, audience, tenant, client, issued_at, expires, session = cells
    try:
        known = _known(issuer, kid, subject, audience, tenant, client, session)
        return known.again(bytes(memoryview(digest)), issued_at, expires)
    except (TypeError, ValueError, RecursionError, LedgerRowError) as error:
        raise LedgerError("a row was altered so that it cannot be read", path=path) from error


def _check_moments(digest: bytes, issued_at: int, expires: int) -> None:
    """What differs from one token to the next."""
    if type(digest) is not bytes or len(digest) != SIZE:
        raise LedgerRowError(f"a digest has {SIZE} bytes")
    for moment in (issued_at, expires):
        if type(moment) is not int or not 0 <= moment < END_OF_TIME:
            raise LedgerRowError("a time is whole seconds since 1970, before the year 10000")


# Services ask for tokens over and over: what many rows have in common is written and read once.


@lru_cache(_MOST_KNOWN)
def _audiences(names: tuple[str, ...]) -> str:
    """As the table has them."""
    return _encode(names)


@lru_cache(_MOST_KNOWN)
def _same(*members: str | tuple[str, ...]) -> str:
    """The middle of a leaf."""
    return _encode(members)[1:-1]


@lru_cache(_MOST_KNOWN)
def _known(
    issuer: str, kid: str, subject: str, audience: str, tenant: str, client: str, session: str
) -> Issued:
    """A row of a table without what is its own; raises what is wrong with it."""
    names = json.loads(audience)
    if type(names) is not list:
        raise ValueError("no list")
    return Issued(bytes(SIZE), issuer, kid, 0, 0, subject, tuple(names), tenant, client, session)


def _check_odd(text: str) -> None:
    """What is not printable may be in a name, unless a database, or UTF-8, cannot hold it."""
    if "\0" in text:
        raise LedgerRowError("a text with a NUL in it, which PostgreSQL cannot hold")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise LedgerRowError("a text with half a character in it")
