"""What every store of a ledger does: the same tests over SQLite and a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.ledger.batch import NONE_BEFORE, Batch, root_of
from immure.ledger.errors import LedgerError, WatermarkError
from immure.ledger.opening import open_ledger
from immure.ledger.store import LedgerStore
from ledger.making import ISSUER, OTHER, T, row


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    postgres = request.getfixturevalue("postgres")
    return str(postgres.url())


@pytest.fixture
def store(place: str) -> Iterator[LedgerStore]:
    with open_ledger(place, create=True) as store:
        yield store


def closed(store: LedgerStore, last: int, before: Batch | None = None, watermark: int = T) -> Batch:
    first = before.last + 1 if before else 1
    _, root = root_of(store.rows(ISSUER, first, last))
    number, previous = (before.number + 1, before.digest) if before else (0, NONE_BEFORE)
    batch = Batch(ISSUER, number, first, last, watermark, root, previous)
    store.close_until(ISSUER, watermark)
    store.add_batch(batch)
    return batch


def test_sequences_have_no_gaps(store: LedgerStore) -> None:
    rows = [row(), row(issuer=OTHER), row(), row(issuer=OTHER, subject="Åse ☃"), row()]
    assert store.append(rows) == [1, 1, 2, 2, 3]
    assert store.append([row()]) == [4]
    assert [sequence for sequence, _ in store.rows(ISSUER, 1, 100)] == [1, 2, 3, 4]
    assert list(store.rows(OTHER, 2, 2)) == [(2, rows[3])]
    assert [(one.issuer, one.last) for one in store.standings()] == [(ISSUER, 4), (OTHER, 2)]


@pytest.mark.parametrize("count", [1, 2, 3, 31, 63, 64, 65, 127, 200])
def test_any_number_at_once(store: LedgerStore, count: int) -> None:
    """Rows go in statements of 64, 32 and so on: each row once, in the order in which they came."""
    rows = [row(subject=f"s{number}") for number in range(count)]
    assert store.append(rows) == list(range(1, count + 1))
    assert list(store.rows(ISSUER, 1, 999)) == list(enumerate(rows, 1))


def test_texts_are_kept_as_they_are(store: LedgerStore) -> None:
    """What means something where a store writes it down: quotes, ends of lists, no value at all."""
    odd = [
        '"',
        "\\",
        '\\"',
        "{a,b}",
        "NULL",
        "null",
        "",
        " ",
        "'",
        "\\x00",
        'a"b\\\\"c',
        "\n\t\r",
        "%s",
        "$1",
        "☃\u2028",
    ]
    rows = [
        row(subject=one, audience=(one, one), tenant=one, client=one, session=one, kid=one or "k")
        for one in odd
    ]
    assert store.append(rows) == list(range(1, len(odd) + 1))
    assert [one for _, one in store.rows(ISSUER, 1, 99)] == rows


def test_nothing_below_the_watermark(store: LedgerStore) -> None:
    store.append([row()])
    assert store.close_until(ISSUER, T).watermark == T
    assert store.close_until(ISSUER, T - 100).watermark == T  # never goes back
    before, after = row(issued_at=T - 1), row(issued_at=T)
    refused, taken, other = store.append([before, after, row(issuer=OTHER, issued_at=T - 1)])
    assert isinstance(refused, WatermarkError)
    assert (taken, other) == (2, 1)
    assert list(store.rows(ISSUER, 2, 9)) == [(2, after)]


def test_watermark_of_an_issuer_that_has_no_row(store: LedgerStore) -> None:
    store.close_until(ISSUER, T)
    assert isinstance(store.append([row(issued_at=T - 1)])[0], WatermarkError)
    assert store.standing(ISSUER).last == 0


def test_find(store: LedgerStore) -> None:
    wanted = row(issuer=OTHER)
    store.append([row(), wanted, row()])
    assert store.find(wanted.digest) == [(1, wanted)]
    assert store.find(bytes(16)) == []


def test_batches_follow_one_another(store: LedgerStore) -> None:
    store.append([row() for _ in range(5)])
    first = closed(store, 2)
    second = closed(store, 5, first)
    empty = closed(store, 5, second, watermark=T + 60)
    assert [batch.number for batch in store.batches(ISSUER)] == [0, 1, 2]
    assert list(store.batches(ISSUER, 2)) == [empty]
    standing = store.standing(ISSUER)
    assert (standing.closed, standing.batches) == (5, 3)
    store.logged(second, 17)
    assert [batch.entry for batch in store.batches(ISSUER)] == [None, 17, None]


BAD_BATCHES = [
    ("twice", Batch(ISSUER, 0, 1, 2, T, bytes(32), NONE_BEFORE)),
    ("a number is left out", Batch(ISSUER, 2, 3, 4, T, bytes(32), NONE_BEFORE)),
    ("rows are left out", Batch(ISSUER, 1, 4, 4, T, bytes(32), NONE_BEFORE)),
    ("of another chain", Batch(ISSUER, 1, 3, 4, T, bytes(32), bytes(31) + b"x")),
]


@pytest.mark.parametrize(("what", "batch"), BAD_BATCHES, ids=[what for what, _ in BAD_BATCHES])
def test_batches_that_do_not_follow(store: LedgerStore, what: str, batch: Batch) -> None:
    store.append([row() for _ in range(4)])
    closed(store, 2)
    with pytest.raises(LedgerError, match="does not follow"):
        store.add_batch(batch)


def test_batch_with_an_earlier_watermark(store: LedgerStore) -> None:
    store.append([row() for _ in range(4)])
    first = closed(store, 2)
    with pytest.raises(LedgerError, match="does not follow"):
        closed(store, 4, first, watermark=T - 1)


def test_pruning_needs_the_log(store: LedgerStore) -> None:
    store.append([row() for _ in range(4)])
    batch = closed(store, 3)
    with pytest.raises(LedgerError, match="kept"):
        store.prune(ISSUER, 3)
    store.logged(batch, 0)
    with pytest.raises(LedgerError, match="kept"):
        store.prune(ISSUER, 4)
    assert store.prune(ISSUER, 3) == 3
    assert [sequence for sequence, _ in store.rows(ISSUER, 1, 9)] == [4]
    assert store.append([row()]) == [5]


def test_unknown_issuer(store: LedgerStore) -> None:
    with pytest.raises(LedgerError, match="was ever recorded"):
        list(store.rows("https://elsewhere.example", 1, 2))
    with pytest.raises(LedgerError, match="was ever recorded"):
        store.standing("https://elsewhere.example")


def test_what_was_written_is_there_after_opening_again(place: str) -> None:
    rows = [row(), row()]
    with open_ledger(place, create=True) as store:
        store.append(rows)
    with open_ledger(place) as store:
        assert [one for _, one in store.rows(ISSUER, 1, 2)] == rows
        assert store.append([row()]) == [3]


def test_there_is_none(place: str) -> None:
    with pytest.raises(LedgerError):
        open_ledger(place)


def test_only_one_closes_batches(place: str, store: LedgerStore) -> None:
    with open_ledger(place) as other, store.sealing():
        with pytest.raises(LedgerError, match="another"), other.sealing():
            pass
        with pytest.raises(LedgerError, match="another"), store.sealing():
            pass
    with store.sealing():
        pass


def _write(place: str, mark: int, count: int) -> None:
    with open_ledger(place) as store:
        for number in range(count):
            digest = (mark << 64 | number).to_bytes(16, "big")
            store.append([row(digest=digest), row(digest=digest, issuer=OTHER)])


def test_two_front_ends_at_once(place: str, store: LedgerStore) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(place, mark, 50)) for mark in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    for issuer in (ISSUER, OTHER):
        found = list(store.rows(issuer, 1, 1000))
        assert [sequence for sequence, _ in found] == list(range(1, 101))
        assert len({one.digest for _, one in found}) == 100


def test_two_front_ends_with_several_issuers(place: str, store: LedgerStore) -> None:
    """Rows of several issuers, in another order each: none waits for ever, and each has its number."""
    with open_ledger(place) as other:
        names = [ISSUER, OTHER, "https://third.example"]
        found: dict[str, list[int]] = {name: [] for name in names}

        def write(mine: LedgerStore, order: list[str]) -> None:
            for _ in range(20):
                numbers = mine.append([row(issuer=name) for name in order])
                for name, number in zip(order, numbers, strict=True):
                    assert isinstance(number, int)
                    found[name].append(number)

        threads = [
            threading.Thread(target=write, args=(store, names)),
            threading.Thread(target=write, args=(other, names[::-1])),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {name: sorted(numbers) for name, numbers in found.items()} == {
        name: list(range(1, 41)) for name in names
    }


def test_odd_texts(store: LedgerStore) -> None:
    """What a database might take for something else comes back as it was."""
    texts = ["", "NULL", "null", "{}", '{"a",b}', "\\N", "\\.", "a\tb\nc", "'", '"', "%s", "\U0001f600", " "]
    made = [row(subject=text, tenant=text, audience=(text, text)) for text in texts]
    assert store.append(made) == list(range(1, len(made) + 1))
    assert [one for _, one in store.rows(ISSUER, 1, 99)] == made


def test_longest_life(store: LedgerStore) -> None:
    store.close_until(ISSUER, 5)
    assert store.longest_life(ISSUER) == 0
    store.append([row(expires=T + 5), row(expires=T + 77), row(issuer=OTHER, expires=T + 999)])
    assert store.longest_life(ISSUER) == 77
    store.append([row(issuer="https://odd.example", expires=T - 5)])
    assert store.longest_life("https://odd.example") == 0


def test_threads_of_one_store(store: LedgerStore) -> None:
    got: list[int | LedgerError] = []
    threads = [
        threading.Thread(target=lambda: [got.extend(store.append([row()])) for _ in range(25)])  # type: ignore[func-returns-value]
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number in got if isinstance(number, int)) == list(range(1, 101))


def test_a_file_that_is_not_for_everybody(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with open_ledger(str(tmp_path / "ledger.db"), create=True) as store:
            store.append([row()])
            assert {one.name[:9]: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {
                "ledger.db": 0o640
            }
    finally:
        os.umask(before)
