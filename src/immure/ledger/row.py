"""One row of the ledger: what is kept of a token that was issued. The token itself is not kept.

>>> row = Issued(bytes(16), "https://login.example", "k1", 1_790_000_000, 1_790_003_600, subject="ada")
>>> row.leaf(7).decode()
'[7,"00000000000000000000000000000000","https://login.example","k1","ada",[],"","",1790000000,1790003600,""]'
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
        if type(self.digest) is not bytes or len(self.digest) != SIZE:
            raise LedgerRowError(f"a digest has {SIZE} bytes")
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
        for moment in (self.issued_at, self.expires):
            if type(moment) is not int or not 0 <= moment < END_OF_TIME:
                raise LedgerRowError("a time is whole seconds since 1970, before the year 10000")
        if not self.issuer or not self.kid:
            raise LedgerRowError("a token has an issuer and a key")

    def leaf(self, sequence: int) -> bytes:
        """The row as a leaf of the tree of its batch: canonical JSON (RFC 8785) of eleven members."""
        return _encode(
            [
                sequence,
                self.digest.hex(),
                self.issuer,
                self.kid,
                self.subject,
                self.audience,
                self.tenant,
                self.client,
                self.issued_at,
                self.expires,
                self.session,
            ]
        ).encode()

    def cells(self) -> tuple[object, ...]:
        """The row as the table of a database has it, without issuer and sequence number."""
        return (
            self.digest,
            self.kid,
            self.subject,
            _encode(self.audience),
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
        names = json.loads(audience)
        if type(names) is not list:
            raise ValueError("no list")  # noqa: TRY301 - caught with all that else may be wrong
        return Issued(
            bytes(digest), issuer, kid, issued_at, expires, subject, tuple(names), tenant, client, session
        )
    except (TypeError, ValueError, RecursionError, LedgerRowError) as error:
        raise LedgerError("a row was altered so that it cannot be read", path=path) from error


def _check_odd(text: str) -> None:
    """What is not printable may be in a name, unless a database, or UTF-8, cannot hold it."""
    if "\0" in text:
        raise LedgerRowError("a text with a NUL in it, which PostgreSQL cannot hold")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise LedgerRowError("a text with half a character in it")
