"""What can be asked for, by kind: what the request must say, who must approve it, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from immure.access.acts import keys
from immure.access.acts.screening import new_person, parse_screening
from immure.access.names import parse_deed, same_person
from immure.access.policy import LEAST_FOUNDERS, MOST_HOURS, Policy, Rule
from immure.access.protection import MEMBERS, check_protection, note_protection
from immure.access.records import Approval, Fact, Grant, Person, Request, Workstation
from immure.access.room import Event, Room, deny, read_policy
from immure.access.texts import moment
from immure.access.webauthn.chain import fingerprint
from immure.access.webauthn.models import aaguid_text
from immure.errors import InputError, PolicyError, UsageError

_MOST_TEXT = 2000
_LEAST_PURPOSE = 8


@dataclass(frozen=True, slots=True)
class Terms:
    """Who must approve: how many, screened to what level, with one of which roles; and whether keys are to be
    registered first."""

    needed: int
    level: str
    roles: tuple[str, ...]
    keys_first: bool = False


Subject = Mapping[str, Any]
Check = Callable[[Room, Event, Subject], Terms]
Effect = Callable[[Room, Event, Request], None]


def _members(subject: Subject, *names: str) -> None:
    if set(subject) != set(names):
        deny("document", f"this kind of request has {', '.join(sorted(names))}, and nothing else")


def _text(subject: Subject, name: str, least: int = 1) -> str:
    value = subject[name]
    if not isinstance(value, str) or not least <= len(value.strip()) or len(value) > _MOST_TEXT:
        deny(name, f"{name} is a text of {least} to {_MOST_TEXT} characters")
    return value


def _people_terms(room: Room, *, keys_first: bool = False) -> Terms:
    """Who approves changes of who is in the room: screened to the highest level."""
    rules = room.policy.people
    return Terms(rules.approvers, rules.levels[-1], rules.approver_roles, keys_first)


# --- a grant ---


def check_grant(room: Room, event: Event, subject: Subject) -> Terms:
    """Purpose, ticket, resource, actions and hours, as a rule of the policy has them."""
    _members(subject, "resource", "actions", "purpose", "ticket", "hours")
    actor, _ = event.who()
    _text(subject, "purpose", _LEAST_PURPOSE)
    rule = rule_of(room, subject)
    if not room.policy.reaches(actor.level, rule.level):
        deny("level", f"{actor.id} is screened to {actor.level}, and this needs {rule.level}")
    if rule.roles and not set(rule.roles) & set(actor.roles):
        deny("role", f"this may be asked for by {', '.join(rule.roles)}")
    ticket = subject["ticket"]
    if not isinstance(ticket, str) or len(ticket) > 200 or (rule.ticket and not rule.ticket.matches(ticket)):
        wanted = rule.ticket.text if rule.ticket else "a text"
        deny("ticket", f"the ticket is not {wanted}")
    check_hours(subject["hours"], rule.hours)
    unreviewed(room, actor)
    return Terms(rule.approvers, rule.level, rule.approver_roles)


def rule_of(room: Room, subject: Subject) -> Rule:
    """The rule of the policy for a resource and actions; says no if there is none."""
    try:
        resource, known = parse_deed(subject["resource"], subject["actions"])
    except UsageError as error:
        deny("resource", error.reason)
    rule = room.policy.rule_for(resource, known)
    if rule is None:
        deny("rule", f"no rule of the policy lets anybody {', '.join(known)} {resource}")
    return rule


def check_hours(hours: Any, most: int) -> None:
    """Whether it is for so many hours at most."""
    if type(hours) is not int or not 1 <= hours <= min(most, MOST_HOURS):
        deny("hours", f"this is granted for 1 to {most} hours")


def unreviewed(room: Room, person: Person) -> None:
    """Whoever has broken the glass, under whatever account, asks for nothing more until that has been
    reviewed."""
    for grant in room.rows.find(Grant):
        if same_person(grant.person, person.person) and grant.glass and not grant.verdict:
            deny("unreviewed", f"{person.id} has broken the glass ({grant.id}), and nobody has reviewed it")


def give(room: Room, event: Event, request: Request) -> None:
    """The last approval is there: the grant begins."""
    subject: Subject = request.subject
    approvals = room.standing(request, event.at)
    room.rows.put(
        Grant(
            id=request.id,
            state="granted",
            account=request.account,
            person=request.person,
            resource=subject["resource"],
            actions=tuple(subject["actions"]),
            purpose=subject["purpose"],
            ticket=subject["ticket"],
            begins=event.at,
            ends=event.at + timedelta(hours=subject["hours"]),
            approvers=tuple(one.account for one in approvals),
            credentials=(request.credential, *(one.credential for one in approvals)),
            glass=False,
            reviews=(),
            verdict="",
            reason="",
        )
    )


# --- people ---


def check_enrol(room: Room, event: Event, subject: Subject) -> Terms:
    """A new person; two hardware keys are to be registered before anybody approves."""
    _members(subject, "account", "person", "handle", "roles", "screening")
    new_person(room, subject, event.at, "active")
    for other in room.rows.find(Request, state="keys"):
        waiting = other.kind == "enrol" and event.at < other.expires
        if waiting and other.subject.get("account") == subject["account"]:
            deny("account", f"{subject['account']} is being enrolled already ({other.id})")
    return _people_terms(room, keys_first=True)


def enrol(room: Room, event: Event, request: Request) -> None:
    """The person is in, with the keys that the approvers have seen in the document."""
    room.rows.put(new_person(room, request.subject, event.at, "active"))
    keys.activate(room, request)


def check_key(room: Room, event: Event, subject: Subject) -> Terms:
    """One more hardware key for oneself or another."""
    _members(subject, "account")
    _in_room(room, subject)
    return _people_terms(room, keys_first=True)


def add_key(room: Room, event: Event, request: Request) -> None:
    """The key can be used."""
    keys.activate(room, request)


def check_screening(room: Room, event: Event, subject: Subject) -> Terms:
    """A newer screening record."""
    _members(subject, "account", "screening")
    _in_room(room, subject)
    parse_screening(room, subject["screening"], event.at)
    return _people_terms(room)


def renew(room: Room, event: Event, request: Request) -> None:
    """The record counts."""
    person = room.person(str(request.subject["account"]))
    screening = parse_screening(room, request.subject["screening"], event.at)
    room.rows.put(replace(person, **screening))


def check_reinstate(room: Room, event: Event, subject: Subject) -> Terms:
    """A suspended person is to come back."""
    _members(subject, "account", "reason")
    _text(subject, "reason")
    person = room.person(str(subject["account"]))
    if person.state != "suspended":
        deny("person", f"{person.id} is {person.state}, not suspended")
    return _people_terms(room)


def reinstate(room: Room, event: Event, request: Request) -> None:
    """The person is active again; grants that were revoked stay so."""
    person = room.person(str(request.subject["account"]))
    if person.state != "suspended":
        deny("person", f"{person.id} is {person.state}, not suspended")
    room.rows.put(replace(person, state="active", since=event.at))


def check_workstation(room: Room, event: Event, subject: Subject) -> Terms:
    """The certificate of a workstation, by its SHA-256, until when it is valid, and where its key is."""
    _members(subject, "account", "workstation", "ends", *(one for one in MEMBERS if one in subject))
    _in_room(room, subject)
    digest = subject["workstation"]
    if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        deny("workstation", "a workstation is named by the SHA-256 of its certificate, in hex")
    other = room.rows.get(Workstation, digest)
    if other is not None and other.account != subject["account"]:
        deny("workstation", "this workstation is that of another account")
    try:
        if moment(str(subject["ends"])) <= event.at:
            deny("workstation", "the certificate of the workstation has run out")
    except InputError as error:
        deny("workstation", error.reason)
    check_protection(room, subject, event.at)
    return _people_terms(room)


def add_workstation(room: Room, event: Event, request: Request) -> None:
    """Sessions can be bound to it."""
    subject = request.subject
    account, ends = str(subject["account"]), moment(str(subject["ends"]))
    room.rows.put(Workstation(str(subject["workstation"]), "active", account, ends))
    note_protection(room, event, subject)


def _in_room(room: Room, subject: Subject) -> Person:
    person = room.person(str(subject["account"]))
    if person.state != "active":
        deny("person", f"{person.id} is {person.state}")
    return person


# --- the policy ---


def check_policy(room: Room, event: Event, subject: Subject) -> Terms:
    """Another policy, with its text: approved under the one in force."""
    _members(subject, "text", "sha256")
    try:
        policy = read_policy(str(subject["text"]))
    except PolicyError as error:
        deny("policy", error.reason)
    if policy.sha256 != subject["sha256"]:
        deny("policy", "the digest is not that of the text")
    if (policy.namespace, policy.party.id) != (room.policy.namespace, room.policy.party.id):
        deny("policy", "the namespace and the relying party of a room do not change: its keys hang on them")
    if _able(room, policy) < LEAST_FOUNDERS:
        deny("policy", f"under it fewer than {LEAST_FOUNDERS} people could act: nobody could ever change it")
    return _people_terms(room)


def _able(room: Room, policy: Policy) -> int:
    """How many people could act under another policy: their levels and keys are those that it knows."""
    taken = {(aaguid_text(one.aaguid), fingerprint(root)) for one in policy.models for root in one.roots}
    count = 0
    for person in room.rows.find(Person, state="active"):
        keys = [key for key in room.keys(person.id) if (key.aaguid, key.root) in taken]
        count += policy.people.lets_approve(person) and len(keys) >= policy.people.least_keys
    return count


def install(room: Room, event: Event, request: Request) -> None:
    """The policy is in force. Approvals under the old one that are not enough yet are void."""
    for approval in list(room.rows.find(Approval, state="given")):
        waiting = room.rows.get(Request, approval.request)
        if waiting is not None and waiting.state == "open" and waiting.id != request.id:
            room.rows.put(replace(approval, state="void"))
    for waiting in list(room.rows.find(Request, state="open")):
        if waiting.id != request.id:
            room.rows.put(replace(waiting, state="denied"))
    text, digest = str(request.subject["text"]), str(request.subject["sha256"])
    room.rows.put(Fact("policy", "in force", {"text": text, "sha256": digest}))


KINDS: Final[dict[str, tuple[Check, Effect]]] = {
    "grant": (check_grant, give),
    "enrol": (check_enrol, enrol),
    "key": (check_key, add_key),
    "screening": (check_screening, renew),
    "reinstate": (check_reinstate, reinstate),
    "workstation": (check_workstation, add_workstation),
    "policy": (check_policy, install),
}
