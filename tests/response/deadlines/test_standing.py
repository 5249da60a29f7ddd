"""Deadlines in the timeline: begun, met, too late, waiting, in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from immure.custody.signer import Signer
from immure.response.deadlines.rules import presets
from immure.response.deadlines.standing import State, begin, deadlines_of, end
from immure.response.deadlines.words import line, to_json
from immure.response.errors import ConflictError, FormError
from immure.response.incident import Incident

HOUR = 3600


def start(incident: Incident, name: str, origin: int | None = 0, since: int | None = None) -> Any:
    return begin(incident, presets()[name], origin=origin, since=since, actor="ann")


def stop(incident: Incident, name: str, at: int, *, state: str = "met", now: int | None = None) -> Any:
    return end(
        incident, name, state=state, at=at, reference="form 7", actor="ann", now=at if now is None else now
    )


def states(incident: Incident, now: int) -> dict[str, State]:
    return {one.rule.id: one.state for one in deadlines_of(incident.entries(), now)}


def test_it_runs_until_it_is_met(incident: Incident) -> None:
    opened = incident.entries()[0].at
    start(incident, "gdpr-33")
    due = opened + 72 * HOUR
    (one,) = deadlines_of(incident.entries(), due)
    assert (one.state, one.due, one.left(due), one.origin) == (State.RUNNING, due, 0, 0)
    (one,) = deadlines_of(incident.entries(), due + 1)
    assert one.overdue
    assert one.left(due + 1) == -1
    stop(incident, "gdpr-33", due - 60)
    (one,) = deadlines_of(incident.entries(), due + 1)
    assert (one.state, one.met, one.reference) == (State.MET, due - 60, "form 7")
    assert one.left(due + 1) is None


def test_met_too_late(incident: Incident) -> None:
    opened = incident.entries()[0].at
    start(incident, "gdpr-33")
    stop(incident, "gdpr-33", opened + 73 * HOUR)
    (one,) = deadlines_of(incident.entries(), opened + 80 * HOUR)
    assert one.state is State.MET_LATE
    assert line(one, 0).endswith(", 1 h 0 min late: form 7")


def test_from_the_moment_that_an_entry_speaks_of(incident: Incident) -> None:
    entry = incident.add("fact", {"says": "we knew on Friday"}, actor="bo")
    start(incident, "gdpr-33", entry.sequence, entry.at - 5 * HOUR)
    (one,) = deadlines_of(incident.entries(), entry.at)
    assert one.due == entry.at + 67 * HOUR


def test_one_waits_for_another(incident: Incident) -> None:
    opened = incident.entries()[0].at
    start(incident, "nis2-final-report", None)
    (one,) = deadlines_of(incident.entries(), opened)
    assert (one.state, one.due) == (State.WAITING, None)
    start(incident, "nis2-notification")
    found = {one.rule.id: one for one in deadlines_of(incident.entries(), opened)}
    waiting = found["nis2-final-report"]
    latest = presets()["nis2-final-report"].due(opened + 72 * HOUR)
    assert (waiting.state, waiting.due) == (State.WAITING, latest)
    assert "waits until nis2-notification is met, due" in line(waiting, opened)
    met = stop(incident, "nis2-notification", opened + 10 * HOUR)
    found = {one.rule.id: one for one in deadlines_of(incident.entries(), opened + 11 * HOUR)}
    running = found["nis2-final-report"]
    assert (running.state, running.since, running.origin) == (
        State.RUNNING,
        opened + 10 * HOUR,
        met.sequence,
    )


def test_what_does_not_apply(incident: Incident) -> None:
    opened = incident.entries()[0].at
    start(incident, "sec-8k")
    stop(incident, "sec-8k", opened + 60, state="void")
    assert states(incident, opened + 10**7) == {"sec-8k": State.VOID}


def test_an_entry_that_was_corrected_is_in_doubt(incident: Incident) -> None:
    entry = incident.add("fact", {"says": "we knew on Friday"}, actor="bo")
    start(incident, "gdpr-33", entry.sequence)
    later = incident.add("correction", {"says": "on Thursday"}, actor="bo", corrects=entry.sequence)
    (one,) = deadlines_of(incident.entries(), entry.at)
    assert f"corrected by entry {later.sequence}" in one.doubt
    with pytest.raises(ConflictError, match="count from that one"):
        start(incident, "nis2-early-warning", entry.sequence)


def test_a_corrected_beginning_is_another(incident: Incident) -> None:
    begun = start(incident, "gdpr-33")
    with pytest.raises(ConflictError, match=f"by entry {begun.sequence}: correct that entry first"):
        start(incident, "gdpr-33", 1)
    incident.add("correction", {"says": "a mistake"}, actor="ann", corrects=begun.sequence)
    assert deadlines_of(incident.entries(), begun.at) == []
    start(incident, "gdpr-33", 1)
    (one,) = deadlines_of(incident.entries(), begun.at)
    assert one.origin == 1


def test_an_entry_of_another_form(incident: Incident) -> None:
    incident.add("deadline", {"deadline": "x", "state": "asleep"}, actor="ann")
    with pytest.raises(FormError, match="says nothing of a deadline that could be understood"):
        deadlines_of(incident.entries(), 0)


def test_begun_twice_the_same_is_once(incident: Incident) -> None:
    assert start(incident, "gdpr-33").sequence == start(incident, "gdpr-33").sequence


def test_begun_again_after_it_was_met(incident: Incident) -> None:
    opened = incident.entries()[0].at
    start(incident, "gdpr-33")
    stop(incident, "gdpr-33", opened + 60)
    with pytest.raises(ConflictError, match="it is met"):
        stop(incident, "gdpr-33", opened + 70)


@pytest.mark.parametrize(
    ("name", "origin", "since", "words"),
    [
        ("gdpr-33", None, None, "counts from an entry"),
        ("gdpr-33", 99, None, "there is no entry 99"),
        ("gdpr-33", 0, 1 << 40, "was written before that moment"),
    ],
)
def test_what_cannot_begin(incident: Incident, name: str, origin: Any, since: Any, words: str) -> None:
    with pytest.raises(FormError, match=words):
        start(incident, name, origin, since)


def test_what_cannot_end(incident: Incident) -> None:
    opened = incident.entries()[0].at
    with pytest.raises(FormError, match="no deadline 'gdpr-33' runs"):
        stop(incident, "gdpr-33", opened)
    start(incident, "gdpr-33")
    with pytest.raises(FormError, match="in the past"):
        stop(incident, "gdpr-33", opened + 100, now=opened)


def test_they_stand_in_the_order_in_which_they_are_due(incident: Incident) -> None:
    for name in ("sec-8k", "gdpr-33", "nis2-early-warning"):
        start(incident, name)
    stop(incident, "nis2-early-warning", incident.entries()[0].at + 60)
    names = [one.rule.id for one in deadlines_of(incident.entries(), incident.entries()[0].at)]
    assert names == ["gdpr-33", "sec-8k", "nis2-early-warning"]  # what is met comes last


def test_the_report_is_of_its_form(incident: Incident) -> None:
    start(incident, "gdpr-33")
    start(incident, "nis2-final-report", None)
    now = incident.entries()[0].at
    plain = to_json(deadlines_of(incident.entries(), now), now)
    moment = {"anyOf": [{"type": "null"}, {"type": "string", "format": "date-time"}]}
    schema = {"properties": dict.fromkeys(("since", "due", "met"), moment), "required": ["id", "state"]}
    for one in plain["deadlines"]:
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(one)
    assert [one["seconds_left"] for one in plain["deadlines"]] == [72 * HOUR, None]


def test_another_incident_reads_the_same(incident: Incident, key: Signer, tmp_path: Path) -> None:
    start(incident, "gdpr-33")
    again = Incident.load(tmp_path / "incident")
    assert deadlines_of(again.entries(), 0) == deadlines_of(incident.entries(), 0)
