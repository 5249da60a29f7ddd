"""Hold a ledger against its log: every row in its place, none added, changed or taken out.

Whoever can write to the database can rewrite it; not the log, whose checkpoints others keep and witness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from immure.auditlog.entry import Entry
from immure.ledger import gap as gaps
from immure.ledger.batch import KIND, Batch, tally
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap
from immure.ledger.store import LedgerStore, Told, follows, nobody


@dataclass
class Checked:
    """What was found of one issuer.

    Attributes:
        issuer: whose ledger it is.
        batches: in the log.
        rows: in these batches.
        pruned: rows of them that were forgotten, so that only the log knows that there were so many.
        lost: rows of them that are missing, in gaps that were declared.
        unproven: rows that are there, of batches that are not whole any more.
        watermark: below it the ledger is complete, but for ``gaps``.
        open: rows behind the last batch, for which nobody vouches yet.
    """

    issuer: str
    batches: int = 0
    rows: int = 0
    pruned: int = 0
    lost: int = 0
    unproven: int = 0
    watermark: int = 0
    open: int = 0
    gaps: list[Gap] = field(default_factory=list)
    last: Batch | None = field(default=None, repr=False)


def verify_ledger(store: LedgerStore, entries: Iterable[Entry], *, told: Told = nobody) -> list[Checked]:
    """Hold every batch of the log against the rows.

    Args:
        store: with the rows.
        entries: of the log, whose checkpoint the caller has verified (:func:`~immure.auditlog.verify_log`).
        told: how many rows were looked at, and how many there are.

    Raises:
        LedgerError: they do not agree; says which batch.
    """
    run = _Run(store, told)
    for entry in entries:
        if entry.kind == gaps.KIND:
            gap = Gap.from_body(entry.body, entry.index)
            run.of(gap.issuer).gaps.append(gap)
        elif entry.kind == KIND:
            run.add(Batch.from_body(entry.body, entry.index))
    return run.finish()


@dataclass(frozen=True, slots=True)
class _Damage:
    """A batch whose rows are not those of the log; no harm if a gap says so."""

    batch: Batch
    count: int
    words: str


class _Run:
    """One check, batch by batch."""

    def __init__(self, store: LedgerStore, told: Told) -> None:
        self._store = store
        self._told = told
        self._found: dict[str, Checked] = {}
        self._kept: dict[str, Iterator[Batch]] = {}
        self._damages: list[_Damage] = []
        self._total = sum(one.last for one in store.standings())
        self._done = 0

    def of(self, issuer: str) -> Checked:
        return self._found.setdefault(issuer, Checked(issuer))

    def add(self, batch: Batch) -> None:
        """Check the next batch of the log."""
        checked = self.of(batch.issuer)
        if checked.last is not None and batch.digest == checked.last.digest:
            return  # two that closed batches wrote the same one: it says nothing new
        if not follows(batch, checked.last):
            raise self._error(f"{_name(batch)} does not follow the one before it")
        self._check_kept(batch)
        self._check_rows(batch, checked)
        checked.last, checked.watermark, checked.batches = batch, batch.watermark, batch.number + 1
        self._done += batch.last - batch.first + 1
        self._told(self._done, max(self._total, self._done))

    def finish(self) -> list[Checked]:
        """Check what is not in a batch, and that every damage is declared."""
        for damage in self._damages:
            self._settle(damage)
        standings = {one.issuer: one for one in self._store.standings()}
        for issuer, standing in standings.items():
            checked = self.of(issuer)
            reached = checked.last.last if checked.last else 0
            if standing.last < reached:
                raise self._error(f"rows of {issuer!a} end at {standing.last}, and the log has {reached}")
            checked.open = standing.last - reached
        missing = self._found.keys() - standings.keys()
        if missing:
            raise self._error(f"the issuer {min(missing)!a} of the log is not in the ledger")
        return [self._found[name] for name in sorted(self._found)]

    def _check_kept(self, batch: Batch) -> None:
        """The ledger's own list of batches is what the next one continues, and what pruning goes by."""
        if batch.issuer not in self._kept:
            known = {one.issuer for one in self._store.standings()}
            if batch.issuer not in known:
                raise self._error(f"the issuer {batch.issuer!a} of the log is not in the ledger")
            self._kept[batch.issuer] = self._store.batches(batch.issuer)
        mine = next(self._kept[batch.issuer], None)
        if mine is None:
            raise self._error(f"{_name(batch)} is not in the ledger: it is an older copy")
        if mine.digest != batch.digest:
            raise self._error(f"{_name(batch)} is another one in the ledger")

    def _check_rows(self, batch: Batch, checked: Checked) -> None:
        wanted = batch.last - batch.first + 1
        found = tally(self._store.rows(batch.issuer, batch.first, batch.last))
        checked.rows += wanted
        floor = checked.watermark
        if found.count != wanted and self._is_pruned(batch):
            checked.pruned = checked.rows  # whole batches, from the oldest on: what pruning leaves
        elif found.count != wanted:
            words = f"{_name(batch)} has {wanted} rows, and {found.count} of them are there"
            self._damages.append(_Damage(batch, found.count, words))
        elif found.root != batch.root:
            words = f"{_name(batch)}: its rows are not those that were written down"
            self._damages.append(_Damage(batch, found.count, words))
        elif found.oldest is not None and found.oldest < floor:
            raise self._error(
                f"{_name(batch)}: row {found.sequence} says it is from before the watermark, below which all "
                "was there already: it was added later"
            )

    def _is_pruned(self, batch: Batch) -> bool:
        """Whether the ledger says that it forgot rows, and nothing is there up to the end of a batch, perhaps
        since a moment ago."""
        return self._store.standing(batch.issuer).forgotten > 0 and None is next(
            self._store.rows(batch.issuer, 1, batch.last), None
        )

    def _settle(self, damage: _Damage) -> None:
        batch, checked = damage.batch, self.of(damage.batch.issuer)
        if not any(gap.first <= batch.first and batch.last <= gap.last for gap in checked.gaps):
            raise self._error(damage.words)
        checked.lost += max(0, batch.last - batch.first + 1 - damage.count)
        checked.unproven += damage.count

    def _error(self, words: str) -> LedgerError:
        return LedgerError(words, path=self._store.path)


def _name(batch: Batch) -> str:
    return f"batch {batch.number} of {batch.issuer!a} (entry {batch.entry} of the log)"
