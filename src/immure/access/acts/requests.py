"""Requests, and the approvals without which nothing comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from immure.access.acts import keys
from immure.access.acts.subjects import KINDS
from immure.access.ids import is_id
from immure.access.names import same_person
from immure.access.records import Approval, Grant, HardwareKey, Person, Request, to_plain
from immure.access.room import Event, Room, deny


def request(room: Room, event: Event) -> None:
    """Somebody asks for something."""
    room.need_open()
    actor, key = event.who()
    kind, identity, subject = event.text("kind"), event.text("request"), event.document.get("subject")
    if kind not in KINDS or not isinstance(subject, Mapping) or not is_id(identity):
        deny("document", "not a request of a kind that there is")
    if room.rows.get(Request, identity) is not None or room.rows.get(Grant, identity) is not None:
        deny("document", f"there is a request or a grant {identity} already")
    terms = KINDS[kind][0](room, event, subject)
    room.rows.put(
        Request(
            id=identity,
            state="keys" if terms.keys_first else "open",
            kind=kind,
            account=actor.id,
            person=actor.person,
            credential=key.id,
            subject=subject,
            needed=terms.needed,
            level=terms.level,
            roles=terms.roles,
            created=event.at,
            expires=event.at + room.policy.people.open_for,
        )
    )


def approval_document(room: Room, one: Request) -> dict[str, Any]:
    """What an approver signs: the whole request, and the keys that come in with it."""
    plain = {name: value for name, value in to_plain(one).items() if name != "state"}
    return {"request": plain, "keys": keys.described(keys.proposed(room, one))}


def approve(room: Room, event: Event) -> None:
    """Somebody approves; with the last approval that is needed it takes effect."""
    one, actor, key = _open_request(room, event)
    wanted = approval_document(room, one)
    if event.document.get("request") != wanted["request"] or event.document.get("keys") != wanted["keys"]:
        deny("changed", "what was signed is not the request as it is now")
    check_approver(room, one, actor, key)
    identity = f"{one.id}/{actor.person}"
    room.rows.put(Approval(identity, "given", one.id, actor.id, actor.person, key.id, event.at))
    if len(room.standing(one, event.at)) >= one.needed:
        _check_still(room, one, event)
        room.rows.put(replace(one, state="done"))
        KINDS[one.kind][1](room, event, one)


def deny_request(room: Room, event: Event) -> None:
    """Anybody but a stranger can deny a request, also who has made it: then it is over."""
    room.need_open()
    event.who()
    one = room.request(event.text("request"))
    if one.state not in ("open", "keys"):
        deny("request", f"the request {one.id} is {one.state}")
    room.rows.put(replace(one, state="denied"))
    keys.drop(room, one)


def _open_request(room: Room, event: Event) -> tuple[Request, Person, HardwareKey]:
    room.need_open()
    actor, key = event.who()
    plain = event.document.get("request")
    one = room.request(str(plain.get("id")) if isinstance(plain, Mapping) else "")
    if one.state != "open":
        words = "waits for hardware keys" if one.state == "keys" else f"is {one.state}"
        deny("request", f"the request {one.id} {words}")
    if event.at >= one.expires:
        deny("request", f"the request {one.id} has run out")
    return one, actor, key


def check_approver(room: Room, one: Request, actor: Person, key: HardwareKey) -> None:
    """Whether somebody may approve a request, with this key; says no if not."""
    if actor.id == one.account or same_person(actor.person, one.person):
        deny("self", f"{actor.id} has asked for it: nobody approves what they ask for")
    if actor.id == one.subject.get("account") or same_person(actor.person, str(one.subject.get("person"))):
        deny("self", f"{actor.id} is whom it is about")
    fault = room.approver_fault(actor, one)
    if fault is not None:
        deny(*fault)
    for other in room.approvals(one.id):
        if same_person(other.person, actor.person) or other.account == actor.id:
            deny("approved", f"{other.account} has approved it already")
        if same_hardware(room, other.credential, key):
            deny("same-hardware", f"{other.account} has approved with this very key")
    if same_hardware(room, one.credential, key):
        deny("same-hardware", f"{one.account} has asked with this very key")


def same_hardware(room: Room, credential: str, key: HardwareKey) -> bool:
    """Whether two credentials are known to be on one piece of hardware."""
    other = room.rows.get(HardwareKey, credential)
    if other is None or credential == key.id or other.fingerprint == key.fingerprint:
        return True
    return key.unique and other.unique and key.attestation == other.attestation


def _check_still(room: Room, one: Request, event: Event) -> None:
    """Whether it may still be asked for: by this person, with this key, under this policy, now."""
    asker = room.person(one.account)
    fault = room.person_fault(asker, event.at)
    if fault is not None:
        deny(*fault)
    key = room.rows.get(HardwareKey, one.credential)
    unusable = "the key is not there" if key is None else room.key_fault(key)
    if unusable is not None:
        deny("key-state", f"{asker.id} has asked with a key that may not be used any more: {unusable}")
    terms = KINDS[one.kind][0](room, replace(event, actor=asker, key=key), one.subject)
    if (terms.needed, terms.level, terms.roles) != (one.needed, one.level, one.roles):
        deny("policy", "the policy has changed since it was asked for: ask again")
