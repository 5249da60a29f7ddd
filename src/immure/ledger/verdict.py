"""Was this token ever issued? The answers that a ledger can give, and no other.

answer = look_up(store, digest, issuer="https://login.example", issued_at=1_790_000_000)
answer.verdict      # "issued", "never-issued", "not-yet-known", "ledger-gap", "forgotten", "unknown"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from immure.ledger.gap import Gap
from immure.ledger.row import Issued
from immure.ledger.store import LedgerStore, Told, nobody

Verdict = Literal["issued", "never-issued", "not-yet-known", "ledger-gap", "forgotten", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ledger says of a token.

    Attributes:
        verdict: ``issued``: it is there. ``never-issued``: it is not, and the ledger is complete up to later
            than it says it is from: it was forged. ``not-yet-known``: it says it is from after the watermark.
            ``ledger-gap``: it is from a time of which rows were lost. ``forgotten``: from a time of which
            rows were pruned. ``unknown``: the ledger knows no such issuer, or the token says no time.
        rows: with its digest, and their numbers.
        watermark: of the issuer, as it was before anything was looked up; None if there is no such issuer.
        gap: that it falls into.
    """

    verdict: Verdict
    rows: tuple[tuple[int, Issued], ...] = ()
    watermark: int | None = None
    gap: Gap | None = None


def look_up(
    store: LedgerStore,
    digest: bytes,
    *,
    issuer: str | None,
    issued_at: float | None,
    told: Told = nobody,
) -> Answer:
    """Look a token up.

    Args:
        digest: of its signed bytes.
        issuer: that it names, whether that is true or not; None if it is not known.
        issued_at: its ``iat``; None if it is not known.
        told: how many rows were looked at.

    Raises:
        LedgerError: the store cannot be read.
    """
    # the watermark first: a row that is added while we look cannot be below a watermark that was there before
    standing = next((one for one in store.standings() if one.issuer == issuer), None)
    found = tuple(store.find(digest, told=told))
    if found:
        return Answer("issued", found, standing.watermark if standing else None)
    if standing is None or issuer is None or issued_at is None:
        return Answer("unknown", (), standing.watermark if standing else None)
    mark = standing.watermark
    if not issued_at < mark:
        return Answer("not-yet-known", (), mark)
    gap = next((one for one in store.gaps(issuer) if one.holds(issued_at)), None)
    if gap is not None:
        return Answer("ledger-gap", (), mark, gap)
    again = store.standing(issuer)  # rows may have been pruned while we looked
    if 0 <= issued_at < again.forgotten:
        return Answer("forgotten", (), mark)
    return Answer("never-issued", (), mark)
