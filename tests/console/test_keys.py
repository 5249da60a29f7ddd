"""The matrix of keys and audiences, and the page of a key."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from immure.console.sources import key_table as reading
from immure.console.sources import keys as source
from immure.console.sources.key_facts import SCHEMA, KeyFacts, keep, kept
from immure.registry.errors import RegistryError
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.registry.store import Store

from .world import NOW, ConsoleWorld, Visitor, record_of

SignedIn = Callable[[str], Visitor]
LOGIN = "https://login.acme.example"


def facts_of(store: Store) -> tuple[KeyFacts, ...]:
    return tuple(KeyFacts.of(record) for record in store.records())


@pytest.fixture(scope="module")
def table(console_world: ConsoleWorld) -> reading.Table:
    return reading.Keys(str(console_world.acme.top / "keys.db"), None).table()


CELLS = {
    "2026-11": ("signs", "", ""),
    "2026-10": ("verifies", "", ""),
    "2026-12": ("will sign", "", ""),
    "consumer-7": ("", "thief could", ""),
    "partner-1": ("", "stopped", "stopped"),
    "legacy": ("", "", ""),
}


@pytest.mark.parametrize("kid", CELLS)
def test_who_could_sign_what(table: reading.Table, kid: str) -> None:
    assert table.columns == ("enterprise", "consumer", "workload")
    [row] = [one for one in source.key_list(table, NOW)[0] if one.facts.kid == kid]
    assert tuple(word for word, _ in row.cells) == CELLS[kid]


FILTERS = {
    "all": ({}, set(CELLS)),
    "state": ({"state": "active"}, {"2026-11", "legacy"}),
    "issuer": ({"issuer": LOGIN}, {"2026-10", "2026-11", "2026-12"}),
    "audience": ({"audience": "consumer"}, {"consumer-7", "partner-1"}),
    "text": ({"text": "PARTNER"}, {"partner-1"}),
    "all of them": ({"issuer": LOGIN, "state": "deactivated", "audience": "enterprise"}, {"2026-10"}),
    "nothing": ({"state": "lost"}, set()),
}


@pytest.mark.parametrize("case", FILTERS)
def test_filters(table: reading.Table, case: str) -> None:
    chosen, expected = FILTERS[case]
    rows, paging = source.key_list(table, NOW, **chosen)  # type: ignore[arg-type]
    assert {one.facts.kid for one in rows} == expected
    assert paging.total == len(expected)


def test_ages(table: reading.Table) -> None:
    rows = {one.facts.kid: one for one in source.key_list(table, NOW)[0]}
    assert rows["2026-11"].age == timedelta(days=10, hours=-1).total_seconds()
    assert rows["2026-12"].age is None
    assert rows["2026-11"].turn is None


def test_what_comes_next(console_world: ConsoleWorld) -> None:
    """By the plan of the signing service; a key whose time is over is late."""
    plans = {LOGIN: reading.Lifetimes(timedelta(days=20), timedelta(days=60))}
    found = reading.Table(facts_of(console_world.acme.registry), plans)
    rows = {one.facts.kid: one for one in source.key_list(found, NOW)[0]}
    assert rows["2026-11"].turn == reading.Turn("the next key takes over", NOW + timedelta(days=10, hours=1))
    assert rows["2026-11"].share == pytest.approx(0.498, abs=0.001)
    assert rows["2026-10"].turn is not None
    assert rows["2026-10"].turn.words == "is destroyed"
    assert [one.facts.kid for one in source.next_turns(found, NOW)] == ["2026-11", "2026-10"]
    late = source.row(found, rows["2026-11"].facts, NOW + timedelta(days=30))
    assert late.is_late


def test_a_registry_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    store = open_store(path, create=True)
    keys = reading.Keys(str(path), None)
    assert keys.table().keys == ()
    first = keys.stamp()
    store.add([record_of("a", LOGIN, ("enterprise",), KeyState.ACTIVE, NOW - timedelta(days=9))])
    assert keys.stamp() != first
    assert len(keys.table().keys) == 1
    assert keys.table() is keys.table()
    keys.close()
    store.close()


def test_a_page_does_not_wait_for_a_registry_that_is_read(
    console_world: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first reading there is nothing to be shown, and after it what was there before."""
    keys = reading.Keys(str(console_world.acme.top / "keys.db"), None)
    going_on = threading.Event()
    true = reading.open_store

    def slow(place: str) -> Any:
        assert going_on.wait(30)
        return true(place)

    assert keys.stamp()
    monkeypatch.setattr(reading, "open_store", slow)
    assert keys.current(0.01) == (None, False)
    assert keys.current(0.01) == (None, False)
    before = keys.stamp()
    going_on.set()
    table = keys.table()
    assert keys.stamp() != before  # who looks on is told that it is there now
    assert keys.current(0.01) == (table, True)
    going_on.clear()
    keys._stamp = None
    assert keys.current(0.01) == (table, False)
    going_on.set()
    keys.close()


# --- what is kept ---


