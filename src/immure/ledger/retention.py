"""How long a ledger must be kept: computed, not chosen.

>>> keep = needed(key_life=timedelta(days=60), token_life=timedelta(hours=24), lag=timedelta(days=365))
>>> keep.days
426

A key that was taken can sign tokens as long as somebody accepts them: for its life, and then as long as its
last token lives. That they were forged is seen when somebody looks, and that can be late: in the incident of
2021 to 2023 the key was taken 26 months before anybody noticed. Until then the rows must be there, as a
token can only be called "never issued" by those who still know what was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from immure.ledger.errors import LedgerError
from immure.ledger.store import LedgerStore, Told, nobody

#: Rows that are forgotten in one transaction, or a batch more.
_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Keeping:
    """Why rows are kept for as long as they are.

    Attributes:
        key_life: from a key's making to the moment at which nobody accepts it any more.
        token_life: of the longest-living token.
        lag: after how long somebody may still find out.

    Raises:
        LedgerError: one of them is negative.
    """

    key_life: timedelta
    token_life: timedelta
    lag: timedelta

    def __post_init__(self) -> None:
        needed(key_life=self.key_life, token_life=self.token_life, lag=self.lag)

    @property
    def total(self) -> timedelta:
        """How long rows must be kept."""
        return needed(key_life=self.key_life, token_life=self.token_life, lag=self.lag)

    def with_longest(self, seconds: int) -> Keeping:
        """The same where a token lives for so many seconds, whatever was said of tokens."""
        return replace(self, token_life=max(self.token_life, timedelta(seconds=seconds)))

    def at_least(self, other: Keeping) -> Keeping:
        """The longer of each."""
        return Keeping(
            max(self.key_life, other.key_life),
            max(self.token_life, other.token_life),
            max(self.lag, other.lag),
        )


def needed(*, key_life: timedelta, token_life: timedelta, lag: timedelta) -> timedelta:
    """How long rows must be kept.

    Args:
        key_life: from a key's making to the moment at which nobody accepts it any more.
        token_life: of the longest-living token.
        lag: after how long somebody may still find out.

    Raises:
        LedgerError: one of them is negative.
    """
    if min(key_life, token_life, lag) < timedelta(0):
        raise LedgerError("a time that is negative")
    return key_life + token_life + lag


def prunable(store: LedgerStore, issuer: str, before: datetime) -> int:
    """Up to which row everything may be forgotten that was issued before a moment; 0 if nothing may.

    Only whole batches are, and only such as the log has, so that what is left can still be verified.
    """
    last, seconds = 0, int(before.timestamp())
    for batch in store.batches(issuer):
        if batch.entry is None or batch.watermark > seconds:
            break
        if batch.last >= batch.first and _newest(store, issuer, batch.first, batch.last) >= seconds:
            break
        last = batch.last
    return last


def prune(store: LedgerStore, issuer: str, last: int, *, told: Told = nobody) -> int:
    """Forget rows up to ``last``, the end of a batch; batch by batch, so that nobody who records a row waits
    long, and who is killed meanwhile leaves whole batches.

    Returns:
        How many rows there were.
    """
    count = reached = 0
    for batch in store.batches(issuer):
        if batch.last > last:
            break
        if batch.last - reached >= _AT_ONCE or batch.last == last:
            count += store.prune(issuer, batch.last)
            reached = batch.last
            told(reached, last)
    return count


def _newest(store: LedgerStore, issuer: str, first: int, last: int) -> int:
    return max((row.issued_at for _, row in store.rows(issuer, first, last)), default=0)
