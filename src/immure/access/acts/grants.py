"""Grants: revoked, closed, taken by breaking the glass, reviewed, used."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from immure.access.acts.subjects import check_hours, unreviewed
from immure.access.ids import is_id
from immure.access.live import grant_fault, rights_end
from immure.access.names import parse_deed, same_person
from immure.access.records import Certificate, Grant, Request
from immure.access.room import Event, Room, deny
from immure.access.texts import moment
from immure.errors import UsageError

_WORD = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_VERDICTS = ("justified", "not-justified")
_LEAST_REASON = 8


def revoke(room: Room, event: Event) -> None:
    """Anybody in the room can revoke a grant: sessions and certificates go with it, at once."""
    room.need_open()
    event.who()
    grant = _standing(room, event)
    room.end_grant(grant, "revoked", _reason(event))


def close(room: Room, event: Event) -> None:
    """Whoever has a grant gives it back. What was taken by breaking the glass is closed after its review."""
    room.need_open()
    actor, _ = event.who()
    grant = _standing(room, event)
    if grant.account != actor.id:
        deny("person", f"the grant is that of {grant.account}; others can revoke it")
    if grant.glass and not grant.verdict:
        deny("unreviewed", "the glass was broken for it, and nobody has reviewed that")
    room.end_grant(grant, "closed", "given back")


def break_glass(room: Room, event: Event) -> None:
    """Somebody lets themselves in, in an emergency: for a short time, and heard by all."""
    room.need_open()
    actor, key = event.who()
    rules = room.policy.glass
    identity = event.text("grant")
    try:
        resource, known = parse_deed(event.document.get("resource"), event.document.get("actions"))
    except UsageError as error:
        deny("resource", error.reason)
    if not any(pattern.matches(str(resource)) for pattern in rules.resources):
        deny("rule", f"the policy lets nobody break the glass for {resource}")
    if not room.policy.reaches(actor.level, rules.level):
        deny("level", f"{actor.id} is screened to {actor.level}, and this needs {rules.level}")
    if not rules.alarms:
        deny("alarm", "the policy names nobody who would hear it")
    check_hours(event.document.get("hours"), rules.hours)
    unreviewed(room, actor)
    taken = room.rows.get(Grant, identity) is not None or room.rows.get(Request, identity) is not None
    if not is_id(identity) or taken:  # the grant of a request with this id would take the place of this one
        deny("document", "not an id of a grant, or there is one of it")
    room.rows.put(
        Grant(
            id=identity,
            state="granted",
            account=actor.id,
            person=actor.person,
            resource=str(resource),
            actions=known,
            purpose=_reason(event),
            ticket="",
            begins=event.at,
            ends=event.at + timedelta(hours=int(event.document["hours"])),
            approvers=(),
            credentials=(key.id,),
            glass=True,
            reviews=(),
            verdict="",
            reason="",
        )
    )


def review(room: Room, event: Event) -> None:
    """Others look at what was done behind broken glass, and say whether it was justified."""
    room.need_open()
    actor, key = event.who()
    grant = room.grant(event.text("grant"))
    verdict = event.text("verdict")
    if not grant.glass:
        deny("grant", "nobody has broken the glass for it")
    if verdict not in _VERDICTS:
        deny("document", f"a verdict is {' or '.join(_VERDICTS)}")
    if same_person(grant.person, actor.person) or key.id in grant.credentials:
        deny("self", "nobody reviews themselves")
    if any(same_person(room.person(one).person, actor.person) for one in grant.reviews):
        deny("approved", f"{actor.person} has reviewed it already")
    _reason(event)
    _take_review(room, event, grant, actor.id, verdict)


def _take_review(room: Room, event: Event, grant: Grant, account: str, verdict: str) -> None:
    """One who says no is enough for a no; and then it is over at once."""
    reviews = (*grant.reviews, account)
    grant = replace(grant, reviews=reviews)
    if verdict == "not-justified" or grant.verdict == "not-justified":
        grant = replace(grant, verdict="not-justified")
    elif len(reviews) >= room.policy.glass.reviewers:
        grant = replace(grant, verdict="justified")
    room.rows.put(grant)
    if grant.verdict == "not-justified" and grant.state == "granted":
        room.end_grant(grant, "revoked", "not justified")


def used(room: Room, event: Event) -> None:
    """A grant was used: an enforcement adapter says for what."""
    room.need_open()
    grant = room.grant(event.text("grant"))
    fault = grant_fault(room, grant, event.at)
    if fault is not None:
        deny(*fault)
    if event.text("action") not in grant.actions:
        deny("action", "the grant is not for this")


def certificate(room: Room, event: Event) -> None:
    """A certificate was issued on a grant; it ends with it, and is revoked with it."""
    used(room, event)
    grant, ends = room.grant(event.text("grant")), moment(event.text("ends"))
    kind, serial = event.text("kind"), event.text("serial")
    if not _WORD.fullmatch(kind) or not _WORD.fullmatch(serial):
        deny("document", "a kind and a serial are words of up to 128 of A-Z, a-z, 0-9, . _ : and -")
    if not event.at < ends <= rights_end(room, grant):
        deny("certificate", "a certificate that would outlast its grant, or the screening of who has it")
    identity = f"{kind}/{serial}"
    if room.rows.get(Certificate, identity) is not None:
        deny("certificate", "a certificate of this serial was issued before")
    room.rows.put(Certificate(identity, "issued", grant.id, grant.account, kind, serial, ends))


def _standing(room: Room, event: Event) -> Grant:
    grant = room.grant(event.text("grant"))
    if grant.state != "granted":
        deny("grant", f"the grant is {grant.state}")
    return grant


def _reason(event: Event) -> str:
    reason = event.text("reason").strip()
    if not _LEAST_REASON <= len(reason) <= 2000:
        deny("reason", f"a reason is a text of {_LEAST_REASON} to 2000 characters")
    return reason