def test_a_console_that_starts_again_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, console_world: ConsoleWorld
) -> None:
    place, file = str(console_world.acme.top / "keys.db"), tmp_path / "state" / "keys.json"
    first = reading.Keys(place, None, file)
    table = first.table()
    first.close()
    assert file.stat().st_mode & 0o777 == 0o600
    again = reading.Keys(place, None, file)
    monkeypatch.setattr(reading.Keys, "_read", None)
    found, fresh = again.current()
    assert fresh
    assert found is not None
    assert found.keys == table.keys
    again.close()


def test_what_was_kept_of_another_state_is_shown_until_the_registry_is_read(tmp_path: Path) -> None:
    place, file = tmp_path / "keys.db", tmp_path / "keys.json"
    store = open_store(place, create=True)
    store.add([record_of("a", LOGIN, ("enterprise",), KeyState.ACTIVE, NOW - timedelta(days=9))])
    first = reading.Keys(str(place), None, file)
    assert len(first.table().keys) == 1
    first.close()
    store.add([record_of("b", LOGIN, ("enterprise",), KeyState.ACTIVE, NOW - timedelta(days=9))])
    again = reading.Keys(str(place), None, file)
    found, fresh = again.current(0)
    assert found is not None
    assert (len(found.keys), fresh) in ((1, False), (2, True))
    assert len(again.table().keys) == 2
    again.close()
    store.close()


KEPT = {
    "no JSON": b"{",
    "a list": b"[]",
    "another": b'{"schema": "x"}',
    "of another registry": b'{"schema": "%b", "place": "elsewhere", "stamp": [], "keys": []}',
    "no stamp": b'{"schema": "%b", "place": "here", "stamp": [], "keys": []}',
    "no keys": b'{"schema": "%b", "place": "here", "stamp": [1, 2, 3]}',
    "a key that is none": b'{"schema": "%b", "place": "here", "stamp": [1], "keys": [[1, 2]]}',
    "a state that is none": b'{"schema": "%b", "place": "here", "stamp": [1], "keys": '
    b'[["t", "k", "l", null, [], "lost", 1, null, null]]}',
    "no time": b'{"schema": "%b", "place": "here", "stamp": [1], "keys": '
    b'[["t", "k", "l", null, [], "active", null, null, null]]}',
    "a time beyond": b'{"schema": "%b", "place": "here", "stamp": [1], "keys": '
    b'[["t", "k", "l", null, [], "active", 1e99, null, null]]}',
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_kept_and_broken_is_not_used(tmp_path: Path, case: str) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(KEPT[case].replace(b"%b", SCHEMA.encode()))
    assert kept(file, "here") is None


def test_what_is_kept_is_the_same(console_world: ConsoleWorld, tmp_path: Path) -> None:
    keys = facts_of(console_world.acme.registry)
    keep(tmp_path / "keys.json", "here", (5, 6), keys)
    assert kept(tmp_path / "keys.json", "here") == ((5, 6), keys)
    assert kept(tmp_path / "none.json", "here") is None


def test_a_registry_that_cannot_be_read(tmp_path: Path) -> None:
    keys = reading.Keys(str(tmp_path / "none.db"), None)
    for _ in range(2):
        with pytest.raises(RegistryError):
            keys.table()
    keys.close()


def test_many_classes(tmp_path: Path) -> None:
    """Of more classes than there are columns the rest is counted."""
    store = open_store(tmp_path / "keys.db", create=True)
    classes = tuple(f"class-{number:02}" for number in range(12))
    store.add([record_of("a", LOGIN, classes, KeyState.ACTIVE, NOW - timedelta(days=9))])
    found = reading.Table(facts_of(store))
    [row] = source.key_list(found, NOW)[0]
    assert (len(row.cells), row.more) == (reading.MOST_COLUMNS, 12 - reading.MOST_COLUMNS)
    store.close()


def test_settings_of_signing_that_cannot_be_read(console_world: ConsoleWorld, tmp_path: Path) -> None:
    (tmp_path / "signing.toml").write_text("version = 2")
    found = reading.Keys(str(console_world.acme.top / "keys.db"), tmp_path / "signing.toml").table()
    assert "version is not 1" in found.trouble
    assert len(found.keys) == len(CELLS)


# --- pages ---


def test_the_matrix(signed_in: SignedIn) -> None:
    page = signed_in("prd-ada").get("/t/acme/keys").text
    assert "the next key takes over" in page
    assert 'aria-label="50 % of its lifetime"' in page
    assert "1–6 of 6 keys" in page
    assert page.count('<td class="cell bad"><span>thief could</span></td>') == 1
    assert page.count('<th scope="row">') == 6


def test_a_key(console_world: ConsoleWorld, signed_in: SignedIn) -> None:
    [record] = [one for one in console_world.acme.registry.records() if one.kid == "consumer-7"]
    page = signed_in("prd-ada").get(f"/t/acme/keys/{record.thumbprint}").text
    assert record.thumbprint in page
    assert "others may have had it since" in page
    assert "may be forged" in page
    assert len(re.findall(r'<tr><th scope="row"><time', page)) == 3
    assert signed_in("prd-ada").get("/t/acme/keys/" + "A" * 43).status_code == 404
