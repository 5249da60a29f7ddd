"""Recording: nobody has a token before its row is on the disk."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from immure.ledger.errors import LedgerBusyError, LedgerError, WatermarkError
from immure.ledger.ledger import Ledger
from immure.ledger.row import Issued
from immure.ledger.sqlite_store import SqliteLedger
from ledger.making import ISSUER, T, row


class Watched(SqliteLedger):
    """Counts transactions, and does what the test says before each."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, create=True)
        self.groups: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None

    def append(self, rows: Sequence[Issued]) -> list[int | LedgerError]:
        self.groups.append(len(rows))
        assert self.gate.wait(20)
        if self.failure is not None:
            raise self.failure
        return super().append(rows)


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "ledger.db")


def _until(condition) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_many_rows_in_few_transactions(store: Watched) -> None:
    async def run(ledger: Ledger) -> list[int]:
        return await asyncio.gather(*(ledger.arecord(row()) for _ in range(500)))

    with Ledger(store) as ledger:
        assert sorted(asyncio.run(run(ledger))) == list(range(1, 501))
        assert sum(store.groups) == 500
        assert len(store.groups) < 250
        assert ledger.record(row()) == 501


def test_each_hears_of_its_own_row(store: Watched) -> None:
    store.close_until(ISSUER, T)
    with Ledger(store) as ledger:
        store.gate.clear()
        first = ledger.submit(row())
        _until(lambda: store.groups)
        late, good = ledger.submit(row(issued_at=T - 1)), ledger.submit(row())
        store.gate.set()
        assert first.result(20) == 1
        assert good.result(20) == 2
        with pytest.raises(WatermarkError):
            late.result(20)
    assert store.groups == [1, 2]


def test_those_who_give_up(store: Watched) -> None:
    """Their rows are written all the same, and the others hear of theirs."""

    async def give_up(ledger: Ledger) -> None:
        tasks = [asyncio.create_task(ledger.arecord(row())) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        store.gate.set()
        assert [await tasks[0], await tasks[2]] == [2, 4]

    with Ledger(store) as ledger:
        store.gate.clear()
        first = ledger.submit(row())
        _until(lambda: store.groups)
        asyncio.run(give_up(ledger))
        assert first.result(20) == 1
        waiting = ledger.submit(row())
        waiting.cancel()
        assert ledger.record(row()) in (5, 6)


def test_what_is_asked_for_in_one_turn_goes_together(store: Watched) -> None:
    async def run(ledger: Ledger) -> list[int]:
        return await asyncio.gather(*(ledger.arecord(row()) for _ in range(40)))

    with Ledger(store) as ledger:
        assert asyncio.run(run(ledger)) == list(range(1, 41))
    assert store.groups == [40]


def test_loops_of_several_threads(store: Watched) -> None:
    """Each hears in its own loop; one that has ended is forgotten."""
    found: list[int] = []

    async def ask(ledger: Ledger) -> None:
        for _ in range(5):
            found.extend(await asyncio.gather(*(ledger.arecord(row()) for _ in range(10))))

    with Ledger(store) as ledger:
        threads = [threading.Thread(target=lambda: asyncio.run(ask(ledger))) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(20)
        asyncio.run(ask(ledger))
        asyncio.run(ask(ledger))
    assert sorted(found) == list(range(1, 301))


def test_tasks_hear_that_it_is_closed_or_that_too_many_wait(store: Watched) -> None:
    async def ask(ledger: Ledger, count: int) -> set[type]:
        asked = (ledger.arecord(row()) for _ in range(count))
        return {type(one) for one in await asyncio.gather(*asked, return_exceptions=True)}

    ledger = Ledger(store, most_waiting=3)
    assert asyncio.run(ask(ledger, 4)) == {LedgerBusyError}
    assert asyncio.run(ask(ledger, 3)) == {int}
    ledger.close()
    assert asyncio.run(ask(ledger, 1)) == {LedgerError}


def test_too_many_wait(store: Watched) -> None:
    with Ledger(store, most_waiting=3) as ledger:
        store.gate.clear()
        ledger.submit(row())
        _until(lambda: store.groups)
        waiting = [ledger.submit(row()) for _ in range(3)]
        with pytest.raises(LedgerBusyError):
            ledger.submit(row())
        store.gate.set()
        assert [one.result(20) for one in waiting] == [2, 3, 4]


@pytest.mark.parametrize("failure", [LedgerError("disk full"), RuntimeError("something else")])
def test_all_of_a_transaction_hear_of_its_failure(store: Watched, failure: Exception) -> None:
    with Ledger(store) as ledger:
        store.failure = failure
        with pytest.raises(LedgerError):
            ledger.record(row())
        with pytest.raises(LedgerError):
            asyncio.run(ledger.arecord(row()))
        store.failure = None
        assert ledger.record(row()) == 1  # and it goes on when the disk does


def test_a_disk_that_does_not_answer(store: Watched) -> None:
    with Ledger(store) as ledger:
        store.gate.clear()
        with pytest.raises(LedgerError, match="nothing was written"):
            ledger.record(row(), patience=0.05)
        with pytest.raises(LedgerError, match="nothing was written"):
            asyncio.run(ledger.arecord(row(), patience=0.05))
        store.gate.set()


def test_closing_writes_what_waits(store: Watched, tmp_path: Path) -> None:
    ledger = Ledger(store)
    store.gate.clear()
    waiting = [ledger.submit(row()) for _ in range(10)]
    closing = threading.Thread(target=ledger.close)
    closing.start()
    store.gate.set()
    closing.join(20)
    assert [one.result(0) for one in waiting] == list(range(1, 11))
    ledger.close()  # once more does nothing
    with pytest.raises(LedgerError, match="closed"):
        ledger.submit(row())
    with SqliteLedger(tmp_path / "ledger.db") as again:
        assert again.standing(ISSUER).last == 10
