"""Record tokens: many at once, each on the disk before anybody may have it.

    ledger = Ledger(SqliteLedger("ledger.db"))
    await ledger.arecord(row)       # or ledger.record(row); a token may leave when this has returned

One thread writes. While a transaction is on its way to the disk, the rows of other requests gather, and go
with the next one: so the number of tokens a second is not bound by that of syncs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple

from immure.ledger.deadlines import Deadlines
from immure.ledger.errors import LedgerBusyError, LedgerError
from immure.ledger.row import Issued
from immure.ledger.store import LedgerStore

#: Rows that may wait.
MOST_WAITING: Final = 50_000
#: Rows of one transaction.
MOST_AT_ONCE: Final = 5_000
#: Seconds that a caller waits for the disk.
PATIENCE: Final = 30.0


#: The number of a row, or why it has none.
_Outcome = int | LedgerError


class _Waiting(NamedTuple):
    """A row, and who is to hear what became of it: a thread, or a task of an event loop."""

    row: Issued
    done: Future[int] | asyncio.Future[int]


class _Turn:
    """Rows that tasks of one event loop ask for in one turn of it: they are handed over together, for to wake
    the thread that writes costs as much as a row, and what it would find then is the first of them alone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        submit: Callable[[Sequence[_Waiting]], None],
        deadlines: Deadlines,
    ) -> None:
        self.loop = loop
        self._submit = submit
        self._deadlines = deadlines
        self._rows: list[_Waiting] = []

    def add(self, row: Issued) -> asyncio.Future[int]:
        """One more; the future has its sequence number, or the error."""
        future: asyncio.Future[int] = self.loop.create_future()
        if not self._rows:
            self.loop.call_soon(self._hand_over)
        self._rows.append(_Waiting(row, future))
        self._deadlines.add(future)
        return future

    def _hand_over(self) -> None:
        rows, self._rows = self._rows, []
        try:
            self._submit(rows)
        except LedgerError as error:
            _resolve_all((one.done, error) for one in rows if isinstance(one.done, asyncio.Future))


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
        self._here = threading.local()  # the turn of the loop that this thread runs
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
        self._submit([_Waiting(row, done)])
        return done

    def _submit(self, some: Sequence[_Waiting]) -> None:
        """All of them, or none."""
        with self._wake:
            if self._closed:
                raise LedgerError("is closed", path=self.store.path)
            if len(self._waiting) + len(some) > self._most_waiting:
                raise LedgerBusyError(f"{self._most_waiting} rows wait already", path=self.store.path)
            if not self._waiting:
                self._wake.notify()
            self._waiting += some

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
            raise self._late(patience) from None

    def asubmit(self, row: Issued) -> asyncio.Future[int]:
        """As :meth:`submit`, for a task: the future has the error, too, if too many wait, or nothing is
        written for :data:`PATIENCE` seconds."""
        loop = asyncio.get_running_loop()
        turn: _Turn | None = getattr(self._here, "turn", None)
        if turn is None or turn.loop is not loop:
            deadlines = Deadlines(PATIENCE, lambda: self._late(PATIENCE))
            turn = self._here.turn = _Turn(loop, self._submit, deadlines)
        return turn.add(row)

    async def arecord(self, row: Issued, *, patience: float = PATIENCE) -> int:
        """As :meth:`record`, without blocking others meanwhile, for :data:`PATIENCE` seconds at most."""
        future = self.asubmit(row)
        if patience >= PATIENCE:
            return await future
        timer = future.get_loop().call_later(patience, self._give_up, future, patience)
        try:
            return await future
        finally:
            timer.cancel()

    def _give_up(self, future: asyncio.Future[int], patience: float) -> None:
        if not future.done():
            future.set_exception(self._late(patience))

    def _late(self, patience: float) -> LedgerError:
        return LedgerError(f"nothing was written for {patience:g} s", path=self.store.path)

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
    def _tell(group: list[_Waiting], outcomes: list[_Outcome]) -> None:
        """Each hears of its own row. An event loop is woken once for all of its tasks."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], _Outcome]]] = {}
        for one, outcome in zip(group, outcomes, strict=True):
            if isinstance(one.done, asyncio.Future):
                loops.setdefault(one.done.get_loop(), []).append((one.done, outcome))
            elif one.done.set_running_or_notify_cancel():  # else who waited has given up
                _resolve(one.done, outcome)
        for loop, pairs in loops.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve_all, pairs)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _resolve_all(pairs: Iterable[tuple[asyncio.Future[int], _Outcome]]) -> None:
    for done, outcome in pairs:
        if not done.done():  # else who waited has given up
            _resolve(done, outcome)


def _resolve(done: Future[int] | asyncio.Future[int], outcome: _Outcome) -> None:
    if isinstance(outcome, LedgerError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def _foreign(error: Exception, path: str) -> LedgerError:
    made = LedgerError(f"the store failed with {type(error).__name__}", path=path)
    made.__cause__ = error
    return made
