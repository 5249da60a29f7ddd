"""Whether ledger and log belong together: the ledger has what the log has, and the log what the ledger has.

An older copy of either, put in place of a lost one, looks whole by itself. Nothing may be issued or closed by
it: new rows would get the numbers of lost ones, and lost tokens would look forged.
"""

from __future__ import annotations

from typing import Final

from immure.auditlog.log import AuditLog
from immure.ledger.batch import KIND, Batch
from immure.ledger.errors import LedgerBehindError, LedgerError
from immure.ledger.store import LedgerStore, Standing

#: Entries from the end of the log among which each issuer that is alive has a batch.
_RECENT: Final = 10_000


def heads(log: AuditLog, issuers: set[str]) -> dict[str, Batch]:
    """The newest batch of each issuer in a log, and of others that are among its newest entries.

    Raises:
        LedgerError: an entry is no batch.
        LogError: the log cannot be read.
    """
    found: dict[str, Batch] = {}
    missing = set(issuers)
    for entry in log.newest():
        if len(log) - entry.index > _RECENT and not missing:
            break
        if entry.kind == KIND:
            batch = Batch.from_body(entry.body, entry.index)
            found.setdefault(batch.issuer, batch)
            missing.discard(batch.issuer)
    return found


def check_continuity(store: LedgerStore, log: AuditLog) -> None:
    """Hold the last batches of a ledger against the newest of its log, whose signature has been checked.

    Raises:
        LedgerBehindError: the ledger was put back to an older state.
        LedgerError: the log was, or they are not of one another.
        LogError: the log cannot be read.
    """
    standings = {one.issuer: one for one in store.standings()}
    logged = {one: last for one in standings.values() if (last := _last_logged(store, one)) is not None}
    newest = heads(log, {one.issuer for one in logged})
    for issuer, head in newest.items():
        standing = standings.get(issuer)
        if standing is None or standing.batches <= head.number or standing.last < head.last:
            raise LedgerBehindError(
                f"the log has batch {head.number} of {issuer[:200]!a}, with rows up to {head.last}, and the "
                "ledger has not: it is an older copy. Put the newest one back, or declare what is lost: "
                "immure ledger gap",
                path=store.path,
            )
        mine = next(store.batches(issuer, head.number), None)
        if mine is None or mine.digest != head.digest:
            raise LedgerError(
                f"batch {head.number} of {issuer[:200]!a} is not the one that the log has", path=store.path
            )
    for standing, last in logged.items():
        head_of = newest.get(standing.issuer)
        if head_of is None or head_of.number < last.number:
            raise LedgerError(
                f"the log has not batch {last.number} of {standing.issuer[:200]!a}, which was written into "
                "it: it is an older copy, or another log. Put the newest one back",
                path=store.path,
            )


def _last_logged(store: LedgerStore, standing: Standing) -> Batch | None:
    """The last batch of which the ledger knows that it is in the log: the last one, or the one before."""
    found = list(store.batches(standing.issuer, max(0, standing.batches - 2)))
    return next((one for one in reversed(found) if one.entry is not None), None)
