"""What the ledger says stays true whatever happens at the same time, and whoever writes to its database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immure.auditlog import AuditLog
from immure.ledger.batch import KIND, Batch, root_of
from immure.ledger.errors import LedgerError, WatermarkError
from immure.ledger.row import MOST_ISSUER, Issued
from immure.ledger.sealing import last_batch
from immure.ledger.sqlite_store import SqliteLedger
from immure.ledger.verdict import look_up
from immure.ledger.verify import verify_ledger
from ledger.making import ISSUER, OTHER, House, T, row


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def insert(house: House, sequence: int, one: Issued) -> None:
    """As somebody who can write to the database."""
    database = sqlite3.connect(house.path)
    database.execute("INSERT INTO tokens VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (sequence, *one.cells()))
    database.execute("UPDATE issuers SET last = ? WHERE id = 1", (sequence,))
    database.commit()
    database.close()


def test_a_row_that_is_added_later_to_hide_a_forged_token(house: House) -> None:
    """No batch is closed over it: its iat is from a time of which all was there already."""
    house.batch(row())
    insert(house, 2, row(issued_at=T - 50))
    with pytest.raises(LedgerError, match="behind the back"):
        house.sealer().seal_all()


def test_such_a_row_in_a_batch_of_who_has_the_log_key(house: House) -> None:
    """The operator closes the batch without our check; who verifies sees it all the same."""
    house.batch(row())
    insert(house, 2, row(issued_at=T - 50))
    standing = house.store.close_until(ISSUER, T + 5)
    before = last_batch(house.store, standing)
    assert before is not None
    _, root = root_of(house.store.rows(ISSUER, 2, 2))
    batch = Batch(ISSUER, 1, 2, 2, T + 5, root, before.digest)
    house.store.add_batch(batch)
    house.store.logged(batch, house.log.append(KIND, batch.body()).index)
    with pytest.raises(LedgerError, match="row 2 says it is from before the watermark"):
        house.verify()


def test_a_token_recorded_while_it_is_looked_up(house: House) -> None:
    """Not there yet, and a moment later below the watermark: that is no forged token."""
    house.batch(row())
    late = row(issued_at=T + 1)

    class Slow(SqliteLedger):
        def find(self, digest: bytes, **more: Any) -> list[tuple[int, Issued]]:
            found = super().find(digest, **more)
            house.store.append([late])
            house.times.go(100)
            house.sealer().seal_all()
            return found

    with Slow(house.path) as store:
        answer = look_up(store, late.digest, issuer=ISSUER, issued_at=late.issued_at)
        assert answer.verdict == "not-yet-known"
        assert look_up(house.store, late.digest, issuer=ISSUER, issued_at=T + 1).verdict == "issued"


LOOK_UPS = [
    ({"issued_at": T - 6}, "never-issued"),
    ({"issued_at": T - 5.5}, "never-issued"),
    ({"issued_at": T - 5}, "not-yet-known"),
    ({"issued_at": float("inf")}, "not-yet-known"),
    ({"issued_at": float("nan")}, "not-yet-known"),
    ({"issued_at": -1}, "never-issued"),
    ({"issued_at": None}, "unknown"),
    ({"issuer": None, "issued_at": 1}, "unknown"),
    ({"issuer": "https://elsewhere.example", "issued_at": 1}, "unknown"),
]


@pytest.mark.parametrize(("token", "verdict"), LOOK_UPS)
def test_verdicts(house: House, token: dict[str, Any], verdict: str) -> None:
    house.batch(row())
    assert look_up(house.store, bytes(16), **{"issuer": ISSUER, **token}).verdict == verdict


def test_pruned_while_it_is_verified(house: House) -> None:
    """Rows that were there a moment ago are pruned, and not lost."""
    for _ in range(4):
        house.batch(*house.some(2))
    entries = list(AuditLog.open(house.logs).entries())

    def pruning() -> Iterator[Any]:
        for number, entry in enumerate(entries):
            if number == 2:
                house.store.prune(ISSUER, 6)
            yield entry

    (found,) = verify_ledger(house.store, pruning())
    assert (found.rows, found.pruned) == (8, 6)


def test_the_oldest_rows_are_gone_and_nobody_pruned(house: House) -> None:
    house.batch(*house.some(2))
    house.batch(*house.some(2))
    database = sqlite3.connect(house.path)
    database.execute("DELETE FROM tokens WHERE seq < 3")
    database.commit()
    database.close()
    with pytest.raises(LedgerError, match="0 of them"):
        house.verify()


def test_the_same_batch_in_the_log_twice(house: House) -> None:
    """Two that closed batches, of which one had lost its lock, wrote the same one."""
    house.batch(row())
    (entry,) = house.log.entries()
    house.log.append(KIND, dict(entry.body))
    house.batch(row(issued_at=T + 10))
    assert house.verify() == {ISSUER: (2, 2, 0, 0)}


def test_another_batch_of_the_same_number(house: House) -> None:
    house.batch(row())
    (entry,) = house.log.entries()
    house.log.append(KIND, {**entry.body, "watermark": T})
    with pytest.raises(LedgerError, match="does not follow"):
        house.verify()


def test_a_batch_that_says_more_than_the_ledger(house: House) -> None:
    house.store.append([row()])
    house.store.close_until(ISSUER, T)
    for last, watermark in ((2, T), (1, T + 1)):
        with pytest.raises(LedgerError, match="says more"):
            house.store.add_batch(Batch(ISSUER, 0, 1, last, watermark, bytes(32), bytes(32)))


def test_a_front_end_whose_clock_is_behind_is_told_so(house: House) -> None:
    house.batch(row())
    (refused,) = house.store.append([row(issued_at=T - 15)])
    assert isinstance(refused, WatermarkError)
    assert refused.late == 10
    assert "10 s before the watermark" in str(refused)
    assert "clock of this machine" in str(refused)


def test_too_many_issuers_harm_only_themselves(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immure.ledger.sqlite_store.MOST_ISSUERS", 2)
    names = [ISSUER, OTHER, "https://a.example/x", "https://a.example/y", ISSUER]
    outcomes = house.store.append([row(issuer=name) for name in names])
    assert [isinstance(one, LedgerError) for one in outcomes] == [False, False, True, True, False]
    assert outcomes[4] == 2
    assert [one.issuer for one in house.store.standings()] == [ISSUER, OTHER]


ODD_NAMES = [
    "https://login.example/consumer\u202e",
    "HTTPS://login.example/consumer",
    "https://login.example/consumer\n'); DROP TABLE tokens; --",
    "\u00e9",
    "e\u0301",
    "%s{issuer}\\",
    "i" * MOST_ISSUER,
    "\U0001f600" * MOST_ISSUER,
]


def test_issuers_with_odd_names(house: House) -> None:
    rows = [row(issuer=name) for name in ODD_NAMES]
    assert house.store.append(rows) == [1] * len(rows)
    house.sealer().seal_all()
    assert set(house.verify()) == set(ODD_NAMES)
    for one in rows:
        assert house.store.find(one.digest) == [(1, one)]
        assert look_up(house.store, bytes(16), issuer=one.issuer, issued_at=5).verdict == "never-issued"


def test_a_row_made_huge_does_not_fill_the_memory(house: House) -> None:
    house.batch(row(), row())
    database = sqlite3.connect(house.path)
    database.execute("DROP TRIGGER tokens_stay")
    database.execute("UPDATE tokens SET sub = hex(zeroblob(5000000)) WHERE seq = 2")
    database.commit()
    database.close()
    with pytest.raises(LedgerError, match="too big"):
        house.verify()


def test_an_empty_file_is_no_ledger(tmp_path: Path) -> None:
    """What is left of a ledger that was cut to nothing must not become a new one."""
    (tmp_path / "ledger.db").write_bytes(b"")
    with pytest.raises(LedgerError, match="not a ledger"):
        SqliteLedger(tmp_path / "ledger.db")
