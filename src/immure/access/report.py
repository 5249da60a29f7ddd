"""Who could enter, who did, and what left: from the log, in which it cannot be changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from immure.access.door import Door
from immure.access.records import (
    Grant,
    HardwareKey,
    Person,
    Request,
    Session,
    Workstation,
    WorkstationKey,
    to_plain,
)
from immure.access.step import PREFIX
from immure.access.texts import moment, spelled

VERSION: Final = 1
#: Acts that show that something asks the door: without one of them it is a register only.
_ENFORCED: Final = ("used", "certificate", "enter")
_REGISTER: Final = (
    "nothing has ever asked this door: no session, certificate or use is in its log. It is a register; "
    "who gets in is decided elsewhere"
)


@dataclass(slots=True)
class Report:
    """What stands in the log of a room, from ``since`` until ``at``.

    Attributes:
        room, at, since, entries, root: which room, when, from when, how long the log is, and its root (hex).
        people: accounts, with what each could do: ``fault`` is why they could not act at ``at``.
        keys: hardware keys, with their states.
        grants: that were live at any time since, with who asked and who approved.
        sessions: that were open at any time since.
        workstations: to which sessions can be bound, and where their keys are: ``protection`` is ``tpm``
            (proven) or ``software``.
        uses: what grants were used for; what left is what was used for ``release``.
        certificates: that were issued.
        refused: responses that did not hold, and acts that were not allowed.
        alarms: that were sounded, and which were not heard.
        waiting: requests that wait for keys or approvals.
        unreviewed: grants behind broken glass that nobody has reviewed.
        notes: what a reader must know.
    """

    room: str
    at: datetime
    since: datetime | None
    entries: int
    root: str
    people: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    workstations: list[dict[str, Any]] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    certificates: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    unreviewed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> list[dict[str, Any]]:
        """What has left the room, as far as it was told."""
        return [use for use in self.uses if use["action"] == "release"]


def make_report(door: Door, since: datetime | None = None) -> Report:
    """The report of a room; raises as :meth:`Door.records`."""
    checkpoint, at = door.log.checkpoint(), door.time()
    report = Report(door.room_id, at, since, checkpoint.size, checkpoint.root.hex())
    enforced = _from_log(door, report)
    _from_records(door, report)
    if not enforced:
        report.notes.append(_REGISTER)
    if not door.open_for_requests:
        report.notes.append("the room is not open: its founders have not all signed")
    for grant in report.unreviewed:
        report.notes.append(f"the glass was broken for {grant}, and nobody has reviewed it")
    return report


def _from_log(door: Door, report: Report) -> bool:
    """Go through the log; whether anything has ever asked the door."""
    enforced = False
    for entry in door.log.entries():
        if not entry.kind.startswith(PREFIX):
            continue
        act = entry.kind.removeprefix(PREFIX)
        enforced = enforced or act in _ENFORCED
        document, at = entry.body.get("document"), moment(str(entry.body.get("at")))
        if not isinstance(document, Mapping) or (report.since is not None and at < report.since):
            continue
        row = {"entry": entry.index, "at": spelled(at)}
        if act == "used":
            row |= {name: document.get(name) for name in ("grant", "action", "detail")}
            report.uses.append(row)
        elif act == "certificate":
            row |= {name: document.get(name) for name in ("grant", "action", "kind", "serial", "ends")}
            report.certificates.append(row)
        elif act == "refused":
            row |= {name: document.get(name) for name in ("of", "account", "rule", "reason")}
            report.refused.append(row)
        elif act == "alarm":
            report.alarms.append(row | {"of": document.get("of"), "failed": document.get("failed")})
    return enforced


def _from_records(door: Door, report: Report) -> None:
    for person in door.records(Person):
        fault = door.person_fault(person.id)
        row = {name: value for name, value in to_plain(person).items() if name != "handle"}
        report.people.append(row | {"fault": None if fault is None else fault[1]})
    for key in door.records(HardwareKey):
        row = {name: value for name, value in to_plain(key).items() if name not in ("cose", "attestation")}
        report.keys.append(row)
    for grant in door.records(Grant):
        if report.since is None or grant.ends > report.since:
            fault = door.grant_fault(grant.id)
            report.grants.append(to_plain(grant) | {"live": fault is None, "why": fault and fault[1]})
        if grant.glass and not grant.verdict:
            report.unreviewed.append(grant.id)
    for session in door.records(Session):
        if report.since is None or session.ends > report.since:
            row = {name: value for name, value in to_plain(session).items() if name != "secret"}
            report.sessions.append(row)
    models = {key.id: key.model for key in door.records(WorkstationKey)}
    for one in door.records(Workstation):
        where = {"protection": door.protection_of(one.id), "model": models.get(one.id, "")}
        report.workstations.append(to_plain(one) | where)
    for request in door.records(Request):
        if request.state in ("open", "keys") and report.at < request.expires:
            names = ("id", "state", "kind", "account", "needed", "created", "expires")
            plain = to_plain(request)
            report.waiting.append({name: plain[name] for name in names})


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON; ``docs/reference/access-records.md`` describes it."""
    return {
        "version": VERSION,
        "room": report.room,
        "at": spelled(report.at),
        "since": None if report.since is None else spelled(report.since),
        "log": {"entries": report.entries, "root": report.root},
        "notes": report.notes,
        "people": report.people,
        "keys": report.keys,
        "grants": report.grants,
        "sessions": report.sessions,
        "workstations": report.workstations,
        "uses": report.uses,
        "left": report.left,
        "certificates": report.certificates,
        "refused": report.refused,
        "alarms": report.alarms,
        "waiting": report.waiting,
        "unreviewed": report.unreviewed,
    }
