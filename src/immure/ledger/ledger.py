"""Record tokens: many at once, each on the disk before anybody may have it.

    ledger = Ledger(SqliteLedger("ledger.db"))
    await ledger.arecord(row)       # or ledger.record(row); a token may leave when this has returned

One thread writes. While a transaction is on its way to the disk, the rows of other requests gather, and go
with the next one: so the number of tokens a second is not bound by that of syncs.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple

from immure.ledger.errors import LedgerBusyError, LedgerError
from immure.ledger.row import Issued
from immure.ledger.store import LedgerStore

#: Rows that may wait.
MOST_WAITING: Final = 50_000
#: Rows of one transaction.
MOST_AT_ONCE: Final = 5_000
#: Seconds that a caller waits for the disk.
PATIENCE: Final = 30.0


class _Waiting(NamedTuple):
    """A row, and who is to hear what became of it: a thread, or a task of an event loop."""

    row: Issued
    done: Future[int] | asyncio.Future[int]
    loop: asyncio.AbstractEventLoop | None


class Ledger:
    """Records rows in a store. One for each process; any number of threads and tasks may use it.

    Args:
        store: where they go; closed with the ledger.
        most_waiting: rows that may wait before more are refused.
    """

    def __init__(self, store: LedgerStore, *, most_waiting: int = MOST_WAITING) -> None:
        self.store = store
        self._most_waiting = most_waiting
        self._waiting: list[_Waiting] = []
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="immure-ledger", daemon=True)
        self._thread.start()

    def submit(self, row: Issued) -> Future[int]:
        """Ask for a row to be recorded; the future has its sequence number, or the error.

        Raises:
            LedgerBusyError: too many wait; nothing was written.
            LedgerError: the ledger is closed.
        """
        done: Future[int] = Future()
        self._submit(_Waiting(row, done, None))
        return done

    def _submit(self, one: _Waiting) -> None:
        with self._wake:
            if self._closed:
                raise LedgerError("is closed", path=self.store.path)
            if len(self._waiting) >= self._most_waiting:
                raise LedgerBusyError(f"{self._most_waiting} rows wait already", path=self.store.path)
            self._waiting.append(one)
            if len(self._waiting) == 1:
                self._wake.notify()

    def record(self, row: Issued, *, patience: float = PATIENCE) -> int:
        """Record a row; it is on the disk when this returns.

        Returns:
            Its sequence number.

        Raises:
            LedgerError: it is not certain that it was recorded: the token must not leave.
        """
        try:
            return self.submit(row).result(patience)
        except TimeoutError:
            raise LedgerError(f"nothing was written for {patience:g} s", path=self.store.path) from None

    async def arecord(self, row: Issued, *, patience: float = PATIENCE) -> int:
        """As :meth:`record`, without blocking others meanwhile."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._submit(_Waiting(row, future, loop))
        # a third of what asyncio.timeout costs
        timer = loop.call_later(patience, self._give_up, future, patience)
        try:
            return await future
        finally:
            timer.cancel()

    def _give_up(self, future: asyncio.Future[int], patience: float) -> None:
        if not future.done():
            future.set_exception(LedgerError(f"nothing was written for {patience:g} s", path=self.store.path))

    def close(self) -> None:
        """Write what waits, and let go of the store."""
        with self._wake:
            if self._closed:
                return
            self._closed = True
            self._wake.notify()
        self._thread.join()
        self.store.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                group, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not group:
                return
            self._tell(group, self._written([one.row for one in group]))

    def _written(self, rows: list[Issued]) -> list[int | LedgerError]:
        try:
            return self.store.append(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, each of those who wait must hear of it
            shared = error if isinstance(error, LedgerError) else _foreign(error, self.store.path)
            return [shared] * len(rows)

    @staticmethod
    def _tell(group: list[_Waiting], outcomes: list[int | LedgerError]) -> None:
        """Each hears of its own row. An event loop is woken once for all of its tasks."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, int | LedgerError]]] = {}
        for one, outcome in zip(group, outcomes, strict=True):
            if one.loop is None:
                _resolve(one, outcome)
            else:
                loops.setdefault(one.loop, []).append((one, outcome))
        for loop, pairs in loops.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve_all, pairs)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _resolve_all(pairs: list[tuple[_Waiting, int | LedgerError]]) -> None:
    for one, outcome in pairs:
        _resolve(one, outcome)


def _resolve(one: _Waiting, outcome: int | LedgerError) -> None:
    done = one.done
    # who waited may have given up; a thread may do so at this very moment, a task only between two of ours
    if done.done() if isinstance(done, asyncio.Future) else not done.set_running_or_notify_cancel():
        return
    if isinstance(outcome, LedgerError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def _foreign(error: Exception, path: str) -> LedgerError:
    made = LedgerError(f"the store failed with {type(error).__name__}", path=path)
    made.__cause__ = error
    return made
