"""Closing batches, and holding a ledger against its log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.auditlog import AuditLog
from immure.errors import ImmureError, LogError
from immure.ledger.batch import KIND, Batch
from immure.ledger.errors import ClockDoubtError, LedgerError, WatermarkError
from immure.ledger.sealing import SLACK
from ledger.making import ISSUER, OTHER, House, T, row


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_batches_reach_all_rows(house: House) -> None:
    sealer = house.sealer()
    house.store.append([row(), row(), row(issuer=OTHER)])
    made = sealer.seal_all()
    assert [(batch.issuer, batch.first, batch.last, batch.watermark) for batch in made] == [
        (ISSUER, 1, 2, T - SLACK),
        (OTHER, 1, 1, T - SLACK),
    ]
    assert [batch.entry for batch in made] == [0, 1]
    house.store.append([row()])
    assert house.verify() == {ISSUER: (1, 2, 0, 1), OTHER: (1, 1, 0, 0)}
    house.times.go(10)
    assert [batch.last for batch in sealer.seal_all()] == [3]
    assert house.verify() == {ISSUER: (2, 3, 0, 0), OTHER: (1, 1, 0, 0)}


def test_nothing_is_added_below_a_watermark(house: House) -> None:
    house.store.append([row()])
    (batch,) = house.sealer().seal_all()
    (late,) = house.store.append([row(issued_at=batch.watermark - 1)])
    assert isinstance(late, WatermarkError)


def test_a_quiet_issuer(house: House) -> None:
    """The watermark goes on although nobody signs in, and the log does not grow every second."""
    sealer = house.sealer(quiet=60)
    house.store.append([row()])
    sealer.seal_all()
    marks = []
    for _ in range(30):
        house.times.go(5)
        marks += [batch.watermark for batch in sealer.seal_all()]
    assert marks == [T - SLACK + 60, T - SLACK + 120]


def test_only_the_last_of_several_batches_speaks_of_the_watermark(house: House) -> None:
    house.store.append([row() for _ in range(7)])
    made = house.sealer(most_rows=3).seal_all()
    assert [(batch.first, batch.last, batch.watermark) for batch in made] == [
        (1, 3, 0),
        (4, 6, 0),
        (7, 7, T - SLACK),
    ]
    assert house.verify() == {ISSUER: (3, 7, 0, 0)}


@pytest.mark.parametrize("jump", [3000, -3600])
def test_a_clock_that_was_set(house: House, jump: float) -> None:
    """A watermark far ahead would stop the issuer until then; so nothing is closed, and nothing refused."""
    sealer = house.sealer()
    house.store.append([row()])
    sealer.seal_all()
    house.times.go(10, set_by=jump)
    with pytest.raises(ClockDoubtError, match="clock was set"):
        sealer.seal_all()
    assert house.store.standing(ISSUER).watermark == T - SLACK
    house.times.go(10)
    house.store.append([row()])
    sealer.seal_all()  # who started it anew, or waits, has looked at the clock
    assert house.store.standing(ISSUER).watermark == max(T - SLACK, T + 20 + jump - SLACK)


def test_a_clock_that_was_set_while_nobody_was_at_work(house: House) -> None:
    house.batch(row())
    house.times.go(10, set_by=7200)
    sealer = house.sealer()
    for seconds in (0, 300, 299):
        house.times.go(seconds)
        with pytest.raises(ClockDoubtError, match="hours old"):
            sealer.seal_all()
    assert house.store.standing(ISSUER).watermark == T - SLACK
    assert house.store.append([row()]) == [2]  # issuing goes on
    house.times.go(2)
    sealer.seal_all()  # it was watched for ten minutes, and nobody put it right


def test_put_right_while_it_is_watched(house: House) -> None:
    house.batch(row())
    house.times.go(10, set_by=7200)
    sealer = house.sealer()
    with pytest.raises(ClockDoubtError, match="hours old"):
        sealer.seal_all()
    house.times.go(10, set_by=-7200)
    with pytest.raises(ClockDoubtError, match="was set"):
        sealer.seal_all()
    house.times.go(1)
    house.store.append(house.some(1))
    (batch,) = sealer.seal_all()
    assert batch.watermark == house.now() - SLACK


def test_a_clock_a_year_ahead(house: House) -> None:
    """After a pause so long only a person can say that the clock is right, in whatever process."""
    house.batch(row())
    house.times.go(10, set_by=365 * 86400)
    waits = house.sealer()
    for _ in range(30):
        with pytest.raises(ClockDoubtError, match="--time-is-right"):
            waits.seal_all()
        house.times.go(60)
    assert house.store.standing(ISSUER).watermark == T - SLACK
    assert house.sealer(time_is_right=True).seal_all()
    house.times.go(60)
    assert waits.seal_all()  # it sees the new entry
    assert house.verify()[ISSUER][0] == 3


def test_the_clock_went_back_while_nobody_was_at_work(house: House) -> None:
    house.batch(row())
    house.times.go(0, set_by=-5000)
    house.batch(row())
    assert [one.watermark for one in house.store.batches(ISSUER)] == [T - SLACK] * 2


class Failing(AuditLog):
    """A log that fails when it is told to: before an entry is written, or right after."""

    fail: str = ""

    def append(self, kind: str, body):  # type: ignore[no-untyped-def]
        if self.fail == "before":
            raise LogError("disk full")
        made = super().append(kind, body)
        if self.fail == "after":
            raise LogError("killed")
        return made


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_is_logged_once(house: House, when: str) -> None:
    house.log.__class__ = Failing
    house.store.append([row()])
    house.log.fail = when  # type: ignore[attr-defined]
    with pytest.raises(LogError):
        house.sealer().seal_all()
    house.log.fail = ""  # type: ignore[attr-defined]
    house.times.go(1)
    house.sealer().seal_all()
    entries = [entry for entry in AuditLog.open(house.logs).entries() if entry.kind == KIND]
    assert len(entries) == 1
    assert next(house.store.batches(ISSUER)).entry == 0
    assert house.verify() == {ISSUER: (1, 1, 0, 0)}


def _sql(*statements: str) -> Callable[[House], None]:
    def do(house: House) -> None:
        database = sqlite3.connect(house.path)
        for name in ("tokens_stay", "tokens_are_kept", "batches_are_kept"):
            database.execute(f"DROP TRIGGER {name}")  # who owns the file can
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()

    return do


TAMPERED = [
    ("a row changed", _sql("UPDATE tokens SET sub = 'eve' WHERE seq = 2"), "not those that were written"),
    ("a row removed", _sql("DELETE FROM tokens WHERE seq = 2"), "1 of them|2 of them"),
    ("the oldest row removed", _sql("DELETE FROM tokens WHERE seq = 1"), "2 of them"),
    ("the newest batch removed", _sql("DELETE FROM tokens WHERE seq > 3"), "0 of them"),
    (
        "the ledger's list of batches changed",
        _sql("UPDATE batches SET root = zeroblob(32) WHERE number = 1"),
        "another one in the ledger",
    ),
    (
        "the ledger's list of batches cut",
        _sql("DELETE FROM batches WHERE number = 1"),
        "not in the ledger",
    ),
    (
        "back-filled: a row in place of another",
        _sql(
            "DELETE FROM tokens WHERE seq = 3",
            "INSERT INTO tokens SELECT issuer, 3, zeroblob(16), kid, sub, aud, tenant, client, iat, exp,"
            " session FROM tokens WHERE seq = 1",
        ),
        "not those that were written",
    ),
    (
        "two rows exchanged",
        _sql(
            "UPDATE tokens SET seq = 99 WHERE seq = 1",
            "UPDATE tokens SET seq = 1 WHERE seq = 2",
            "UPDATE tokens SET seq = 2 WHERE seq = 99",
        ),
        "not those that were written",
    ),
    ("all forgotten", _sql("UPDATE issuers SET last = 2"), "end at 2"),
    ("an issuer renamed", _sql("UPDATE issuers SET name = 'https://x'"), "is not in the ledger|was ever"),
    ("a row that cannot be read", _sql("UPDATE tokens SET aud = '['"), "altered"),
]


@pytest.mark.parametrize(("what", "tamper", "words"), TAMPERED, ids=[what for what, _, _ in TAMPERED])
def test_tampering_is_noticed(house: House, what: str, tamper: Callable[[House], None], words: str) -> None:
    house.store.append([row(subject=f"s{number}") for number in range(3)])
    sealer = house.sealer()
    sealer.seal_all()
    house.store.append([row(), row()])
    house.times.go(10)
    sealer.seal_all()
    assert house.verify() == {ISSUER: (2, 5, 0, 0)}
    tamper(house)
    with pytest.raises(ImmureError, match=words):
        house.verify()


def test_rows_that_were_pruned(house: House) -> None:
    sealer = house.sealer()
    house.store.append([row(), row()])
    sealer.seal_all()
    house.times.go(10)
    house.store.append([row()])
    sealer.seal_all()
    house.store.prune(ISSUER, 2)
    assert house.verify() == {ISSUER: (2, 3, 2, 0)}


_GOOD = {
    "issuer": ISSUER,
    "number": 0,
    "first": 1,
    "last": 1,
    "watermark": 0,
    "root": "00" * 32,
    "previous": "00" * 32,
}
BAD_BODIES = [
    {"issuer": ISSUER},
    {**_GOOD, "more": 1},
    {**_GOOD, "issuer": 1},
    {**_GOOD, "number": True},
    {**_GOOD, "previous": ""},
    {**_GOOD, "root": "zz"},
    {**_GOOD, "root": "AA" * 32},
    {**_GOOD, "root": "00 " * 31 + "00"},
    {**_GOOD, "root": 7},
    {**_GOOD, "first": 5},
    {**_GOOD, "watermark": -1},
    [],
    None,
]


def test_an_entry_that_is_a_batch() -> None:
    assert Batch.from_body(_GOOD, 3).body() == _GOOD


@pytest.mark.parametrize("body", BAD_BODIES)
def test_entries_that_are_no_batches(body: object) -> None:
    with pytest.raises(LedgerError, match="entry 3 of the log"):
        Batch.from_body(body, 3)
