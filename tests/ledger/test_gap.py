"""A ledger that was lost: noticed before a token is issued, and declared, so that nobody is accused."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immure.auditlog import AuditLog
from immure.ledger.continuity import check_continuity
from immure.ledger.declaring import declare_gap
from immure.ledger.errors import LedgerBehindError, LedgerError, WatermarkError
from immure.ledger.gap import KIND, Gap, gaps
from immure.ledger.row import Issued
from immure.ledger.sqlite_store import SqliteLedger
from immure.ledger.verdict import look_up
from ledger.making import ISSUER, OTHER, House, T, row


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def ask(house: House, one: Issued) -> str:
    return look_up(house.store, one.digest, issuer=one.issuer, issued_at=one.issued_at).verdict


def save(house: House) -> Path:
    """A backup of the database, as it is now."""
    kept = house.directory / "backup.db"
    source, target = sqlite3.connect(house.path), sqlite3.connect(kept)
    source.backup(target)
    source.close()
    target.close()
    return kept


def restore(house: House, kept: Path) -> None:
    house.store.close()
    for left in house.directory.glob("ledger.db*"):
        left.unlink()
    shutil.copy(kept, house.path)
    house.store = SqliteLedger(house.path)


def lose(house: House) -> tuple[list[Issued], list[Issued], list[Issued]]:
    """Rows that are in the backup, rows that are lost, in a batch and in none."""
    kept, lost, unsealed = house.some(3), [], []
    house.batch(*kept)
    half = house.some(1)
    house.store.append(half)
    backup = save(house)
    house.times.go(5)
    lost += house.some(2)
    house.batch(*lost)
    lost += house.some(2)
    house.batch(*lost[2:])
    unsealed += house.some(2)
    house.store.append(unsealed)
    house.times.go(60)
    restore(house, backup)
    return [*kept, *half], lost, unsealed


def test_an_older_copy_issues_nothing(house: House) -> None:
    lose(house)
    with pytest.raises(LedgerBehindError, match="immure ledger gap"):
        house.sealer().check()
    with pytest.raises(LedgerBehindError):
        house.sealer().seal_all()
    assert len(AuditLog.open(house.logs)) == 3


def test_a_gap_that_is_declared(house: House) -> None:
    kept, lost, unsealed = lose(house)
    gap = declare_gap(house.store, house.open_log(), ISSUER, reason="disk lost", end=house.now())
    assert (gap.start, gap.end, gap.first, gap.last, gap.entry) == (T - 5, house.now(), 4, 8, 3)
    house.log.refresh()
    sealer = house.sealer()
    sealer.check()
    (late,) = house.store.append([row(issued_at=house.now() - 1)])
    assert isinstance(late, WatermarkError)  # nothing is added within the gap
    house.times.go(30)
    new = house.some(2)
    assert house.store.append(new) == [9, 10]  # numbers of lost rows are not used again
    sealer.seal_all()
    checked = house.checked()[ISSUER]
    assert (checked.rows, checked.lost, checked.unproven, checked.open) == (10, 4, 1, 0)
    assert checked.gaps == [gap]
    assert [ask(house, one) for one in kept] == ["issued"] * 4
    assert [ask(house, one) for one in [*lost, *unsealed]] == ["ledger-gap"] * 6
    assert [ask(house, one) for one in new] == ["issued"] * 2
    assert ask(house, row(issued_at=T - 6)) == "never-issued"  # an attack cannot hide outside of the gap
    house.times.go(60)
    sealer.seal_all()
    assert ask(house, row(issued_at=gap.end + 1)) == "never-issued"


def test_damage_that_nobody_declared(house: House) -> None:
    """Taking over the batches without saying why is noticed by everybody who verifies."""
    lose(house)
    house.store.adopt(
        [batch for batch in _batches(house) if batch.number >= house.store.standing(ISSUER).batches]
    )
    house.sealer().check()
    with pytest.raises(LedgerError, match="rows, and"):
        house.verify()


def _batches(house: House) -> list[Any]:
    from immure.ledger.batch import Batch

    return [
        Batch.from_body(one.body, one.index)
        for one in AuditLog.open(house.logs).entries()
        if one.kind == "ledger.batch"
    ]


def test_declaring_again_after_it_was_interrupted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(house)
    log = house.open_log()
    for place in ("adopt", "add_gap"):
        with monkeypatch.context() as patch:
            real = getattr(house.store, place)

            def killed(*arguments: Any, real: Callable[..., Any] = real) -> Any:
                real(*arguments)
                raise KeyboardInterrupt

            patch.setattr(house.store, place, killed)
            with pytest.raises(KeyboardInterrupt):
                declare_gap(house.store, log, ISSUER, reason="disk lost", end=house.now())
    gap = declare_gap(house.store, log, ISSUER, reason="disk lost", end=house.now())
    assert (gap.first, gap.last) == (4, 8)
    house.log.refresh()
    house.batch(*house.some(1))
    assert house.checked()[ISSUER].lost == 4


def test_rows_lost_that_are_in_no_batch(house: House) -> None:
    house.batch(*house.some(2))
    house.store.append(house.some(3))
    database = sqlite3.connect(house.path)
    database.execute("DROP TRIGGER tokens_are_kept")
    database.execute("DELETE FROM tokens WHERE seq = 4")
    database.commit()
    database.close()
    house.times.go(60)
    with pytest.raises(LedgerError, match="rows were lost"):
        house.sealer().seal_all()
    gap = declare_gap(house.store, house.log, ISSUER, reason="a bad block", end=house.now())
    assert (gap.first, gap.last, gap.start) == (3, 5, T - 5)
    house.batch(*house.some(1))
    checked = house.checked()[ISSUER]
    assert (checked.rows, checked.lost, checked.unproven) == (6, 1, 2)


def test_nothing_of_a_batch_is_lost(house: House) -> None:
    """Rows that were in no batch yet are lost when another machine takes over with an older copy."""
    house.batch(*house.some(2))
    kept = save(house)
    lost = house.some(2)
    house.store.append(lost)
    restore(house, kept)
    house.times.go(60)
    house.sealer().check()  # nobody can tell
    gap = declare_gap(house.store, house.log, ISSUER, reason="took over", end=house.now())
    assert (gap.first, gap.last) == (3, 2)
    house.batch(*house.some(1))
    assert [ask(house, one) for one in lost] == ["ledger-gap"] * 2
    assert house.verify() == {ISSUER: (2, 3, 0, 0)}


def test_a_gap_that_begins_too_late(house: House) -> None:
    lose(house)
    with pytest.raises(LedgerError, match="must begin"):
        declare_gap(house.store, house.log, ISSUER, reason="x", start=T, end=house.now())
    assert (
        declare_gap(house.store, house.log, ISSUER, reason="x", start=T - 9, end=house.now()).start == T - 9
    )


def test_an_issuer_that_is_lost_altogether(house: House) -> None:
    kept = save(house)
    house.batch(*house.some(2), *house.some(1, issuer=OTHER))
    restore(house, kept)
    house.times.go(60)
    with pytest.raises(LedgerBehindError):
        house.sealer().check()
    for issuer in (ISSUER, OTHER):
        declare_gap(house.store, house.log, issuer, reason="disk lost", end=house.now())
    house.sealer().check()
    assert [one.lost for one in house.checked().values()] == [2, 1]


def test_an_older_copy_of_the_log(house: House) -> None:
    house.batch(*house.some(2))
    older = shutil.copytree(house.logs, house.directory / "older")
    house.batch(*house.some(1))
    shutil.rmtree(house.logs)
    shutil.copytree(older, house.logs)
    house.log = house.open_log()
    with pytest.raises(LedgerError, match="older copy, or another log"):
        house.sealer().check()
    with pytest.raises(LedgerError, match="older copy, or another log"):
        house.sealer().seal_all()
    with pytest.raises(LedgerError, match=r"older copy|another log"):
        declare_gap(house.store, house.log, ISSUER, reason="x", end=house.now())


def test_a_log_of_another_ledger(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other")
    other.batch(*other.some(1))
    house.batch(*house.some(1))
    with pytest.raises(LedgerError, match="not the one"):
        check_continuity(house.store, other.log)


def test_an_unlogged_batch_and_an_older_log(house: House) -> None:
    """Killed between ledger and log, and then the log was put back: it is not continued."""
    house.batch(*house.some(1))
    older = shutil.copytree(house.logs, house.directory / "older")
    house.batch(*house.some(1))
    house.store.append(house.some(1))
    standing = house.store.standing(ISSUER)
    from immure.ledger.sealing import last_batch, next_batch

    house.store.add_batch(next_batch(house.store, standing, last_batch(house.store, standing), 3, whole=True))
    house.sealer().check()  # killed here, it goes on
    shutil.rmtree(house.logs)
    shutil.copytree(older, house.logs)
    house.log = house.open_log()
    with pytest.raises(LedgerError, match="older copy"):
        house.sealer().seal_all()


def test_pruned_rows_are_not_called_forged(house: House) -> None:
    from immure.ledger.retention import prune

    old, middle = house.some(2), []
    house.batch(*old)
    house.times.go(100)
    middle += house.some(1)
    house.batch(*middle)
    assert prune(house.store, ISSUER, 2) == 2
    assert [ask(house, one) for one in [*old, *middle]] == ["forgotten", "forgotten", "issued"]
    assert ask(house, row(issued_at=T + 1)) == "never-issued"


def test_export_passes_over_a_gap(house: House, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")
    from immure.ledger.segments import export, segments

    lose(house)
    gap = declare_gap(house.store, house.log, ISSUER, reason="disk lost", end=house.now())
    house.batch(*house.some(2))
    list(export(house.store, ISSUER, tmp_path / "out"))
    found = segments(tmp_path / "out", ISSUER, gaps=[gap])
    assert [(one.first, one.last) for one in found] == [(1, 3), (9, 10)]
    with pytest.raises(LedgerError, match="begins at row 9"):
        segments(tmp_path / "out", ISSUER)
    assert list(export(house.store, ISSUER, tmp_path / "out")) == []


_GOOD = {"issuer": ISSUER, "from": 1, "to": 2, "first": 1, "last": 0, "reason": "x"}
BAD = [
    None,
    [],
    {},
    {**_GOOD, "more": 1},
    {**_GOOD, "issuer": ""},
    {**_GOOD, "issuer": 7},
    {**_GOOD, "from": 2},
    {**_GOOD, "to": True},
    {**_GOOD, "to": 1 << 52},
    {**_GOOD, "first": 0},
    {**_GOOD, "last": -1},
    {**_GOOD, "first": 3},
    {**_GOOD, "reason": ""},
    {**_GOOD, "reason": "a\nb"},
    {**_GOOD, "reason": "x" * 3000},
    {**_GOOD, "reason": 1},
]


@pytest.mark.parametrize("body", BAD)
def test_entries_that_are_no_gaps(body: object) -> None:
    with pytest.raises(LedgerError, match="entry 3"):
        Gap.from_body(body, 3)


def test_an_entry_that_is_a_gap(house: House) -> None:
    assert Gap.from_body(_GOOD, 3).body() == _GOOD
    house.log.append("gate.deny", {})
    house.log.append(KIND, _GOOD)
    assert [one.entry for one in gaps(house.log.entries())] == [1]
