"""A batch: consecutive rows of one issuer, closed for ever by an entry of the tamper-evident log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from immure.auditlog.canonical import JSON, MAX_INTEGER, canonical
from immure.auditlog.tree import HASH_BYTES, Peaks, leaf_hash
from immure.ledger.errors import LedgerError
from immure.ledger.row import MOST_ISSUER, Issued

#: What the log calls an entry that closes a batch.
KIND: Final = "ledger.batch"
#: What stands where a first batch has no batch before it.
NONE_BEFORE: Final = bytes(HASH_BYTES)
_MEMBERS: Final = {"issuer", "number", "first", "last", "watermark", "root", "previous"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows ``first`` to ``last`` of an issuer; none of them if ``last`` is ``first - 1``.

    Attributes:
        issuer: whose tokens they are.
        number: of the batch, from 0.
        first, last: sequence numbers; the first token of an issuer has 1.
        watermark: seconds since 1970. All tokens of this issuer with an earlier ``iat`` are in this batch or
            in one before it.
        root: of the tree over the rows (RFC 9162, section 2.1; :meth:`Issued.leaf`).
        previous: :attr:`digest` of the batch before.
        entry: its place in the log, None before it is there.
    """

    issuer: str
    number: int
    first: int
    last: int
    watermark: int
    root: bytes
    previous: bytes
    entry: int | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of what the log says of it; names it in the next one."""
        return sha256(canonical(self.body())).digest()

    def body(self) -> dict[str, JSON]:
        """What the log says of it."""
        return {
            "issuer": self.issuer,
            "number": self.number,
            "first": self.first,
            "last": self.last,
            "watermark": self.watermark,
            "root": self.root.hex(),
            "previous": self.previous.hex(),
        }

    @classmethod
    def from_body(cls, body: Any, entry: int) -> Batch:
        """The batch that an entry of the log closes.

        Raises:
            LedgerError: the entry is not of this form.
        """
        try:
            issuer, number, first, last, watermark = _plain(body)
            root, previous = (_hash(body[name]) for name in ("root", "previous"))
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"entry {entry} of the log is not that of a batch") from error
        if last < first - 1:
            raise LedgerError(f"entry {entry} of the log closes a batch that cannot be")
        return cls(issuer, number, first, last, watermark, root, previous, entry)


def _plain(body: Any) -> tuple[str, int, int, int, int]:
    """Issuer and numbers of what the log says; raises ValueError, or what a wrong type raises."""
    number, first, last, watermark = (body[name] for name in ("number", "first", "last", "watermark"))
    if set(body) != _MEMBERS or not is_issuer(body["issuer"]):
        raise ValueError("other members")
    if any(type(one) is not int or not 0 <= one <= MAX_INTEGER for one in (number, first, last, watermark)):
        raise ValueError("other types")
    return body["issuer"], number, first, last, watermark


def _hash(text: str) -> bytes:
    """The hash that its one way of writing stands for: another would be another entry of the same batch."""
    made = bytes.fromhex(text)
    if len(made) != HASH_BYTES or made.hex() != text:
        raise ValueError("no hash")
    return made


def is_issuer(name: object) -> bool:
    """Whether this can be the name of an issuer."""
    return isinstance(name, str) and 0 < len(name) <= MOST_ISSUER


@dataclass(frozen=True, slots=True)
class Tally:
    """What rows come to.

    Attributes:
        count: how many there are.
        root: of the tree over them.
        oldest: the least ``iat``, and ``sequence`` of the row that has it; None if there are no rows.
    """

    count: int
    root: bytes
    oldest: int | None = None
    sequence: int = 0


def tally(rows: Iterable[tuple[int, Issued]]) -> Tally:
    """Go through rows, which need not be in memory together."""
    peaks, oldest, place = Peaks(), None, 0
    for sequence, row in rows:
        peaks.add(leaf_hash(row.leaf(sequence)))
        if oldest is None or row.issued_at < oldest:
            oldest, place = row.issued_at, sequence
    return Tally(peaks.size, peaks.root(), oldest, place)


def root_of(rows: Iterable[tuple[int, Issued]]) -> tuple[int, bytes]:
    """How many rows there are, and the root of the tree over them."""
    found = tally(rows)
    return found.count, found.root
