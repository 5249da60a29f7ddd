"""Whether a grant is live: the question that every gate asks."""

from __future__ import annotations

from datetime import datetime

from immure.access.errors import NoGrantError
from immure.access.names import Resource
from immure.access.records import Grant, Person, Session, Workstation
from immure.access.room import Room


def grant_fault(room: Room, grant: Grant, at: datetime) -> tuple[str, str] | None:
    """Why a grant is not live: the rule, and words; None if it is.

    Not only that it was given and has not ended: whoever has it must still be screened and have their keys,
    and the policy must still have a rule for it.
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
    resource, policy = Resource(kind, name), room.policy
    if grant.glass:
        named = any(pattern.matches(grant.resource) for pattern in policy.glass.resources)
        if not named or not policy.reaches(person.level, policy.glass.level):
            return "rule", "the policy has no break-glass for this any more"
        return None
    rule = policy.rule_for(resource, grant.actions)
    if (
        rule is None
        or len(set(grant.approvers)) < rule.approvers
        or not policy.reaches(person.level, rule.level)
    ):
        return "rule", "the policy does not allow this grant any more"
    return None


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
    if session.workstation:
        known = room.rows.get(Workstation, session.workstation)
        if session.workstation != workstation:
            raise NoGrantError("the session is bound to another workstation", rule="workstation")
        if known is None or known.state != "active" or at >= known.ends:
            raise NoGrantError("the workstation is not in use any more", rule="workstation")
    return session
