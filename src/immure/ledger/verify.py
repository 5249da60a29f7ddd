"""Hold a ledger against its log: every row in its place, none added, changed or taken out.

Whoever can write to the database can rewrite it; not the log, whose checkpoints others keep and witness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from immure.auditlog.entry import Entry
from immure.ledger.batch import KIND, Batch, root_of
from immure.ledger.errors import LedgerError
from immure.ledger.store import LedgerStore, follows


@dataclass
class Checked:
    """What was found of one issuer.

    Attributes:
        issuer: whose ledger it is.
        batches: in the log.
        rows: in these batches.
        pruned: rows of them that were forgotten, so that only the log knows that there were so many.
        watermark: below it the ledger is complete.
        open: rows behind the last batch, for which nobody vouches yet.
    """

    issuer: str
    batches: int = 0
    rows: int = 0
    pruned: int = 0
    watermark: int = 0
    open: int = 0
    last: Batch | None = field(default=None, repr=False)


def verify_ledger(store: LedgerStore, entries: Iterable[Entry]) -> list[Checked]:
    """Hold every batch of the log against the rows.

    Args:
        store: with the rows.
        entries: of the log, whose checkpoint the caller has verified (:func:`~immure.auditlog.verify_log`).

    Raises:
        LedgerError: they do not agree; says which batch.
    """
    found: dict[str, Checked] = {}
    for entry in entries:
        if entry.kind != KIND:
            continue
        batch = Batch.from_body(entry.body, entry.index)
        checked = found.setdefault(batch.issuer, Checked(batch.issuer))
        if not follows(batch, checked.last):
            raise LedgerError(f"{_name(batch)} does not follow the one before it", path=store.path)
        _check_rows(store, batch, checked)
        checked.last, checked.watermark, checked.batches = batch, batch.watermark, batch.number + 1
    for standing in store.standings():
        checked = found.setdefault(standing.issuer, Checked(standing.issuer))
        reached = checked.last.last if checked.last else 0
        if standing.last < reached:
            raise LedgerError(
                f"rows of {standing.issuer!a} end at {standing.last}, and the log has {reached}",
                path=store.path,
            )
        checked.open = standing.last - reached
    missing = found.keys() - {standing.issuer for standing in store.standings()}
    if missing:
        raise LedgerError(f"the issuer {min(missing)!a} of the log is not in the ledger", path=store.path)
    return [found[name] for name in sorted(found)]


def _check_rows(store: LedgerStore, batch: Batch, checked: Checked) -> None:
    wanted = batch.last - batch.first + 1
    count, root = root_of(store.rows(batch.issuer, batch.first, batch.last))
    checked.rows += wanted
    if count == 0 and wanted and checked.pruned == checked.rows - wanted:
        checked.pruned += wanted  # whole batches, from the oldest on: what pruning leaves
    elif count != wanted:
        raise LedgerError(f"{_name(batch)} has {wanted} rows, and {count} of them are there", path=store.path)
    elif root != batch.root:
        raise LedgerError(f"{_name(batch)}: its rows are not those that were written down", path=store.path)


def _name(batch: Batch) -> str:
    return f"batch {batch.number} of {batch.issuer!a} (entry {batch.entry} of the log)"
