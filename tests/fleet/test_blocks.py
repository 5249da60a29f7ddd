"""Random access to an object by ranges."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.fleet.blocks import AHEAD, BlockReader
from immure.fleet.errors import StoreError

DATA = random.Random(3).randbytes(10_000)


class Store:
    def __init__(self, data: bytes = DATA, *, broken_at: int | None = None, short: bool = False) -> None:
        self.data, self.broken_at, self.short = data, broken_at, short
        self.asked: Counter[tuple[int, int]] = Counter()

    def fetch(self, start: int, stop: int) -> bytes:
        self.asked[start, stop] += 1
        if self.broken_at is not None and start <= self.broken_at < stop:
            raise StoreError("the store says: no", path="x")
        return self.data[start : stop - self.short]

    def reader(self, memory: int = 1 << 20, block: int = 1000) -> BlockReader:
        return BlockReader(self.fetch, "x", len(self.data), memory, block)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 11_000), st.integers(0, 4_000)), max_size=8), st.integers(0, 5_000))
def test_reads_what_is_there(reads: list[tuple[int, int]], memory: int) -> None:
    reader = Store().reader(memory)
    for offset, length in reads:
        assert reader.read(offset, length) == DATA[offset : offset + length]
    reader.close()


def test_what_fits_into_memory_is_fetched_once() -> None:
    store = Store()
    reader = store.reader()
    for _ in range(3):
        assert reader.read(0, 10_000) == DATA
    assert set(store.asked.values()) == {1}
    reader.close()


def test_memory_is_bounded() -> None:
    store = Store()
    reader = store.reader(memory=0)
    for _ in range(2):
        assert reader.read(0, 10_000) == DATA
        assert len(reader._blocks) <= AHEAD + 2
    reader.close()


def test_a_reader_that_jumps_fetches_little_ahead() -> None:
    store = Store()
    reader = store.reader()
    reader.read(5_000, 10)
    assert len(store.asked) <= 1
    reader.close()


@pytest.mark.parametrize("store", [Store(broken_at=4_500), Store(short=True)], ids=["broken", "short"])
def test_what_the_store_does_not_give_raises_and_stays_broken(store: Store) -> None:
    reader = store.reader()
    with pytest.raises(StoreError):
        reader.read(4_400, 1_000)
    assert reader.fault is not None
    with pytest.raises(StoreError):
        reader.read(0, 10)
    reader.close()


def test_many_threads_see_the_same_bytes() -> None:
    reader = Store().reader(memory=3_000)
    with ThreadPoolExecutor(8) as pool:
        for offset, data in pool.map(lambda at: (at, reader.read(at, 777)), range(0, 10_000, 111)):
            assert data == DATA[offset : offset + 777]
    reader.close()


def test_threads_that_take_each_other_the_room_get_their_bytes_all_the_same() -> None:
    import time

    def slow(start: int, stop: int) -> bytes:
        time.sleep(0.002)
        return DATA[start:stop]

    reader = BlockReader(slow, "x", len(DATA), 0, 500)
    with ThreadPoolExecutor(16) as pool:
        for offset, data in pool.map(
            lambda at: (at, reader.read(at, 300)), [at * 7919 % 9_700 for at in range(200)]
        ):
            assert data == DATA[offset : offset + 300]
    reader.close()
