"""The record: opened, read, added to, corrected; by one and by many."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog import AuditLog
from immure.custody.note_signer import NoteSigner
from immure.custody.signer import Signer
from immure.errors import SignerError
from immure.response.errors import (
    BusyError,
    ConflictError,
    FormError,
    IncidentError,
    ResponseError,
    RoleError,
)
from immure.response.facts import conflicts
from immure.response.finding import Finding
from immure.response.incident import Incident
from immure.response.steps import Steps
from immure.response.timeline import Confidence, Entry, corrected, standing
from response.house import FOUND, Clock, make_key, opened


def test_a_new_incident(tmp_path: Path, key: Signer) -> None:
    made = opened(tmp_path / "a" / "incident", key)
    assert made.opened == FOUND
    assert [one.kind for one in made.entries()] == ["opened", "role"]
    assert made.roles()["lead"] == {"ann"}
    assert sorted(one.name for one in made.folder.iterdir()) == ["evidence", "log", "work"]
    assert made.folder.stat().st_mode & 0o077 == 0
    assert not list(made.folder.parent.glob(".*"))
    again = Incident.load(made.folder, key=key)
    assert (again.name, again.opened, again.entries()) == (made.name, made.opened, made.entries())
    assert again.closed is None


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"actor": ""}, "named in a line"),
        ({"actor": "a\nb"}, "named in a line"),
        ({"actor": "a" * 201}, "up to 200"),
        ({"name": "a b"}, "name of an incident"),
        ({"name": "a/b"}, "name of an incident"),
        ({"name": "a" * 101}, "name of an incident"),
        ({"finding": {"kind": "guess", "kid": "k1"}}, "no kind of finding"),
        ({"finding": {"kind": "report", "kid": ""}}, "names a key"),
        ({"finding": {"kind": "report", "kid": "a\nb"}}, "is a line"),
    ],
)
def test_an_incident_that_cannot_be_so(
    tmp_path: Path, key: Signer, members: dict[str, Any], words: str
) -> None:
    found = members.get("finding", {"kind": "report", "kid": "k1"})
    with pytest.raises(FormError, match=words):
        Incident.open_new(tmp_path / "i", key=key, **{"actor": "ann", **members, "finding": Finding(**found)})
    assert not (tmp_path / "i").exists()


def test_nothing_is_overwritten(tmp_path: Path, key: Signer, incident: Incident) -> None:
    with pytest.raises(IncidentError, match="something already"):
        opened(incident.folder, key)
    (tmp_path / "empty").mkdir()
    assert opened(tmp_path / "empty", key).entries()
    (tmp_path / "file").write_text("x")
    with pytest.raises(IncidentError, match="something already"):
        opened(tmp_path / "file", key)


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    from immure.custody import open_signer
    from immure.custody.generate import generate

    generate(tmp_path / "ec.key", "ES256")
    with pytest.raises(SignerError, match="Ed25519"):
        opened(tmp_path / "i", open_signer(f"file:{tmp_path / 'ec.key'}"))
    assert not (tmp_path / "i").exists()


def test_the_key_of_somebody_else(tmp_path: Path, incident: Incident) -> None:
    with pytest.raises(IncidentError, match="not signed by the key"):
        Incident.load(incident.folder, key=make_key(tmp_path, "other.key"))
    with pytest.raises(IncidentError, match="read only"):
        Incident.load(incident.folder).add("fact", {}, actor="bo")


def test_no_incident(tmp_path: Path, key: Signer) -> None:
    with pytest.raises(IncidentError, match="no incident that can be read"):
        Incident.load(tmp_path / "nowhere")
    signer = NoteSigner("immure.incident/x", key)
    log = AuditLog.create(tmp_path / "other" / "log", origin=signer.name, signer=signer)
    with pytest.raises(IncidentError, match="not that of an incident"):
        Incident.load(tmp_path / "other")
    log.append("release.done", {})
    with pytest.raises(IncidentError, match="entry 0 is none of an incident"):
        Incident.load(tmp_path / "other")


def test_what_is_added_is_there(incident: Incident, key: Signer) -> None:
    body = {"says": "é", "list": [1, None, {"a": True}]}
    entry = incident.add("fact", body, actor="bo", source="mail", confidence=Confidence.POSSIBLE)
    assert (entry.sequence, entry.actor, entry.source, entry.confidence) == (2, "bo", "mail", "possible")
    assert entry.body == body
    assert Incident.load(incident.folder, key=key).entries()[2] == entry
    assert entry.at > incident.entries()[1].at


@pytest.mark.parametrize(
    ("kind", "body", "more", "words"),
    [
        ("opened", {}, {}, "opened once"),
        ("guess", {}, {}, "no kind of entry"),
        ("fact", {}, {"actor": "\x1b"}, "named in a line"),
        ("fact", {}, {"source": "a\nb"}, "source is a line"),
        ("fact", {"a": 1.5}, {}, "no canonical JSON"),
        ("fact", {"a": 1 << 60}, {}, "beyond 2"),
        ("fact", {"a": "x" * 300_000}, {}, "keep it as evidence"),
        ("correction", {}, {}, "names the entry"),
        ("correction", {}, {"corrects": 9}, "no entry 9"),
        ("correction", {}, {"corrects": 0}, "is not corrected"),
        ("correction", {}, {"corrects": 1}, "is not corrected"),
        ("approval", {}, {}, "names the digest"),
        ("role", {"role": "king", "person": "bo", "granted": True}, {}, "no role"),
        ("role", {"role": "lead", "person": "", "granted": True}, {}, "named in a line"),
        ("role", {"role": "lead", "person": "bo", "granted": "yes"}, {}, "granted"),
    ],
)
def test_what_cannot_be_added(
    incident: Incident, kind: str, body: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(FormError, match=words):
        incident.add(kind, body, **{"actor": "ann", **more})
    assert len(incident.entries()) == 2


def test_corrections_name_what_they_correct(incident: Incident) -> None:
    first = incident.add("fact", {"says": "taken in April"}, actor="ann")
    second = incident.add("correction", {"says": "taken in May"}, actor="bo", corrects=first.sequence)
    with pytest.raises(ConflictError, match=f"corrected by entry {second.sequence}"):
        incident.add("correction", {"says": "no"}, actor="bo", corrects=first.sequence)
    third = incident.add("correction", {"says": "in June"}, actor="bo", corrects=second.sequence)
    assert [one.sequence for one in standing(incident.entries(), "fact")] == [third.sequence]
    assert corrected(incident.entries()) == {
        first.sequence: (second.sequence,),
        second.sequence: (third.sequence,),
    }
    assert incident.entries()[first.sequence].body == {"says": "taken in April"}


def test_a_closed_incident(incident: Incident) -> None:
    closed = incident.add("closed", {"says": "over"}, actor="ann")
    assert incident.closed == closed
    with pytest.raises(FormError, match=f"correct entry {closed.sequence}"):
        incident.add("fact", {}, actor="ann")
    incident.add("correction", {"says": "it is not"}, actor="ann", corrects=closed.sequence)
    assert incident.closed is None
    incident.add("fact", {"says": "more"}, actor="ann")


def test_roles_and_approvals(incident: Incident) -> None:
    with pytest.raises(RoleError, match="no approver"):
        incident.approve("d1", actor="ann")
    with pytest.raises(RoleError, match="no lead"):
        incident.grant_role("approver", "bo", actor="bo")
    for person in ("bo", "cleo"):
        incident.grant_role("approver", person, actor="ann")
    approval = incident.approve("d1", actor="bo", what="letter")
    incident.approve("d1", actor="bo")
    assert incident.approvals("d1") == {"bo"}
    assert incident.approvals("d2") == frozenset()
    incident.approve("d1", actor="cleo")
    incident.grant_role("approver", "cleo", actor="ann", granted=False)
    assert incident.approvals("d1") == {"bo", "cleo"}  # she was one when she approved
    with pytest.raises(RoleError):
        incident.approve("d2", actor="cleo")
    incident.add("correction", {"says": "not this one"}, actor="bo", corrects=approval.sequence)
    assert incident.approvals("d1") == {"bo", "cleo"}  # he has approved it twice
    assert incident.roles()["approver"] == {"bo"}


def test_there_is_always_a_lead(incident: Incident) -> None:
    with pytest.raises(RoleError, match="only lead"):
        incident.grant_role("lead", "ann", actor="ann", granted=False)
    incident.grant_role("lead", "bo", actor="ann")
    incident.grant_role("lead", "ann", actor="bo", granted=False)
    with pytest.raises(RoleError):
        incident.grant_role("approver", "ann", actor="ann")


def test_facts_that_contradict_each_other(incident: Incident) -> None:
    incident.add("fact", {"says": "a", "about": "taken", "value": "April"}, actor="ann")
    assert conflicts(incident.entries()) == ()
    incident.add("fact", {"says": "a", "about": "taken", "value": "April"}, actor="bo")
    other = incident.add("fact", {"says": "b", "about": "taken", "value": "May"}, actor="bo")
    [clash] = conflicts(incident.entries())
    assert [one.sequence for one in clash.entries] == [2, 3, 4]
    incident.add(
        "correction", {"says": "a", "about": "taken", "value": "April"}, actor="bo", corrects=other.sequence
    )
    assert conflicts(incident.entries()) == ()


def test_steps(incident: Incident, key: Signer) -> None:
    steps = Steps(incident, "ann")
    assert steps.state("stop", "mail") is None
    steps.begun("stop", "mail")
    other = Steps(Incident.load(incident.folder, key=key), "bo")
    assert other.state("stop", "mail") == "begun"
    other.failed("stop", "mail", "no answer")
    assert steps.state("stop", "mail") == "failed"
    steps.begun("stop", "mail")
    steps.done("stop", "mail", {"seconds": 3})
    last = other.last("stop", "mail")
    assert last is not None
    assert last.body["detail"] == {"seconds": 3}
    assert [(step, target) for step, target, _ in other.all()] == [("stop", "mail")]


def test_steps_that_were_corrected(incident: Incident, key: Signer) -> None:
    """What stands counts: words take an entry back; a correction with a state takes its place."""
    steps = Steps(incident, "ann")
    steps.begun("stop", "mail")
    done = steps.done("stop", "mail")
    other = steps.done("stop", "calendar")
    assert steps.state("stop", "mail") == "done"
    incident.add("correction", {"says": "it was not"}, actor="bo", corrects=done.sequence)
    assert steps.state("stop", "mail") == "begun"
    body = {"step": "stop", "target": "calendar", "state": "failed", "detail": "no answer"}
    wrong = incident.add("correction", body, actor="bo", corrects=other.sequence)
    assert steps.state("stop", "calendar") == "failed"
    steps.done("stop", "calendar")
    incident.add("correction", body, actor="bo", corrects=wrong.sequence)  # of what was before that
    for one in (steps, Steps(Incident.load(incident.folder, key=key), "bo")):
        assert (one.state("stop", "mail"), one.state("stop", "calendar")) == ("begun", "done")
    only = steps.failed("wait", "nobody", "never")
    incident.add("correction", {"says": "there is no such step"}, actor="bo", corrects=only.sequence)
    assert steps.state("wait", "nobody") is None


def test_many_write_at_once(incident: Incident, key: Signer) -> None:
    def write(name: str) -> None:
        mine = Incident.load(incident.folder, key=key, clock=Clock())
        for number in range(5):
            mine.add("fact", {"number": number}, actor=name)

    threads = [threading.Thread(target=write, args=(f"writer-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = incident.entries()
    assert [one.sequence for one in entries] == list(range(22))
    for number in range(4):
        mine = [one.body["number"] for one in entries if one.actor == f"writer-{number}"]
        assert mine == [0, 1, 2, 3, 4]


def test_only_one_corrects(incident: Incident, key: Signer) -> None:
    """Two that want to correct the same entry: one does, the other is told."""
    fact = incident.add("fact", {}, actor="ann")
    failures = []

    def correct() -> None:
        try:
            other = Incident.load(incident.folder, key=key)
            other.add("correction", {"says": "x"}, actor="bo", corrects=fact.sequence)
        except ConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=correct) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 2
    assert len(corrected(incident.entries())[fact.sequence]) == 1


def test_work_that_only_one_does(incident: Incident, key: Signer) -> None:
    other = Incident.load(incident.folder, key=key)
    with (
        incident.alone("notify"),
        pytest.raises(BusyError, match="another process"),
        other.alone("notify", seconds=0.05),
    ):
        pytest.fail("two at once")
    with other.alone("notify"), incident.alone("contain"):
        pass


def test_an_altered_log(incident: Incident) -> None:
    incident.add("fact", {"says": "the dump left the room"}, actor="ann")
    path = incident.folder / "log" / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b"left", b"kept"))
    with pytest.raises(IncidentError, match="entry 2 of 3 is not the one that was logged"):
        Incident.load(incident.folder)


_ENTRIES = st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=20)


@given(_ENTRIES)
@settings(max_examples=80, deadline=None)
def test_what_stands(wanted: list[int | None]) -> None:
    """Whatever corrects what: an entry stands if nobody corrects it, and each chain has one end."""
    entries = []
    for number, target in enumerate(wanted):
        corrects = None if target is None or target >= number else target
        kind = "fact" if corrects is None else "correction"
        entries.append(Entry(number, number, kind, "a", {}, corrects=corrects))
    left = standing(entries)
    targets = {one.corrects for one in entries}
    assert {one.sequence for one in left} == {one.sequence for one in entries} - targets
    assert standing(entries, "fact") == left
    assert standing(entries, "role") == ()


def test_errors_are_of_the_room() -> None:
    assert issubclass(RoleError, ResponseError)
    assert issubclass(IncidentError, ResponseError)
