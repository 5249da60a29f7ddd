"""The roll-up: what it counts is what is there, whatever came, changed, went or was killed in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.columns import BEGIN, acceptance, accepted, agrees, counted, table, truth
from immure.console import rollup_ledger, rollup_sql
from immure.console.rollup import HOUR, OTHERS, Rollup, RollupError, add_up
from immure.console.rollup_refresh import refresh
from immure.errors import UsageError
from immure.ledger.errors import LedgerError
from immure.ledger.opening import open_ledger
from immure.ledger.row import Issued

ROWS = st.lists(
    st.tuples(
        st.integers(-10, 20_000),
        st.sampled_from(["accepted", "refused", "other"]),
        st.sampled_from([None, "a", ""]),
    ),
    max_size=40,
)


@settings(max_examples=8)
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_it_counts_what_is_there(files: list[list[tuple[int, str, str | None]]]) -> None:
    with TemporaryDirectory() as place:
        folder, rows, paths = Path(place), [], []
        for number, given_rows in enumerate(files):
            made = [acceptance(at, verdict=verdict, iss=iss) for at, verdict, iss in given_rows]
            paths.append(accepted(folder / f"{number}.parquet", made))
            rows += [one for one in made if one.verdict != "other"]
        refresh(folder / "roll", [("accepted", paths)], threads=1)
        assert counted(folder / "roll") == truth(rows)
        assert agrees(folder / "roll")
        with Rollup(folder / "roll") as rollup:
            shares = rollup.shares("accepted", 0, 2**33)
        issuers = Counter(one.iss or "" for one in rows if one.verdict == "accepted")
        assert {one.issuer: one.count for one in shares} == dict(issuers)


def test_only_what_is_new_is_read_and_what_is_gone_is_taken_out(tmp_path: Path) -> None:
    roll = tmp_path / "roll"
    one = accepted(tmp_path / "1.parquet", [acceptance(1), acceptance(2)])
    two = accepted(tmp_path / "2.parquet", [acceptance(3), acceptance(4000)])
    assert refresh(roll, [("accepted", [one, two])]).counted == 2
    assert refresh(roll, [("accepted", [one, two])]).counted == 0
    accepted(two, rows := [acceptance(5), acceptance(9000, verdict="refused")])
    assert refresh(roll, [("accepted", [one, two])]).counted == 1
    assert counted(roll) == truth([acceptance(1), acceptance(2), *rows])
    assert agrees(roll)
    done = refresh(roll, [("accepted", [two])])
    assert (done.counted, done.removed) == (0, 1)
    assert counted(roll) == truth(rows)
    assert agrees(roll)
    refresh(roll, [("accepted", [])])
    assert counted(roll) == Counter()


def test_issued_and_forged_are_told_apart(tmp_path: Path) -> None:
    issued = table(tmp_path / "i.parquet", iat=[BEGIN, BEGIN + 1, BEGIN + HOUR], iss=["a", "a", "b"])
    verdicts = table(
        tmp_path / "v.parquet",
        time=pyarrow_times([BEGIN, BEGIN + HOUR]),
        finding=["forged", "ledger-gap"],
        iss=["a", "a"],
    )
    refresh(tmp_path / "roll", [("issued", [issued]), ("verdicts", [verdicts])])
    assert counted(tmp_path / "roll") == Counter(
        {("issued", BEGIN): 2, ("issued", BEGIN + HOUR): 1, ("forged", BEGIN): 1}
    )


def pyarrow_times(seconds: list[int]) -> Any:
    import pyarrow

    return pyarrow.array([one * 1_000_000 for one in seconds], pyarrow.timestamp("us", tz="UTC"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "engine"),
        (b"PAR1 and no more PAR1", "engine"),
        ({"time": [1], "verdict": ["accepted"]}, "engine"),
        ({"verdict": ["accepted"]}, "has no column time"),
        ({"time": []}, "has no column verdict"),
        ({"time": ["today"], "verdict": ["accepted"]}, "engine"),
    ],
    ids=["empty", "broken", "no time", "no column", "no verdict", "text"],
)
def test_a_file_that_cannot_be_counted_is_said_and_the_others_count(
    tmp_path: Path, content: bytes | dict[str, Any], reason: str
) -> None:
    bad, good = tmp_path / "bad.parquet", accepted(tmp_path / "good.parquet", [acceptance()])
    if isinstance(content, bytes):
        bad.write_bytes(content)
    else:
        table(bad, **content)
    done = refresh(tmp_path / "roll", [("accepted", [bad, good])])
    assert (done.counted, done.failed) == (2, 1)
    assert counted(tmp_path / "roll") == truth([acceptance()])
    with Rollup(tmp_path / "roll") as rollup:
        (unread,) = rollup.standing().unread
    assert unread.path == str(bad)
    assert reason in unread.reason
    accepted(bad, [acceptance(1)])
    assert refresh(tmp_path / "roll", [("accepted", [bad, good])]).failed == 0
    assert counted(tmp_path / "roll") == truth([acceptance(), acceptance(1)])


def test_a_file_that_goes_while_it_is_to_be_counted(tmp_path: Path) -> None:
    done = refresh(tmp_path / "roll", [("accepted", [tmp_path / "gone.parquet"])])
    assert (done.counted, done.failed) == (1, 1)


@pytest.mark.parametrize("iat", [None, -1, -3601, 253_402_300_800, 2**62])
def test_rows_of_no_hour_are_counted_as_such(tmp_path: Path, iat: int | None) -> None:
    path = table(tmp_path / "i.parquet", iat=[iat, BEGIN])
    refresh(tmp_path / "roll", [("issued", [path])])
    with Rollup(tmp_path / "roll") as rollup:
        found = rollup.standing()
    assert found.unplaced == 1
    assert found.totals == {"issued": 1}
    assert not found.unread


def test_who_chooses_times_and_names_does_not_fill_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_sql, "MOST_HOURS", 5)
    monkeypatch.setattr(rollup_sql, "MOST_NAMES", 3)
    rows = [acceptance(n * 3600, iss=f"i{n}", relying_party="x" * 5000) for n in range(50)]
    rows += [acceptance(60 * 3600, iss="usual")] * 10
    path = accepted(tmp_path / "a.parquet", rows)
    refresh(tmp_path / "roll", [("accepted", [path])])
    with Rollup(tmp_path / "roll") as rollup:
        found, shares = rollup.standing(), rollup.shares("accepted", 0, 2**33)
        (names,) = rollup.database.execute("SELECT max(length(text)) FROM names").fetchone()
    assert found.totals["accepted"] + found.unplaced == 60
    assert found.unplaced == 46
    assert shares[0].issuer == "usual"
    assert shares[0].count == 10
    assert {one.issuer for one in shares} <= {"usual", OTHERS, *(f"i{n}" for n in range(50))}
    assert names <= rollup_sql.MOST_CHARACTERS


def test_many_groups_are_counted_without_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_sql, "MOST_GROUPS", 10)
    rows = [acceptance(n * 3600, iss=f"i{n % 7}") for n in range(20)]
    refresh(tmp_path / "roll", [("accepted", [accepted(tmp_path / "a.parquet", rows)])])
    assert counted(tmp_path / "roll") == truth(rows)
    with Rollup(tmp_path / "roll") as rollup:
        assert {one.issuer for one in rollup.shares("accepted", 0, 2**33)} == {OTHERS}


def test_stopped_on_the_way_it_goes_on_there(tmp_path: Path) -> None:
    rows = [acceptance(n) for n in range(4)]
    paths = [accepted(tmp_path / f"{n}.parquet", [row]) for n, row in enumerate(rows)]
    stop = threading.Event()
    done = refresh(
        tmp_path / "roll",
        [("accepted", paths)],
        stop=stop,
        told=lambda count, _: stop.set() if count == 2 else None,
    )
    assert done == (type(done))(counted=2, removed=0, failed=0, whole=False)
    with Rollup(tmp_path / "roll") as rollup:
        assert rollup.standing().refreshed is None
    assert refresh(tmp_path / "roll", [("accepted", paths)]).counted == 2
    assert counted(tmp_path / "roll") == truth(rows)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_on_the_way_it_goes_on_there(tmp_path: Path, at: int) -> None:
    rows = [acceptance(n) for n in range(4)]
    paths = [accepted(tmp_path / f"{n}.parquet", [row]) for n, row in enumerate(rows)]
    child = os.fork()
    if child == 0:

        def told(count: int, _: int) -> None:
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            refresh(tmp_path / "roll", [("accepted", paths)], threads=1, told=told)
        finally:  # nothing of the tests goes on in the child
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert refresh(tmp_path / "roll", [("accepted", paths)], threads=1).counted == 4 - at
    assert counted(tmp_path / "roll") == truth(rows)
    assert agrees(tmp_path / "roll")
    assert not list((tmp_path / "roll").glob("spill-*"))


def test_one_at_a_time(tmp_path: Path) -> None:
    path = accepted(tmp_path / "a.parquet", [acceptance()])

    def told(*_: int) -> None:
        with pytest.raises(RollupError, match="another process"):
            refresh(tmp_path / "roll", [("accepted", [path])])

    assert refresh(tmp_path / "roll", [("accepted", [path])], told=told).whole


def test_it_is_read_while_it_is_made(tmp_path: Path) -> None:
    paths = [accepted(tmp_path / f"{n}.parquet", [acceptance(n)]) for n in range(3)]
    seen = []
    refresh(
        tmp_path / "roll", [("accepted", paths)],
        told=lambda *_: seen.append(sum(counted(tmp_path / "roll").values())),
    )  # fmt: skip
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"no database" * 100), "broken"),
        (
            lambda path: sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close(),
            "is no roll-up",
        ),
        (lambda path: _other_layout(path), "another version"),
    ],
    ids=["gone", "broken", "foreign", "version"],
)
def test_what_is_no_rollup(tmp_path: Path, make: Any, reason: str) -> None:
    make(tmp_path / "rollup.db")
    with pytest.raises(RollupError, match=reason):
        Rollup(tmp_path)


def _other_layout(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA application_id = 1229804099")
        database.execute("PRAGMA user_version = 77")
        database.execute("CREATE TABLE t (a)")
    database.close()


@pytest.mark.parametrize(("begin", "end", "step"), [(0, 10**12, HOUR), (10, 5000, 60), (5 * HOUR, 0, HOUR)])
def test_spans_that_cannot_be_shown(tmp_path: Path, begin: int, end: int, step: int) -> None:
    refresh(tmp_path, [])
    with Rollup(tmp_path) as rollup, pytest.raises(UsageError, match="cannot be shown"):
        rollup.series(begin, end, step)


def test_longer_steps_are_sums(tmp_path: Path) -> None:
    rows = [acceptance(n * 1000) for n in range(200)]
    refresh(tmp_path / "roll", [("accepted", [accepted(tmp_path / "a.parquet", rows)])])
    with Rollup(tmp_path / "roll") as rollup:
        days = rollup.series(BEGIN, BEGIN + 200_000, 86_400)
        hours = rollup.series(days[0].begin, days[-1].begin + 86_400)
    assert add_up(days) == add_up(hours)
    assert add_up(days)["accepted"] == 200
    assert [sum(add_up(hours[24 * n : 24 * n + 24]).values()) for n in range(len(days))] == [
        sum(one.counts.values()) for one in days
    ]


# --- a ledger that was not exported ---


def issued(number: int) -> Issued:
    at = BEGIN + number * 100
    return Issued(number.to_bytes(16, "big"), "https://login.example", "k1", at, at + 3600, subject="ada")


def test_rows_of_a_ledger_are_counted_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_ledger, "ROWS", 7)
    with open_ledger(str(tmp_path / "ledger.db"), create=True) as ledger:
        for first, last in ((0, 50), (50, 51), (51, 120)):
            ledger.append([issued(n) for n in range(first, last)])
            refresh(tmp_path / "roll", [], ledger=ledger)
            hours = Counter(("issued", issued(n).issued_at // HOUR * HOUR) for n in range(last))
            assert counted(tmp_path / "roll") == hours
            assert agrees(tmp_path / "roll")
    with Rollup(tmp_path / "roll") as rollup:
        assert rollup.files("issued", 0, 2**33, most=9) == ["ledger:https://login.example"]
    refresh(tmp_path / "roll", [])
    assert counted(tmp_path / "roll") == Counter()


def test_a_ledger_that_was_put_back_is_said(tmp_path: Path) -> None:
    for name, rows in (("a", 5), ("b", 3)):
        with open_ledger(str(tmp_path / name), create=True) as ledger:
            ledger.append([issued(n) for n in range(rows)])
    with open_ledger(str(tmp_path / "a")) as ledger:
        refresh(tmp_path / "roll", [], ledger=ledger)
    with open_ledger(str(tmp_path / "b")) as ledger, pytest.raises(LedgerError, match="put back"):
        refresh(tmp_path / "roll", [], ledger=ledger)
    assert sum(counted(tmp_path / "roll").values()) == 5


def test_a_ledger_of_many_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_ledger, "MOST_HOURS", 2)
    with open_ledger(str(tmp_path / "ledger.db"), create=True) as ledger:
        ledger.append([issued(n * 36) for n in range(5)])
        refresh(tmp_path / "roll", [], ledger=ledger)
    with Rollup(tmp_path / "roll") as rollup:
        found = rollup.standing()
    assert found.totals == {"issued": 2}
    assert found.unplaced == 3
