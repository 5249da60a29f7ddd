"""The spool: right bytes, in time, to every thread; zeros for nothing; no plain byte on disk."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import spool
from immure.dumps.limits import Limits
from immure.dumps.spool import BLOCK, SpoolReader
from immure.errors import ImageError

from .helpers import read_all

SMALL = Limits(spool_memory_bytes=2 * BLOCK)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    position = 0
    for size in sizes:
        yield data[position : position + size]
        position += size
    yield data[position:]


def content(seed: int, blocks: int) -> bytes:
    chance = random.Random(seed)
    return b"".join(chance.choice([bytes(BLOCK), chance.randbytes(BLOCK)]) for _ in range(blocks))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    blocks=st.integers(0, 12),
    tail=st.binary(max_size=99),
    sizes=st.lists(st.integers(0, 5 * BLOCK), max_size=8),
    reads=st.lists(st.tuples(st.integers(0, 13 * BLOCK), st.integers(0, 4 * BLOCK)), max_size=12),
)
def test_bytes_are_those_of_the_stream(seed, blocks, tail, sizes, reads):
    data = content(seed, blocks) + tail
    reader = SpoolReader(cut(data, sizes), "test", SMALL)
    for offset, length in reads:
        assert reader.read(offset, length) == data[offset : offset + length]
    assert read_all(reader) == data
    reader.wait()
    assert reader.size == len(data)
    rebuilt = bytearray(len(data))
    for start, stop in reader.extents(0, len(data)):
        rebuilt[start:stop] = reader.read(start, stop - start)
    assert rebuilt == data
    reader.close()


def test_extents_leave_out_zeros():
    data = bytes(3 * BLOCK) + b"x" * BLOCK + bytes(2 * BLOCK) + b"tail"
    reader = SpoolReader(iter([data]), "test", SMALL)
    assert list(reader.extents(0, 1 << 40)) == [(3 * BLOCK, 4 * BLOCK), (6 * BLOCK, 6 * BLOCK + 4)]
    assert list(reader.extents(3 * BLOCK + 5, 3 * BLOCK + 9)) == [(3 * BLOCK + 5, 3 * BLOCK + 9)]


def test_readers_get_bytes_before_the_end():
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"a" * BLOCK
        go_on.wait(20)
        yield b"b" * BLOCK

    reader = SpoolReader(pieces(), "test", SMALL)
    assert reader.read(10, 100) == b"a" * 100
    assert reader.size is None
    extents = reader.extents(0, 2 * BLOCK)
    go_on.set()
    assert reader.read(BLOCK, 3 * BLOCK) == b"b" * BLOCK
    assert list(extents) == [(0, 2 * BLOCK)]
    reader.wait()
    assert reader.size == 2 * BLOCK


def test_many_threads_read_while_it_is_filled():
    data = content(5, 64) + b"end"

    def slowly() -> Iterator[bytes]:
        for start in range(0, len(data), 100_000):
            time.sleep(0.0005)
            yield data[start : start + 100_000]

    reader = SpoolReader(slowly(), "test", SMALL)
    wrong: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            offset, length = chance.randrange(len(data)), chance.randrange(200_000)
            if reader.read(offset, length) != data[offset : offset + length]:
                wrong.append(offset)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_plain_reaches_the_disk(tmp_path):
    marker = b"immure-marker-that-must-not-be-on-disk!!"
    data = marker * (8 * BLOCK // len(marker))
    reader = SpoolReader(iter([data]), "test", Limits(spool_memory_bytes=0, spool_directory=str(tmp_path)))
    reader.wait()
    assert list(tmp_path.iterdir()) == []  # the file has no name
    stored = os.pread(reader._file._descriptor, len(data), 0)
    assert len(stored) == len(data)
    assert marker[:8] not in stored
    assert len(set(stored)) == 256
    assert reader.read(100, 5000) == data[100:5100]


def test_a_bomb_of_zeros_costs_nothing_and_ends():
    def zeros() -> Iterator[bytes]:
        while True:
            yield bytes(16 << 20)

    reader = SpoolReader(zeros(), "test", Limits(max_apparent_bytes=4 << 30, spool_memory_bytes=0))
    reader.wait()
    assert list(reader.extents(0, 1 << 40)) == []
    assert reader._slots == 0
    [missing] = reader.faults()
    assert missing.reason == "more than 4294967296 bytes come out of the stream"
    assert missing.offset == reader.size == 4 << 30


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_stored_bytes=64 * BLOCK), "more than 4194304 non-zero bytes"),
        (Limits(max_apparent_bytes=10 * BLOCK), "more than 655360 bytes"),
        (Limits(spool_memory_bytes=0, disk_margin_bytes=1 << 62), "file system is nearly full"),
        (Limits(spool_memory_bytes=0, spool_directory="/nonexistent"), "cannot be written: No such file"),
    ],
)
def test_limits(limits, words):
    noise = os.urandom(1 << 20) + bytes(7777)  # the last block of each piece waits for the next
    reader = SpoolReader(iter([noise] * 100), "test", limits)
    reader.wait()
    assert words in reader.faults()[0].reason
    stop = reader.size
    assert stop is not None
    assert read_all(reader) == (noise * 100)[:stop]


def test_a_decoder_that_raises_anything_ends_the_stream():
    def broken() -> Iterator[bytes]:
        yield b"good" * 1000
        raise ZeroDivisionError("surprise")

    reader = SpoolReader(broken(), "test", SMALL)
    assert read_all(reader) == b"good" * 1000
    assert reader.faults()[0].reason == "the stream cannot be decoded: ZeroDivisionError: surprise"


def test_close_stops_the_stream_and_later_reads_say_so():
    released = threading.Event()

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * BLOCK

    reader = SpoolReader(endless(), "test", Limits(), released.set)
    assert reader.read(0, 1) == b"x"
    reader.close()
    assert released.wait(20)
    with pytest.raises(ImageError, match="read after close"):
        reader.read(0, 1)


def passed_over(data: bytes, released: list[str], limits: Limits = SMALL) -> SpoolReader:
    def anew() -> SpoolReader:
        return SpoolReader(cut(data, [BLOCK] * 40), "test", limits, lambda: released.append("second"))

    pieces = cut(data, [100_000] * 30)
    return SpoolReader(pieces, "test", limits, lambda: released.append("first"), anew)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    span=st.integers(1, 4 * BLOCK),
    reads=st.lists(st.tuples(st.integers(0, 33 * BLOCK), st.integers(0, 4 * BLOCK)), max_size=9),
)
def test_who_passes_over_once_may_still_read_anything(seed, span, reads):
    data = content(seed, 32) + b"end"
    released: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_AHEAD", 3 * BLOCK)
        reader = passed_over(data, released)
        reader.once(span)
        for offset, length in reads:
            assert reader.read(offset, length) == data[offset : offset + length]
        reader.wait()
        assert read_all(reader) == data
        assert list(reader.extents(0, 99 * BLOCK)) == list(
            SpoolReader(iter([data]), "test", SMALL).extents(0, 99 * BLOCK)
        )
    assert "first" not in released  # it may be needed to open the stream anew
    reader.close()
    reader.close()
    assert released.count("first") == 1


def test_who_passes_over_once_has_nothing_stored():
    data = os.urandom(64 * BLOCK)
    opened: list[int] = []

    def anew() -> SpoolReader:
        opened.append(1)
        return SpoolReader(iter([data]), "test", SMALL)

    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        go_on.wait(20)
        for start in range(0, len(data), 3 * BLOCK):
            yield data[start : start + 3 * BLOCK]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_AHEAD", 6 * BLOCK)
        reader = SpoolReader(pieces(), "test", SMALL, again=anew)
        reader.once(2 * BLOCK)
        go_on.set()
        for start in range(0, len(data), BLOCK):
            assert reader.read(start, BLOCK) == data[start : start + BLOCK]
            assert len(reader._recent) <= 8
        assert (opened, reader._file, reader._slots) == ([], None, 2)
        assert reader.stored_bytes == len(data)
        assert reader.read(5 * BLOCK, BLOCK) == data[5 * BLOCK : 6 * BLOCK]
        assert opened == [1]


def test_the_stream_waits_for_who_passes_over_it():
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(64):
            taken.append(number)
            yield b"x" * BLOCK

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_AHEAD", 4 * BLOCK)
        hold = threading.Event()
        source = pieces()

        def held() -> Iterator[bytes]:
            hold.wait(20)
            yield from source

        reader = SpoolReader(held(), "test", SMALL, again=lambda: passed_over(b"", []))
        reader.once(BLOCK)
        hold.set()
        assert reader.read(0, BLOCK) == b"x" * BLOCK
        time.sleep(0.05)
        assert len(taken) <= 8
        reader.wait()  # and does not where somebody waits for its end
        assert len(taken) == 64
