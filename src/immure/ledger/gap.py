"""A gap: a span of time of which the ledger does not know all any more, said openly in its log.

When a ledger was lost and an older copy put in its place, tokens that were issued since are missing. A token
that is not in the ledger then proves nothing, but only for that time: a gap says for which. It accuses
nobody, and who wants to hide behind one has to sign it, with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from immure.auditlog.canonical import JSON, MAX_INTEGER
from immure.auditlog.entry import Entry
from immure.ledger.batch import is_issuer
from immure.ledger.errors import LedgerError
from immure.ledger.row import END_OF_TIME, MOST_CHARACTERS

#: What the log calls an entry that declares a gap.
KIND: Final = "ledger.gap"
_MEMBERS: Final = {"issuer", "from", "to", "first", "last", "reason"}


@dataclass(frozen=True, slots=True)
class Gap:
    """Of tokens with ``start <= iat < end`` some may have been issued that are not in the ledger.

    Attributes:
        issuer: whose tokens.
        start, end: seconds since 1970.
        first, last: rows, by sequence number, of batches that are not whole any more; ``last`` is
            ``first - 1`` if all batches are.
        reason: what happened, in the words of who declared it.
        entry: its place in the log, None before it is there.
    """

    issuer: str
    start: int
    end: int
    first: int
    last: int
    reason: str
    entry: int | None = None

    def __post_init__(self) -> None:
        moments = (self.start, self.end, self.first, self.last)
        if any(type(one) is not int or not 0 <= one <= MAX_INTEGER for one in moments):
            raise LedgerError("a gap is from a second to another, and of rows from 1 on")
        if self.end >= END_OF_TIME:
            raise LedgerError("a gap that ends after the year 9999")
        if not is_issuer(self.issuer) or self.start >= self.end or not 1 <= self.first <= self.last + 1:
            raise LedgerError("a gap that begins after its end, or has no issuer")
        if not isinstance(self.reason, str) or not 0 < len(self.reason) <= MOST_CHARACTERS:
            raise LedgerError(f"a gap has a reason, of up to {MOST_CHARACTERS} characters")
        if not self.reason.isprintable():
            raise LedgerError("the reason of a gap is one line of text")

    def body(self) -> dict[str, JSON]:
        """What the log says of it."""
        return {
            "issuer": self.issuer,
            "from": self.start,
            "to": self.end,
            "first": self.first,
            "last": self.last,
            "reason": self.reason,
        }

    @classmethod
    def from_body(cls, body: Any, entry: int) -> Gap:
        """The gap that an entry of the log declares.

        Raises:
            LedgerError: the entry is not of this form.
        """
        if not hasattr(body, "keys") or set(body) != _MEMBERS:
            raise LedgerError(f"entry {entry} of the log is not that of a gap")
        issuer, start, end = body["issuer"], body["from"], body["to"]
        try:
            return cls(issuer, start, end, body["first"], body["last"], body["reason"], entry)
        except LedgerError as error:
            raise LedgerError(f"entry {entry} of the log declares no gap: {error.reason}") from error

    def holds(self, issued_at: float) -> bool:
        """Whether a token of that ``iat`` may be missing because of it."""
        return self.start <= issued_at < self.end

    def words(self) -> str:
        """The gap in a line."""
        start, end = (datetime.fromtimestamp(one, UTC).isoformat() for one in (self.start, self.end))
        rows = f", rows {self.first} to {self.last}" if self.last >= self.first else ""
        return f"tokens from {start} to {end}{rows}: {self.reason}"


def gaps(entries: Iterable[Entry]) -> Iterator[Gap]:
    """The gaps that a log declares; raises LedgerError where it says something else under that name."""
    for entry in entries:
        if entry.kind == KIND:
            yield Gap.from_body(entry.body, entry.index)
