"""The index of dumps, and their pages: every step of the way, news, and records that lie."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.capture.records import SCHEMA_ID
from immure.console import dump_join
from immure.console.dump_index import DumpIndex, DumpIndexError
from immure.console.dump_map import Mapped, Maps, places
from immure.console.dump_rows import Captured, captured, seconds
from immure.console.plots.memory_map import MOST_ROWS, memory_map, regions_map
from immure.console.settings import TenantSettings
from immure.console.sources import dumps as source
from immure.console.sources.dump_record import record_of
from immure.dumps.dump import Region
from immure.errors import LogError
from immure.redact.span import Span

from .world import NOW, ConsoleWorld, TenantWorld, Visitor

SignedIn = Callable[[str], Visitor]
WAY = {
    "signer[4700]": ("released", "done: captured, scanned, redacted, proved, attested, decided, released"),
    "signer[4701]": (
        "cleared",
        "done: captured, scanned, redacted, proved, attested; open: decided, released",
    ),
    "signer[4702]": (
        "clearance expired",
        "done: captured, scanned, redacted, proved, attested; open: decided, released",
    ),
    "signer[4703]": (
        "refused by the gate",
        "done: captured, scanned, redacted, proved; failed: attested, decided; open: released",
    ),
    "indexer[4704]": (
        "proved",
        "done: captured, scanned, redacted, proved; open: attested, decided, released",
    ),
    "by-hand.core": (
        "sealed",
        "done: captured; open: scanned, redacted, proved, attested, decided, released",
    ),
    "": (
        "record unreadable",
        "failed: captured; open: scanned, redacted, proved, attested, decided, released",
    ),
}


def index_of(world: ConsoleWorld, state: Path | None = None, **changes: Any) -> DumpIndex:
    settings = world.settings.tenants["acme"]
    values = {name: getattr(settings, name) for name in TenantSettings.__slots__} | changes
    made = DumpIndex(TenantSettings(**values), state, world.room.clock)
    made.refresh()
    return made


@pytest.fixture(scope="module")
def index(console_world: ConsoleWorld) -> DumpIndex:
    return index_of(console_world)


def rows_of(index: DumpIndex, **filters: Any) -> dict[str, source.DumpRow]:
    rows, _ = source.dump_list(index, NOW, **filters)
    return {row.label: row for row in rows}


# --- the way ---


@pytest.mark.parametrize("label", WAY)
def test_where_each_is(index: DumpIndex, label: str) -> None:
    row = rows_of(index)[label]
    assert (row.standing, row.way) == WAY[label]


def test_those_that_are_there(index: DumpIndex) -> None:
    assert set(rows_of(index)) == set(WAY)


FILTERS = {
    "": set(WAY),
    "keys": set(),
    "cleared": {"signer[4701]"},
    "released": {"signer[4700]"},
    "trouble": {"signer[4702]", "signer[4703]", ""},
    "nonsense": set(WAY),
}


@pytest.mark.parametrize("state", FILTERS)
def test_filters(index: DumpIndex, state: str) -> None:
    assert set(rows_of(index, state=state)) == FILTERS[state]
    if state in source.FILTERS:
        assert source.counts(index, NOW)[state] == len(FILTERS[state])


def test_search(index: DumpIndex) -> None:
    row = rows_of(index)["signer[4701]"]
    assert set(rows_of(index, text="SIGNER")) == {one for one in WAY if "signer" in one}
    assert set(rows_of(index, text=row.digest[:12])) == {"signer[4701]"}
    assert set(rows_of(index, text="%")) == set()
    assert set(rows_of(index, text="_")) == set()


def test_a_clearance_expires_while_one_looks(index: DumpIndex) -> None:
    rows, _ = source.dump_list(index, NOW + timedelta(days=30), state="trouble")
    assert {row.label for row in rows} == {"signer[4701]", "signer[4702]", "signer[4703]", ""}
    [released] = source.dump_list(index, NOW + timedelta(days=30), state="released")[0]
    assert released.standing == "released"


def test_clearings_and_decisions(index: DumpIndex) -> None:
    rows = rows_of(index)
    [held] = source.clearings(index, rows["signer[4700]"], NOW)
    assert (held.standing, held.reason) == ("holds", "")
    [strange] = source.clearings(index, rows["signer[4703]"], NOW)
    assert strange.standing == "does not hold"
    assert "no trusted key" in strange.reason or "trust" in strange.reason
    assert [one.kind for one in source.decisions(index, rows["signer[4700]"])] == ["allowed", "done"]
    [denied] = source.decisions(index, rows["signer[4703]"])
    assert (denied.kind, denied.rule, denied.tone) == ("denied", "signers", "bad")


def test_without_a_policy_no_signature_counts(console_world: ConsoleWorld) -> None:
    index = index_of(console_world, policy=None)
    [row] = [one for label, one in rows_of(index).items() if label == "signer[4701]"]
    assert (row.standing, row.steps[4].state) == ("proved", "open")
    [one] = source.clearings(index, row, NOW)
    assert (one.standing, one.reason) == ("not verified", "no policy says whose signatures count")


def test_a_dump_that_was_redacted_later_is_one(console_world: ConsoleWorld, tmp_path: Path) -> None:
    """Sealed as it came, redacted by hand, cleared under another digest."""
    world = TenantWorld(tmp_path / "later", console_world.room.clock)
    sealed, redaction, crash = world.capture(1)
    [path] = (world.top / "records").iterdir()
    record = json.loads(path.read_text())
    record["id"] = f"sha256:{record['redaction']['source']['sha256']}"
    record["redaction"] = None
    record["scan"] = {"found": 1, "keys": [], "complete": True, "mode": "quick"}
    path.write_text(json.dumps(record))
    settings = TenantSettings(
        "later", "Later", records=world.top / "records", vault=world.top / "vault",
        clearances=world.top / "clearances", policy=world.top / "policy.toml",
    )  # fmt: skip
    index = DumpIndex(settings, None, console_world.room.clock)
    index.refresh()
    assert {row.standing for row in source.dump_list(index, NOW)[0]} == {"keys inside", "sealed"}
    world.clear((sealed, redaction, crash), issued=NOW)
    index.refresh()
    [row] = source.dump_list(index, NOW)[0]
    assert (row.standing, row.steps[2].state) == ("cleared", "done")
    index.close()


# --- news ---


def copied(world: ConsoleWorld, place: Path) -> TenantSettings:
    shutil.copytree(world.acme.top, place)
    return TenantSettings(
        "copy", "Copy", records=place / "records", vault=place / "vault", clearances=place / "clearances",
        policy=place / "policy.toml", gate_log=place / "gate-log",
    )  # fmt: skip


def test_news(console_world: ConsoleWorld, tmp_path: Path) -> None:
    settings = copied(console_world, tmp_path / "acme")
    index = DumpIndex(settings, tmp_path / "state")
    index.refresh()
    stamp = index.stamp()
    assert index.stamp() == stamp
    assert settings.records is not None
    (settings.records / "core.broken.1.json").unlink()
    made = next(settings.records.glob("core.indexer*"))
    record = json.loads(made.read_text()) | {"id": None}
    record["crash"]["comm"] = "other"
    (settings.records / "core.other.9.json").write_text(json.dumps(record))
    assert index.stamp() != stamp
    index.refresh()
    labels = {row.label for row in source.dump_list(index, NOW)[0]}
    assert labels == (set(WAY) - {""}) | {"other[4704]"}
    index.close()
    again = DumpIndex(settings, tmp_path / "state")
    assert {row.label for row in source.dump_list(again, NOW)[0]} == labels  # before anything is read
    again.close()


def test_a_page_does_not_wait_for_what_is_being_read(
    console_world: ConsoleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(console_world, tmp_path / "acme")
    index = DumpIndex(settings, tmp_path / "state")
    index.refresh()
    going_on, true = threading.Event(), dump_join.join

    def slow(database: sqlite3.Connection) -> None:
        true(database)
        assert going_on.wait(30)

    monkeypatch.setattr(dump_join, "join", slow)
    assert settings.records is not None
    (settings.records / "core.broken.1.json").unlink()
    before = index.generation
    assert not index.current(0.01)
    assert set(rows_of(index)) == set(WAY)  # as it was before
    going_on.set()
    assert index.current(30)
    assert (index.generation, set(rows_of(index))) == (before + 1, set(WAY) - {""})
    index.close()


def test_what_a_killed_process_has_read_comes_into_the_list(
    console_world: ConsoleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(console_world, tmp_path / "acme")
    index = DumpIndex(settings, tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(dump_join, "join", lambda database: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.refresh()
    assert rows_of(index) == {}
    index.close()
    again = DumpIndex(settings, tmp_path / "state")
    again.refresh()
    assert set(rows_of(again)) == set(WAY)
    again.close()


def test_another_policy_is_asked_anew(console_world: ConsoleWorld, tmp_path: Path) -> None:
    settings = copied(console_world, tmp_path / "acme")
    index = DumpIndex(settings, None)
    index.refresh()
    assert settings.policy is not None
    stranger = (tmp_path / "acme" / "stranger.pub").read_text()
    (tmp_path / "acme" / "release.pub").write_text(stranger)
    settings.policy.write_text(settings.policy.read_text() + "\n# another\n")
    index.refresh()
    assert rows_of(index)["signer[4701]"].standing == "clearance does not hold"
    index.close()


def test_a_log_that_was_put_back_is_not_believed(console_world: ConsoleWorld, tmp_path: Path) -> None:
    settings = copied(console_world, tmp_path / "acme")
    index = DumpIndex(settings, None)
    index.refresh()
    assert settings.gate_log is not None
    shutil.rmtree(settings.gate_log)
    TenantWorld(tmp_path / "empty", console_world.room.clock)
    shutil.copytree(tmp_path / "empty" / "gate-log", settings.gate_log)
    with pytest.raises(LogError, match="put back"):
        index.refresh()
    assert set(rows_of(index)) == set(WAY)
    assert settings.records is not None
    (settings.records / "core.broken.1.json").unlink()
    with pytest.raises(LogError):
        index.current(30)
    assert set(rows_of(index)) == set(WAY) - {""}  # one source that fails does not hide what others say
    index.close()


def test_directories_that_are_not_there(tmp_path: Path) -> None:
    index = DumpIndex(TenantSettings("a", "A", records=tmp_path / "none"), None)
    assert index.current(30)
    assert source.dump_list(index, NOW)[0] == []
    index.close()


def test_an_index_that_is_another_programs(tmp_path: Path) -> None:
    (tmp_path / "dumps-a.db").write_bytes(b"no database" * 100)
    with pytest.raises(DumpIndexError):
        DumpIndex(TenantSettings("a", "A"), tmp_path)


# --- records that lie ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ("crash", "scan", "redaction", "id", "size", "note")
INNER = ("comm", "pid", "time", "found", "findings", "proof", "statistics", "source", "redactions", "spans")


@settings(max_examples=50)
@given(
    outer=st.dictionaries(st.sampled_from(MEMBERS), JSON),
    inner=st.dictionaries(st.sampled_from(INNER), JSON),
    where=st.sampled_from(MEMBERS[:3]),
)
def test_a_record_of_anything(
    tmp_path_factory: pytest.TempPathFactory, outer: dict[str, Any], inner: dict[str, Any], where: str
) -> None:
    directory = tmp_path_factory.getbasetemp() / "anything"
    directory.mkdir(exist_ok=True)
    path = directory / "core.x.1.json"
    path.write_text(json.dumps({"schema": SCHEMA_ID, **outer, where: inner}))
    row = captured(path.name, path)
    assert row.error == ""
    assert 0 <= row.size < 1 << 62
    index = DumpIndex(TenantSettings("a", "A", records=directory), None)
    index.refresh()
    [shown] = source.dump_list(index, NOW)[0]
    record_of(TenantSettings("a", "A", records=directory), shown)
    index.close()


BROKEN = {
    "no JSON": b"{",
    "deep": b"[" * 100_000,
    "another": b'{"schema": "x"}',
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "empty": b"",
}


@pytest.mark.parametrize("case", BROKEN)
def test_no_record(tmp_path: Path, case: str) -> None:
    path = tmp_path / "core.x.1.json"
    path.write_bytes(BROKEN[case])
    row = captured(path.name, path)
    assert row == Captured(path.name, error=row.error)
    assert str(path) in row.error


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "x", None, 5, "2026-01-01"])
def test_moments(text: Any) -> None:
    assert seconds(text) >= 0


# --- the map ---


def test_regions_of_a_sealed_dump(console_world: ConsoleWorld) -> None:
    maps = Maps(console_world.acme.top / "vault")
    mapped = maps.of(console_world.acme.released[0].digest)
    assert mapped.format == "elf-core"
    assert [one.name for one in mapped.regions if "stack" in one.name]
    assert maps.of("0" * 64).reason
    assert Maps(None).of("0" * 64).reason == "no vault is named that the dump could be in"


def test_spans_by_their_regions() -> None:
    regions = (Region(0, 10, name="a"), Region(20, 10, name="b"))
    spans = [Span(0, 1, "p"), Span(9, 4, "q"), Span(12, 1, "x"), Span(20, 1, "d"), Span(40, 2, "y")]
    found = places(Mapped(50, "elf-core", regions), spans)
    assert [(one.region.name, [span.kind for span in one.spans]) for one in found] == [
        ("a", ["p", "q"]),
        ("b", ["d"]),
        ("", ["x", "y"]),
    ]
    assert [one.erased for one in found] == [5, 1, 3]


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 40)), max_size=8),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), max_size=20),
)
def test_every_span_is_somewhere_once(edges: list[tuple[int, int]], marks: list[tuple[int, int]]) -> None:
    """Also when regions overlap, as those of a lying image do."""
    regions = tuple(sorted((Region(at, length) for at, length in edges), key=lambda one: one.offset))
    spans = sorted(Span(at, length, "p") for at, length in marks)
    found = places(Mapped(300, "x", regions), spans)
    assert sorted(span for one in found for span in one.spans) == spans
    drawing = memory_map(300, found)
    assert drawing.count('class="erased"') <= len(spans)
    assert ("nan" in drawing, "inf" in drawing) == (False, False)


def test_a_drawing_is_bounded() -> None:
    spans = [Span(at * 16, 8, "p") for at in range(50_000)]
    found = places(Mapped(800_000, "x", (Region(0, 800_000),)), spans)
    drawing = memory_map(800_000, found)
    assert drawing.count('class="erased"') < 720
    many = tuple(Region(at * 100, 100, name=f"r{at}") for at in range(200))
    rows = regions_map(places(Mapped(20_000, "x", many), [Span(at * 100, 8, "p") for at in range(200)]))
    assert rows is not None
    assert rows.count('class="label"') == MOST_ROWS
    assert regions_map(places(Mapped(20_000, "x", many), [])) is None


# --- pages ---


def test_the_list(signed_in: SignedIn) -> None:
    page = signed_in("prd-ada").get("/t/acme/dumps").text
    assert "1–7 of 7 dumps" in page
    assert page.count('class="way"') == 7
    for standing, _ in WAY.values():
        assert f">{standing}</span>" in page


def test_a_dump(console_world: ConsoleWorld, signed_in: SignedIn) -> None:
    sealed, redaction, crash = console_world.acme.released
    page = signed_in("prd-ada").get(f"/t/acme/dumps/{crash.name}").text
    assert sealed.digest in page
    assert redaction["findings"][0]["key"]["thumbprint"] in page
    assert "[stack] of thread 4711" in page
    assert "11 (SIGSEGV)" in page
    assert re.search(r"<svg[^>]*class=\"plot memory\"", page)
    assert f"{redaction['redactions'][0]['offset']:#x}" in page
    assert "file://" in page


def test_a_dump_without_a_record(console_world: ConsoleWorld, signed_in: SignedIn) -> None:
    page = signed_in("prd-ada").get(f"/t/acme/dumps/{console_world.acme.sealed_alone.digest}")
    assert page.status_code == 200
    assert "by-hand.core" in page.text
    assert "it was not searched" in page.text


def test_a_dump_whose_record_cannot_be_read(signed_in: SignedIn) -> None:
    page = signed_in("prd-ada").get("/t/acme/dumps/core.broken.1")
    assert page.status_code == 200
    assert "is not the record of a capture" in page.text


@pytest.mark.parametrize("name", ["none", "%2e%2e%2fpolicy", "x%00", "core.broken.1.json", "%F0%9F%92%A9"])
def test_no_dump(signed_in: SignedIn, name: str) -> None:
    assert signed_in("prd-ada").get(f"/t/acme/dumps/{name}").status_code == 404


def test_names_are_shown_as_they_are(
    console_world: ConsoleWorld, tmp_path: Path, signed_in: SignedIn
) -> None:
    """The name of a process is chosen by whoever starts it."""
    records = console_world.acme.top / "records"
    source_file = next(records.glob("core.indexer*"))
    record = json.loads(source_file.read_text())
    record |= {"id": None, "note": "</p><script>alert(1)</script>"}
    record["crash"]["comm"] = "<img src=x onerror=alert(1)>\u202egpj.exe"
    path = records / "core.hostile.1.json"
    path.write_text(json.dumps(record))
    try:
        for place in ("/t/acme/dumps", "/t/acme/dumps/core.hostile.1"):
            page = signed_in("prd-ada").get(place).text
            assert "<img" not in page
            assert "<script>" not in page
            assert "\u202e" not in page
            assert "&lt;img src=x onerror=alert(1)&gt;\\u202egpj.exe" in page
    finally:
        path.unlink()
