"""What is counted of a tenant, and the rows behind it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.columns import BEGIN, ISSUER, acceptance, accepted, counted, table
from detections.turning import forged, long_day, turn
from immure.console.rollup import HOUR, Kind
from immure.console.settings import Settings, TenantSettings
from immure.console.sources import token_rows, tokens
from immure.console.sources.detection_state import DetectionState
from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.outcome import Outcome
from immure.detections.state import State
from immure.errors import ImmureError, UsageError
from immure.ledger.opening import open_ledger


def house(tmp_path: Path, **places: Any) -> tuple[Settings, TenantSettings]:
    tenant = TenantSettings("a", "A", **places)
    return Settings("https://console.example", {"a": tenant}, state=tmp_path / "console"), tenant


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A day of a thief, judged by the detection engine."""
    place = tmp_path_factory.mktemp("day")
    long_day(place / "day")
    return place, turn(place / "day", place / "state")


# --- what there is ---


def test_the_state_of_the_engine_as_the_engine_tells_it(day: tuple[Path, Outcome]) -> None:
    place, outcome = day
    with DetectionState(place / "state") as looked:
        found, verdicts, waiting = looked.findings(most=1000), looked.verdicts(), looked.waiting()
        parts, newest = looked.parts(), looked.newest()
    assert {one.id for one in found.shown} == {one.id for one in outcome.findings}
    assert found.total == len(outcome.findings) == newest
    assert verdicts == {name: outcome.verdicts[name] for name in verdicts}
    assert waiting == outcome.verdicts["not-yet-known"]
    with State(place / "state") as state:
        known = {one.name for one in state.parts("acceptance") if one.state != "pending"}
    assert {one.name for one in parts.accepted} == known
    assert all(one.exists() for one in (*parts.accepted, *parts.verdicts))


def test_it_is_read_while_a_run_writes(day: tuple[Path, Outcome], tmp_path: Path) -> None:
    place, outcome = day
    with State(place / "state") as state, state.transaction():
        state.put("something", "new")
        with DetectionState(place / "state" / "state.db") as looked:
            assert looked.findings().total == len(outcome.findings)


def test_pages_of_findings(day: tuple[Path, Outcome]) -> None:
    place, outcome = day
    with DetectionState(place / "state") as looked:
        pages = [looked.findings(rule="token-forged", offset=n, most=1).shown[0] for n in range(3)]
        assert looked.findings(rule="no-such").total == 0
    assert {one.keys["digest"] for one in pages} == forged(outcome)


def test_findings_are_counted_as_they_come(tmp_path: Path) -> None:
    def found(state: State, *names: str) -> list[tuple[str, int]]:
        with state.transaction():
            for number, rule in enumerate(names):
                state.find(Finding(rule, "low", "t", keys={"n": f"{state.get('next')}{number}"}))
            state.put("next", f"{state.get('next')}x")
        with DetectionState(state.directory) as looked:
            return list(looked.findings().by_rule)

    with State(tmp_path / "a") as state:
        assert found(state) == []
        assert found(state, "one", "two") == [("one", 1), ("two", 1)]
        assert found(state, "one", "one") == [("one", 3), ("two", 1)]
    (tmp_path / "a" / "state.db").unlink()  # begun anew: what was counted is of another one
    with State(tmp_path / "a") as state:
        assert found(state, "three") == [("three", 1)]


@pytest.mark.parametrize("content", [None, b"", b"no database" * 99], ids=["gone", "empty", "broken"])
def test_what_is_no_state(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(DetectionError, match=r"no state|SQLite"), DetectionState(tmp_path) as looked:
        looked.findings()


def test_a_finding_that_cannot_be_read(tmp_path: Path) -> None:
    State(tmp_path).close()
    with sqlite3.connect(tmp_path / "state.db") as base:
        base.execute("""INSERT INTO findings (id, body) VALUES ('x', '{"rule": "r"}')""")
    base.close()
    with DetectionState(tmp_path) as looked, pytest.raises(DetectionError, match="cannot be read"):
        looked.findings()


def test_a_tenant_is_counted(day: tuple[Path, Outcome], tmp_path: Path) -> None:
    place, outcome = day
    console, tenant = house(tmp_path, ledger=str(place / "day" / "segments"), findings=place / "state")
    done = tokens.refresh_tenant(console, tenant)
    assert done is not None
    assert done.whole
    series = tokens.series(console, tenant, "week", None)
    assert series.sums["accepted"] == sum(outcome.verdicts.values())
    assert series.sums["forged"] == outcome.verdicts["forged"]
    assert series.sums["issued"] > 100
    again = tokens.refresh_tenant(console, tenant)
    assert again is not None
    assert again.counted == 0
    assert len(series.buckets) == 168


def test_a_ledger_that_was_not_exported_is_counted(tmp_path: Path) -> None:
    from console.test_rollup import issued

    with open_ledger(str(tmp_path / "ledger.db"), create=True) as ledger:
        ledger.append([issued(n) for n in range(20)])
    console, tenant = house(tmp_path, ledger=str(tmp_path / "ledger.db"))
    tokens.refresh_tenant(console, tenant)
    assert tokens.series(console, tenant, "day", None).sums["issued"] == 20
    rows = token_rows.rows_of(console, tenant, "issued", BEGIN, BEGIN + HOUR)
    assert (rows.rows, rows.live) == ((), True)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ({"accepted": "nowhere"}, "is not there"),
        ({"findings": "nowhere"}, "no state"),
        ({"ledger": "nowhere.db"}, "nowhere.db"),
    ],
)
def test_what_is_not_there_is_not_taken_out(tmp_path: Path, places: dict[str, str], reason: str) -> None:
    console, tenant = house(tmp_path, accepted=accepted(tmp_path / "a.parquet", [acceptance()]))
    tokens.refresh_tenant(console, tenant)
    ((name, value),) = places.items()
    path: Any = tmp_path / value
    changes: dict[str, Any] = {"accepted": None, name: str(path) if name == "ledger" else path}
    broken = replace(tenant, **changes)
    with pytest.raises(ImmureError, match=reason):
        tokens.refresh_tenant(console, broken)
    assert sum(counted(tokens.place_of(console, tenant)).values()) == 1


