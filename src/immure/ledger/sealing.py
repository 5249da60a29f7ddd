"""Close batches: from then on the log tells whether a row was added, changed or taken out.

    sealer = Sealer(store, log)
    sealer.check()          # before the first token: ledger and log belong together
    sealer.seal_all()       # every few seconds, by one process

A batch says two things: these are the rows, and *all* tokens of the issuer with an ``iat`` before the
watermark are among them or in a batch before. The second makes "this token was never issued" a statement. It
holds because the store takes no row below the watermark any more *before* the rows of the batch are read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from immure import clock
from immure.auditlog.log import AuditLog
from immure.ledger.batch import KIND, NONE_BEFORE, Batch, tally
from immure.ledger.continuity import check_continuity
from immure.ledger.errors import LedgerError
from immure.ledger.moment import Moment
from immure.ledger.store import LedgerStore, Standing
from immure.ledger.witnesses import Asked, Witnesses

#: Seconds by which the watermark stays behind the clock: by then a token is signed, and on the disk.
SLACK: Final = 5
#: Rows of one batch.
MOST_ROWS: Final = 100_000
#: Seconds after which a batch without rows is closed, so that the watermark goes on when nobody signs in.
QUIET: Final = 60


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
        time_is_right: a person has looked at the clock; see :class:`~immure.ledger.moment.Moment`.
        witnesses: who is asked to sign the log after each batch.
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
        time_is_right: bool = False,
        witnesses: Witnesses | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._slack = slack
        self._quiet = quiet
        self._most_rows = most_rows
        self._moment = Moment(time, monotonic=monotonic, believed=time_is_right)
        self._witnesses = witnesses
        self._sure = False

    def check(self) -> Asked | None:
        """See that neither ledger nor log is an older copy, before anything is issued by them.

        Returns:
            What the witnesses say, if there are any; it is not an error if they cannot be reached.

        Raises:
            LedgerBehindError: the ledger is; or the log, of which a witness has seen more.
            LedgerError: ledger and log are not of one another.
            LogError: the log cannot be read.
        """
        self._log.refresh()
        check_continuity(self._store, self._log)
        return None if self._witnesses is None else self._witnesses.check(self._log)

    def seal_all(self) -> list[Batch]:
        """Close a batch of each issuer; several, if more rows wait than one may have.

        Raises:
            ClockDoubtError: the clock was set, or may be wrong.
            SealingBusyError: another process does it.
            LedgerError: the store fails, or is not what the log says.
            LogError: the log cannot be written.
        """
        made = []
        with self._store.sealing():
            sure, self._sure = self._sure, False
            self._log.refresh()
            if not sure:
                check_continuity(self._store, self._log)
            moment = self._moment.now(self._newest(), path=self._store.path)
            for standing in self._store.standings():
                recover(self._store, self._log, standing)
                made += self._seal(standing.issuer, moment - self._slack)
            self._sure = True
        return made

    def ask_witnesses(self) -> Asked | None:
        """Have the newest state of the log signed by its witnesses; None if there are none, or nothing is
        new. That they cannot be reached is no error, as it must not stop anything: it is in the answer."""
        return None if self._witnesses is None else self._witnesses.ask(self._log)

    def _newest(self) -> float | None:
        return next((entry.time.timestamp() for entry in self._log.newest()), None)

    def _seal(self, issuer: str, watermark: int) -> list[Batch]:
        made: list[Batch] = []
        standing = self._store.close_until(issuer, max(0, watermark))
        before = last_batch(self._store, standing)
        if standing.last == standing.closed and before and watermark < before.watermark + self._quiet:
            return made
        while True:
            last = min(standing.last, standing.closed + self._most_rows)
            batch = self._close(standing, before, last)
            made.append(batch)
            if last == standing.last:
                return made
            standing, before = replace(standing, closed=last, batches=standing.batches + 1), batch

    def _close(self, standing: Standing, before: Batch | None, last: int) -> Batch:
        """The rows up to ``last``. Only the batch that reaches all of them may speak of the watermark."""
        floor = before.watermark if before else 0
        batch = next_batch(self._store, standing, before, last, whole=True)
        return write(
            self._store,
            self._log,
            replace(batch, watermark=standing.watermark if last == standing.last else floor),
        )


def next_batch(
    store: LedgerStore, standing: Standing, before: Batch | None, last: int, *, whole: bool
) -> Batch:
    """The batch of the rows up to ``last``, with the watermark of the one before.

    Raises:
        LedgerError: they are not all there (if ``whole``), or one was added behind the back of the store.
    """
    first, floor = standing.closed + 1, before.watermark if before else 0
    found = tally(store.rows(standing.issuer, first, last))
    if whole and found.count != last - first + 1:
        raise LedgerError(
            f"rows {first} to {last} of {standing.issuer[:200]!a} should be {last - first + 1}, and "
            f"{found.count} are there: rows were lost. Declare it: immure ledger gap",
            path=store.path,
        )
    if found.oldest is not None and found.oldest < floor:
        raise LedgerError(
            f"row {found.sequence} of {standing.issuer[:200]!a} says it is from before the watermark, below "
            "which nothing is recorded: it was added behind the back of the ledger",
            path=store.path,
        )
    previous = before.digest if before else NONE_BEFORE
    return Batch(standing.issuer, standing.batches, first, last, floor, found.root, previous)


def write(store: LedgerStore, log: AuditLog, batch: Batch) -> Batch:
    """Keep a batch, then write it into the log."""
    store.add_batch(batch)
    return _log(store, log, batch)


def recover(store: LedgerStore, log: AuditLog, standing: Standing) -> None:
    """Who was killed may have kept the last batch without logging it, or logged it without noting so."""
    batch = last_batch(store, standing)
    if batch is None or batch.entry is not None:
        return
    for entry in log.newest():
        if entry.kind == KIND and entry.body.get("issuer") == batch.issuer:
            if dict(entry.body) == batch.body():
                store.logged(batch, entry.index)
                return
            break
    _log(store, log, batch)


def _log(store: LedgerStore, log: AuditLog, batch: Batch) -> Batch:
    entry = log.append(KIND, batch.body()).index
    store.logged(batch, entry)
    return replace(batch, entry=entry)


def last_batch(store: LedgerStore, standing: Standing) -> Batch | None:
    """The last batch of an issuer, if there is one."""
    if not standing.batches:
        return None
    return next(store.batches(standing.issuer, standing.batches - 1))
