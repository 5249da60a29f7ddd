"""Close batches: from then on the log tells whether a row was added, changed or taken out.

    sealer = Sealer(store, log)
    sealer.seal_all()       # every few seconds, by one process

A batch says two things: these are the rows, and *all* tokens of the issuer with an ``iat`` before the
watermark are among them or in a batch before. The second makes "this token was never issued" a statement. It
holds because the store takes no row below the watermark any more *before* the rows of the batch are read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from immure import clock
from immure.auditlog.log import AuditLog
from immure.ledger.batch import KIND, NONE_BEFORE, Batch, root_of
from immure.ledger.errors import LedgerError
from immure.ledger.store import LedgerStore, Standing

#: Seconds by which the watermark stays behind the clock: by then a token is signed, and on the disk.
SLACK: Final = 5
#: Rows of one batch.
MOST_ROWS: Final = 100_000
#: Seconds after which a batch without rows is closed, so that the watermark goes on when nobody signs in.
QUIET: Final = 60
#: Seconds that the clock may gain or lose between two batches, beside the seconds that have passed.
_MOST_JUMP: Final = 60.0


class Sealer:
    """Closes batches of a store, and writes them into a log. One for each ledger; the store sees to that.

    Args:
        store: whose rows.
        log: opened with its signer.
        slack: seconds that a token may take from its ``iat`` to the disk.
        quiet: seconds between batches without rows.
        most_rows: of one batch.
        time: where the time is from.
        monotonic: seconds that nobody sets, to tell when the clock was set.
    """

    def __init__(
        self,
        store: LedgerStore,
        log: AuditLog,
        *,
        slack: int = SLACK,
        quiet: int = QUIET,
        most_rows: int = MOST_ROWS,
        time: clock.Clock = clock.now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._log = log
        self._slack = slack
        self._quiet = quiet
        self._most_rows = most_rows
        self._time = time
        self._monotonic = monotonic
        self._before: tuple[float, float] | None = None

    def seal_all(self) -> list[Batch]:
        """Close a batch of each issuer; several, if more rows wait than one may have.

        Raises:
            LedgerError: another process does it; the store fails; the clock was set.
            LogError: the log cannot be written.
        """
        made = []
        with self._store.sealing():
            moment = self._moment()
            for standing in self._store.standings():
                self._recover(standing)
                made += self._seal(standing.issuer, int(moment) - self._slack)
        return made

    def _seal(self, issuer: str, watermark: int) -> list[Batch]:
        made: list[Batch] = []
        standing = self._store.close_until(issuer, watermark)
        before = self._last_batch(standing)
        if standing.last == standing.closed and before and watermark < before.watermark + self._quiet:
            return made
        while True:
            last = min(standing.last, standing.closed + self._most_rows)
            batch = self._close(standing, last)
            made.append(batch)
            if last == standing.last:
                return made
            standing = Standing(issuer, standing.last, last, standing.batches + 1, standing.watermark)

    def _close(self, standing: Standing, last: int) -> Batch:
        """The rows up to ``last``. Only the batch that reaches all of them may speak of the watermark."""
        before = self._last_batch(standing)
        whole = last == standing.last
        watermark = standing.watermark if whole else (before.watermark if before else 0)
        first = standing.closed + 1
        count, root = root_of(self._store.rows(standing.issuer, first, last))
        if count != last - first + 1:
            raise LedgerError(
                f"rows {first} to {last} of {standing.issuer!a} should be {last - first + 1}, "
                f"and {count} are there",
                path=self._store.path,
            )
        previous = before.digest if before else NONE_BEFORE
        batch = Batch(standing.issuer, standing.batches, first, last, watermark, root, previous)
        self._store.add_batch(batch)
        return self._write(batch)

    def _write(self, batch: Batch) -> Batch:
        entry = self._log.append(KIND, batch.body()).index
        self._store.logged(batch, entry)
        return Batch(
            batch.issuer,
            batch.number,
            batch.first,
            batch.last,
            batch.watermark,
            batch.root,
            batch.previous,
            entry,
        )

    def _last_batch(self, standing: Standing) -> Batch | None:
        if not standing.batches:
            return None
        return next(self._store.batches(standing.issuer, standing.batches - 1))

    def _recover(self, standing: Standing) -> None:
        """Who was killed may have kept the last batch without logging it, or logged it without noting so."""
        batch = self._last_batch(standing)
        if batch is None or batch.entry is not None:
            return
        wanted = batch.body()
        for entry in self._log.entries():
            if entry.kind == KIND and dict(entry.body) == wanted:
                self._store.logged(batch, entry.index)
                return
        self._write(batch)

    def _moment(self) -> float:
        """The time, unless the clock was set since the last batch: a watermark ahead of time would keep
        tokens from being issued until then, and cannot be taken back."""
        moment, passed = self._time().timestamp(), self._monotonic()
        before, self._before = self._before, (moment, passed)
        if before is not None:
            jump = (moment - before[0]) - (passed - before[1])
            if abs(jump) > _MOST_JUMP:
                raise LedgerError(
                    f"the clock was set by {jump:+.0f} s since the last batch; none is closed at this time",
                    path=self._store.path,
                )
        return moment
