"""Incidents as their records have them."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immure.console.sources import incidents
from immure.console.sources.incidents import Shelf
from immure.custody.signer import Signer
from immure.response.deadlines.rules import presets
from immure.response.deadlines.standing import begin
from immure.response.errors import IncidentError
from immure.response.incident import Incident
from immure.response.steps import Steps
from response.house import BEGIN, make_key, opened


@pytest.fixture
def key(tmp_path: Path) -> Signer:
    return make_key(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "incidents"


def shelf(place: Path, hours: float = 1) -> Shelf:
    return Shelf(place, lambda: datetime.fromtimestamp(BEGIN + hours * 3600, UTC))


def one(place: Path, key: Signer, name: str = "one") -> Incident:
    return opened(place / name, key)


def test_where_an_incident_stands(place: Path, key: Signer) -> None:
    incident = one(place, key)
    fact = incident.add("fact", {"says": "April", "about": "when", "value": "April"}, actor="ann")
    other = incident.add("fact", {"says": "May", "about": "when", "value": "May"}, actor="bo", source="log")
    begin(incident, presets()["gdpr-33"], origin=0, since=None, actor="ann")
    Steps(incident, "ann").failed("publish", "x", "no answer")
    Steps(incident, "ann").done("tidy", "y")
    Steps(incident, "ann").begun("deny-list", "rp")
    (found,) = shelf(place).summaries()
    assert (found.folder, found.name, found.closed, found.overdue) == ("one", "test-1", None, 0)
    assert (found.leads, found.steps, found.conflicts, found.error) == (("ann",), 2, 1, "")
    assert found.next is not None
    assert found.next.rule.id == "gdpr-33"
    assert shelf(place, 73).summaries()[0].overdue == 1

    incident.add("correction", {"says": "no, in June"}, actor="ann", corrects=other.sequence)
    whole = shelf(place).whole("one")
    assert whole is not None
    assert whole.conflicts == ()
    assert whole.roles["lead"] == ("ann",)
    assert [(step.name, step.state, step.containment) for step in whole.steps] == [
        ("deny-list", "begun", True), ("publish", "failed", True), ("tidy", "done", False),
    ]  # fmt: skip
    lines = {line.entry.sequence: line for line in whole.lines(whole.entries)}
    assert lines[other.sequence].corrected_by == len(whole.entries) - 1
    assert (lines[fact.sequence].corrected_by, lines[fact.sequence].words) == (None, "April")


def test_those_that_press_come_first(place: Path, key: Signer) -> None:
    for name in ("a-closed", "b-open", "c-late"):
        incident = one(place, key, name)
        if name == "a-closed":
            incident.add("closed", {"says": "done"}, actor="ann")
        if name == "c-late":
            begin(incident, presets()["gdpr-33"], origin=0, since=None, actor="ann")
    (place / "d-broken" / "log").mkdir(parents=True)
    (place / "no-incident").mkdir()
    (place / ".e.part" / "log").mkdir(parents=True)
    found = shelf(place, 100).summaries()
    assert [each.folder for each in found] == ["c-late", "d-broken", "b-open", "a-closed"]
    assert "no incident" in found[1].error


def test_a_record_that_grows_or_is_altered_is_read_again(place: Path, key: Signer) -> None:
    incident, looked = one(place, key), shelf(place)
    assert looked.summaries()[0].entries == 2
    before = looked.stamps()
    incident.add("fact", {"says": "more"}, actor="ann")
    assert looked.stamps() != before
    assert looked.summaries()[0].entries == 3
    entries = place / "one" / "log" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b"more", b"less"))
    os.utime(place / "one" / "log" / "checkpoint")
    assert "entry 2" in looked.summaries()[0].error
    with pytest.raises(IncidentError):
        looked.whole("one")


def test_it_keeps_no_more_than_it_may(place: Path, key: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "MOST_ENTRIES", 4)
    one(place, key, "a")
    for name in "bcde":
        shutil.copytree(place / "a", place / name)
    looked = shelf(place)
    assert len(looked.summaries()) == 5
    assert len(looked._kept) == 2


@pytest.mark.parametrize("name", ["..", ".", "", "one/../one", "two", "/etc", "one\0"])
def test_names_that_are_none(place: Path, key: Signer, name: str) -> None:
    one(place, key)
    assert shelf(place).whole(name) is None


def test_a_deadline_that_cannot_be_told(place: Path, key: Signer) -> None:
    one(place, key).add("deadline", {"deadline": 7}, actor="ann")
    whole = shelf(place).whole("one")
    assert whole is not None
    assert (whole.deadlines, "could be understood" in whole.doubtful) == ((), True)
