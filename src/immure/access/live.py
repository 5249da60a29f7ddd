"""Whether a grant is live: the question that every gate asks."""

from __future__ import annotations

from datetime import datetime, timedelta

from immure.access.errors import NoGrantError
from immure.access.names import Resource
from immure.access.policy import Rule
from immure.access.protection import protection_fault
from immure.access.records import Grant, HardwareKey, Person, Session, Workstation
from immure.access.room import Room


def grant_fault(room: Room, grant: Grant, at: datetime) -> tuple[str, str] | None:
    """Why a grant is not live: the rule, and words; None if it is.

    Not only that it was given and has not ended: whoever has it must still be screened and have their keys,
    and the policy must still allow it, to them and for so long.
    """
    if grant.state != "granted":
        return "grant", f"the grant {grant.id} is {grant.state}"
    if not grant.begins <= at < grant.ends:
        return "expired", f"the grant {grant.id} has ended"
    person = room.person(grant.account)
    fault = room.person_fault(person, at)
    if fault is not None:
        return fault
    kind, _, name = grant.resource.partition(":")
    if grant.glass:
        if not _glass_allows(room, grant, person):
            return "rule", "the policy has no break-glass for this any more"
        return None
    rule = room.policy.rule_for(Resource(kind, name), grant.actions)
    if rule is None or not _allows(room, rule, grant, person):
        return "rule", "the policy does not allow this grant any more"
    return None


def _glass_allows(room: Room, grant: Grant, person: Person) -> bool:
    rules = room.policy.glass
    named = any(pattern.matches(grant.resource) for pattern in rules.resources)
    fitting = named and room.policy.reaches(person.level, rules.level)
    return fitting and grant.ends - grant.begins <= timedelta(hours=rules.hours)


def _allows(room: Room, rule: Rule, grant: Grant, person: Person) -> bool:
    return (
        len(set(grant.approvers)) >= rule.approvers
        and room.policy.reaches(person.level, rule.level)
        and (not rule.roles or bool(set(rule.roles) & set(person.roles)))
        and (rule.ticket is None or rule.ticket.matches(grant.ticket))
        and grant.ends - grant.begins <= timedelta(hours=rule.hours)
    )


def rights_end(room: Room, grant: Grant) -> datetime:
    """Until when a grant can be live at most: its end, or that of the screening of who has it."""
    return min(grant.ends, room.person(grant.account).expires)


def live_grant(room: Room, resource: Resource, action: str, at: datetime, account: str | None) -> Grant:
    """The grant that lets somebody (``account``, if it is given) do ``action`` with ``resource`` now; of
    several the one that lasts longest.

    Raises:
        NoGrantError: there is none; of the last one that is near, ``rule`` and the reason say what is amiss.
    """
    live, why = list[Grant](), ("no-grant", f"nobody was granted {action} on {resource}")
    for grant in room.rows.find(Grant, about=account):
        if grant.resource != str(resource) or action not in grant.actions:
            continue
        fault = grant_fault(room, grant, at)
        if fault is None:
            live.append(grant)
        else:
            why = fault
    if not live:
        raise NoGrantError(why[1], rule=why[0])
    return max(live, key=lambda grant: (grant.ends, grant.id))


def live_session(room: Room, secret: str, workstation: str, at: datetime) -> tuple[Session, Grant]:
    """The session that a secret (its SHA-256) stands for, seen from a workstation (SHA-256 of the certificate
    of its TLS connection), and its grant.

    Raises:
        NoGrantError: there is none that is live, or it is bound to another workstation.
    """
    session = _open_session(room, secret, workstation, at)
    if not session.grant:
        raise NoGrantError("who has only signed in was granted nothing", rule="session")
    unprotected = protection_fault(room, session.workstation)
    if unprotected is not None:
        raise NoGrantError(unprotected, rule="tpm")
    grant = room.grant(session.grant)
    fault = grant_fault(room, grant, at)
    if fault is not None:
        raise NoGrantError(fault[1], rule=fault[0])
    return session, grant


def signed_in(room: Room, secret: str, workstation: str, at: datetime) -> Person:
    """Who has signed in with a session, be it to look only or on a grant; raises as :func:`live_session`."""
    session = _open_session(room, secret, workstation, at)
    person = room.person(session.account)
    fault = room.person_fault(person, at)
    if fault is not None:
        raise NoGrantError(fault[1], rule=fault[0])
    return person


def _open_session(room: Room, secret: str, workstation: str, at: datetime) -> Session:
    session = next(room.rows.find(Session, about=secret), None)
    if session is None:
        raise NoGrantError("there is no such session", rule="session")
    if session.state != "open" or not session.begins <= at < session.ends:
        raise NoGrantError("the session has ended", rule="session")
    key = room.rows.get(HardwareKey, session.credential)
    if key is None or room.key_fault(key) is not None:
        raise NoGrantError("the session began with a key that may not be used any more", rule="key-state")
    if session.workstation:
        known = room.rows.get(Workstation, session.workstation)
        if session.workstation != workstation:
            raise NoGrantError("the session is bound to another workstation", rule="workstation")
        if known is None or known.state != "active" or at >= known.ends:
            raise NoGrantError("the workstation is not in use any more", rule="workstation")
    return session