def test_without_a_place_nothing_is_counted(tmp_path: Path) -> None:
    console, tenant = house(tmp_path, accepted=accepted(tmp_path / "a.parquet", [acceptance()]))
    console = replace(console, state=None)
    with pytest.raises(UsageError, match="name no state"):
        tokens.refresh_tenant(console, tenant)
    assert tokens.counted(console, tenant) is None


# --- rows ---


def all_rows(console: Settings, tenant: TenantSettings, kind: Kind, **given: Any) -> list[str]:
    """The records of all pages."""
    found, after = [], None
    while True:
        page = token_rows.rows_of(console, tenant, kind, BEGIN, BEGIN + 2 * HOUR, after=after, **given)
        found += [one.record for one in page.rows]
        after = page.after
        if after is None:
            return found


@pytest.fixture
def many(tmp_path: Path) -> tuple[Settings, TenantSettings]:
    """Rows of two files, some at one moment, some outside of the span."""
    rows = [
        acceptance(n // 3, record_id=f"r{n:03}", relying_party=("mail", "files", None)[n % 3])
        for n in range(60)
    ]
    rows += [acceptance(3 * HOUR, record_id="late"), acceptance(-HOUR, record_id="early")]
    rows += [acceptance(5, record_id="no", verdict="refused", rule="expired")]
    accepted(tmp_path / "in" / "1.parquet", rows[::2])
    accepted(tmp_path / "in" / "deeper" / "2.parquet", rows[1::2])
    console, tenant = house(tmp_path, accepted=tmp_path / "in")
    tokens.refresh_tenant(console, tenant)
    return console, tenant


@pytest.mark.parametrize("most", [9, 60, 1000])
def test_every_row_is_on_one_page(many: tuple[Settings, TenantSettings], most: int) -> None:
    assert all_rows(*many, "accepted", most=most) == [f"r{n:03}" for n in range(60)]


@pytest.mark.parametrize(
    ("kind", "given", "records"),
    [
        ("accepted", {"party": "mail"}, [f"r{n:03}" for n in range(0, 60, 3)]),
        ("accepted", {"party": ""}, [f"r{n:03}" for n in range(2, 60, 3)]),
        (
            "accepted",
            {"issuer": ISSUER, "party": "files"},
            [f"r{n:03}" for n in range(1, 60, 3)],
        ),
        ("accepted", {"issuer": "' OR true --"}, []),
        ("refused", {}, ["no"]),
        ("forged", {}, []),
        ("issued", {}, []),
    ],
)
def test_rows_that_are_asked_for(
    many: tuple[Settings, TenantSettings], kind: Kind, given: dict[str, Any], records: list[str]
) -> None:
    assert all_rows(*many, kind, **given) == records


@pytest.mark.parametrize("after", ["", "x", "-1:r", "1" * 19 + ":r", "5:" + "r" * 301, "٣:r"])
def test_places_that_are_none_of_ours(many: tuple[Settings, TenantSettings], after: str) -> None:
    with pytest.raises(UsageError, match="no place"):
        token_rows.rows_of(*many, "accepted", BEGIN, BEGIN + HOUR, after=after)


def test_files_of_few_columns(tmp_path: Path) -> None:
    table(tmp_path / "in" / "s.parquet", iat=[BEGIN, BEGIN + 1], seq=[7, 8], iss=["a", "b"])
    console, tenant = house(tmp_path, ledger=str(tmp_path / "in"))
    tokens.refresh_tenant(console, tenant)
    assert all_rows(console, tenant, "issued", most=1) == ["7 of a", "8 of b"]
    assert all_rows(console, tenant, "issued", party="mail") == []


def test_a_file_that_went_since(many: tuple[Settings, TenantSettings]) -> None:
    console, tenant = many
    assert tenant.accepted is not None
    (tenant.accepted / "1.parquet").unlink()
    with pytest.raises(DetectionError, match="engine"):
        token_rows.rows_of(console, tenant, "accepted", BEGIN, BEGIN + HOUR)


def test_more_files_than_are_looked_into(
    many: tuple[Settings, TenantSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_rows, "MOST_FILES", 1)
    page = token_rows.rows_of(*many, "accepted", BEGIN, BEGIN + HOUR)
    assert (len(page.rows), page.left_out) == (30, 1)
