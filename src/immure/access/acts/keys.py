"""Hardware keys: registered, suspected, lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from immure.access.document import PATIENCE, challenge
from immure.access.records import Approval, Grant, HardwareKey, Person, Request, Workstation
from immure.access.room import FOUNDING, Event, Room, deny
from immure.access.texts import decode, encode, moment
from immure.access.webauthn.assertion import Expected
from immure.access.webauthn.models import aaguid_text
from immure.access.webauthn.registration import Registered, verify_registration
from immure.access.webauthn.response import parse_registration
from immure.errors import InputError

#: Keys that a founder can bring. With a request come those that it needs, and no others.
MOST_KEYS = 8


def register(room: Room, event: Event) -> None:
    """A key is registered for a founder, or for a request that waits for keys. It can do nothing yet."""
    request, account = event.text("request"), event.text("account")
    _need_waiting(room, request, account, event.at)
    if not moment(event.text("issued")) <= event.at <= moment(event.text("issued")) + PATIENCE:
        deny("stale", "the ceremony was begun too long ago")
    digest = challenge(event.document)
    if event.document.get("room") != room.id or not room.rows.use(encode(digest)):
        deny("replayed", "this registration was used already, or is of another room")
    registered = _verify(room, event, digest)
    fault = room.model_fault(aaguid_text(registered.model.aaguid), registered.root)
    if fault is not None:
        deny("model-broken", fault)
    _need_new(room, registered, account)
    room.rows.put(_key(registered, account, request, event))
    _all_there(room, request)


def _verify(room: Room, event: Event, digest: bytes) -> Registered:
    policy = room.policy
    try:
        registration = parse_registration(event.evidence or {})
    except InputError as error:
        deny("response", error.reason)
    expected = Expected(policy.party.id, policy.party.origins, digest)
    taken = {decode(key.id) for key in room.rows.find(HardwareKey)}
    return verify_registration(registration, expected, policy.models, taken=taken, at=event.at)


def _need_waiting(room: Room, request: str, account: str, at: datetime) -> None:
    if request == FOUNDING:
        person = room.person(account)
        if person.state != "founder" or room.approvals(FOUNDING):
            deny("founding", "the founders sign already, or this is none of them")
        if len(room.keys(account, "proposed")) >= MOST_KEYS:
            deny("keys", f"a founder has up to {MOST_KEYS} keys")
    else:
        waiting = room.request(request)
        if waiting.state != "keys":  # nobody slips one in among those that its holder has registered
            deny("request", f"the request {request} does not wait for keys")
        if at >= waiting.expires:
            deny("request", f"the request {request} has run out")
        if waiting.subject.get("account") != account:
            deny("account", f"the request {request} is about another account")


def _need_new(room: Room, registered: Registered, account: str) -> None:
    """One key, one person: no public key and no unique attestation is there twice."""
    for other in room.rows.find(HardwareKey):
        if other.fingerprint == registered.fingerprint:
            whose = "this account" if other.account == account else "another account"
            deny("registered", f"this hardware key is registered already, for {whose}")
        if registered.model.unique and other.attestation == registered.attestation:
            deny("same-hardware", "a credential of this very piece of hardware is registered already")


def _key(registered: Registered, account: str, request: str, event: Event) -> HardwareKey:
    return HardwareKey(
        id=encode(registered.credential.id),
        state="proposed",
        account=account,
        request=request,
        cose=encode(registered.credential.cose),
        fingerprint=registered.fingerprint,
        aaguid=aaguid_text(registered.model.aaguid),
        model=registered.model.name,
        attestation=registered.attestation,
        root=registered.root,
        unique=registered.model.unique,
        counter=registered.counter,
        since=event.at,
    )


def proposed(room: Room, request: Request) -> list[HardwareKey]:
    """Keys that were registered for a request."""
    account = str(request.subject.get("account", ""))
    return [key for key in room.keys(account, "proposed") if key.request == request.id]


def _all_there(room: Room, identity: str) -> None:
    request = room.rows.get(Request, identity)
    if request is None or request.state != "keys":
        return
    needed = room.policy.people.least_keys if request.kind == "enrol" else 1
    if len(proposed(room, request)) >= needed:
        room.rows.put(replace(request, state="open"))


def suspect(room: Room, event: Event) -> None:
    """The counter of a key went back: there may be a copy. It is not used again, and what it did is ended."""
    key = _known(room, event)
    if key.state == "active":
        room.rows.put(replace(key, state="suspect"))
        _undo(room, key, event, "its counter went back")


def lost(room: Room, event: Event) -> None:
    """A key was lost or stolen, at a time that is known or feared. Whatever it has approved, asked for or
    opened since then is undone."""
    room.need_open()
    event.who()
    key = _known(room, event)
    if key.state not in ("active", "suspect"):
        deny("key-state", f"the key is {key.state}")
    since = moment(event.text("since"))
    if since > event.at:
        deny("document", "a key cannot have been lost in the future")
    room.rows.put(replace(key, state="lost"))
    _undo(room, key, event, "the key was lost", since)


def _known(room: Room, event: Event) -> HardwareKey:
    key = room.rows.get(HardwareKey, event.text("credential"))
    if key is None:
        deny("credential", "there is no such hardware key")
    return key


def _undo(room: Room, key: HardwareKey, event: Event, reason: str, since: datetime | None = None) -> None:
    """Take back what a key has done since then: whoever held it may have been somebody else."""
    touched = set()
    for approval in list(room.rows.find(Approval, state="given")):
        if approval.credential == key.id and (since is None or approval.at >= since):
            room.rows.put(replace(approval, state="void"))
            touched.add(approval.request)
    for request in room.rows.find(Request):
        asked = request.credential == key.id and (since is None or request.created >= since)
        if asked or request.id in touched:
            _undo_request(room, request, event, reason, asked)
    for grant in room.rows.find(Grant, state="granted"):
        used = key.id in grant.credentials and (since is None or grant.begins >= since)
        if (used or grant.id in touched) and event.at < grant.ends:
            room.end_grant(grant, "revoked", reason)
    for session in list(room.sessions(account=key.account)):
        if session.credential == key.id:
            room.end_session(session, reason)


def _undo_request(room: Room, request: Request, event: Event, reason: str, asked: bool) -> None:
    """What is open is denied if the key has asked for it, and waits for another approval if it has approved.
    What is done is undone, as far as that takes rights away: a policy that came in stays in force. So is what
    was done with rights that came of it."""
    if request.state in ("open", "keys"):
        if asked:
            room.rows.put(replace(request, state="denied"))
            drop(room, request)
        return
    account = str(request.subject.get("account", ""))
    person = room.rows.get(Person, account)
    if request.state != "done" or person is None:
        return
    if request.kind in ("enrol", "reinstate", "screening") and person.state == "active":
        room.rows.put(replace(person, state="suspended", since=event.at))
        room.end_person(account, reason, event.at)
        for other in room.keys(account):
            _undo(room, other, event, reason, request.created)
    if request.kind == "key":
        for other in room.keys(account):
            if other.request == request.id:
                room.rows.put(replace(other, state="suspect"))
                _undo(room, other, event, reason)
    if request.kind == "workstation":
        for one in room.rows.find(Workstation, about=account, state="active"):
            if one.id == request.subject.get("workstation"):
                room.rows.put(replace(one, state="retired"))


def described(keys: list[HardwareKey]) -> list[Mapping[str, str]]:
    """Keys as documents name them."""
    return [{"fingerprint": key.fingerprint, "model": key.model} for key in keys]


def activate(room: Room, request: Request) -> None:
    """Take the keys of a request into use."""
    for key in proposed(room, request):
        room.rows.put(replace(key, state="active"))


def drop(room: Room, request: Request) -> None:
    """Retire the keys of a request that was denied."""
    for key in proposed(room, request):
        room.rows.put(replace(key, state="retired"))
