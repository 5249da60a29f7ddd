"""Declare a gap, and bring a ledger that was put back to an older state to where its log is.

    declare_gap(store, log, issuer, reason="the disk was lost; backup of 03:00", end=now)

The batches that the log has and the ledger lost are taken over without their rows, so that new rows get new
numbers. Nothing can be recorded within the gap any more. It can be called again if it was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from immure.auditlog.log import AuditLog
from immure.ledger.batch import KIND as BATCH
from immure.ledger.batch import Batch, tally
from immure.ledger.errors import LedgerError
from immure.ledger.gap import KIND, Gap
from immure.ledger.sealing import last_batch, next_batch, recover, write
from immure.ledger.store import LedgerStore, Standing, follows


def declare_gap(
    store: LedgerStore, log: AuditLog, issuer: str, *, reason: str, end: int, start: int | None = None
) -> Gap:
    """Write a gap into the log, and into the ledger.

    Args:
        store: which lost rows.
        log: opened with its signer.
        issuer: whose tokens are lost.
        reason: what happened; everybody who verifies reads it.
        end: seconds since 1970: up to when tokens may be missing; from then on all are there.
        start: from when on; by default, and at the latest, the watermark below which nothing was lost.

    Raises:
        SealingBusyError: batches are being closed at this moment.
        LedgerError: the gap begins after what was lost, or ledger and log are not of one another.
        LogError: the log cannot be written.
    """
    with store.sealing():
        log.refresh()
        standing = next((one for one in store.standings() if one.issuer == issuer), None)
        if standing is not None:
            _settle(store, log, standing)
        store.adopt(_beyond(log, issuer, standing.batches if standing else 0))
        standing = store.close_until(issuer, end)
        first, last, safe = _damaged(store, standing)
        if start is not None and start > safe:
            moment = datetime.fromtimestamp(safe, UTC).isoformat()
            raise LedgerError(
                f"tokens from {moment} on may be lost: the gap must begin there", path=store.path
            )
        gap = Gap(issuer, safe if start is None else start, end, first, last, reason)
        store.add_gap(gap)
        gap = replace(gap, entry=log.append(KIND, gap.body()).index)
        if last > standing.closed:  # rows are missing that are in no batch yet: it is closed as it is
            before = last_batch(store, standing)
            write(store, log, next_batch(store, standing, before, last, whole=False))
        return gap


def _settle(store: LedgerStore, log: AuditLog, standing: Standing) -> None:
    """See that the ledger's last batch is the one that the log has, or the next one, which then is logged."""
    last = last_batch(store, standing)
    if last is None:
        return
    found = next((one for one in _newest(log, last.issuer) if one.number <= last.number), None)
    logged = found is not None and found.digest == last.digest
    if logged or (last.entry is None and follows(last, found)):
        recover(store, log, standing)
    else:
        raise LedgerError(
            f"batch {last.number} of {last.issuer[:200]!a} is not in the log: this is another log, or "
            "an older copy",
            path=store.path,
        )


def _newest(log: AuditLog, issuer: str) -> Iterator[Batch]:
    for entry in log.newest():
        if entry.kind == BATCH and entry.body.get("issuer") == issuer:
            yield Batch.from_body(entry.body, entry.index)


def _beyond(log: AuditLog, issuer: str, number: int) -> Iterator[Batch]:
    """The batches of an issuer in the log from a number on; one that stands there twice, once."""
    for entry in log.entries():
        if entry.kind == BATCH and entry.body.get("issuer") == issuer:
            batch = Batch.from_body(entry.body, entry.index)
            if batch.number == number:
                number += 1
                yield batch


def _damaged(store: LedgerStore, standing: Standing) -> tuple[int, int, int]:
    """The rows from the first to the last batch that is not whole, and the watermark before these. What was
    pruned, whole batches from the oldest on, is not damage; what is missing behind the last batch is."""
    first = last = safe = before = 0
    pruned = standing.forgotten > 0
    for batch in store.batches(standing.issuer):
        found = tally(store.rows(batch.issuer, batch.first, batch.last))
        pruned = pruned and found.count == 0
        if not pruned and (found.count, found.root) != (batch.last - batch.first + 1, batch.root):
            first, safe = (first, safe) if first else (batch.first, before)
            last = batch.last
        before = batch.watermark
    if not first:
        first, last, safe = standing.closed + 1, standing.closed, before
    behind = tally(store.rows(standing.issuer, standing.closed + 1, standing.last))
    if behind.count < standing.last - standing.closed:
        last = standing.last
    return first, last, safe
