"""One entry of the log, taken in: who has signed it, may they, and what comes of it.

The same function lets a new event in and reads old ones back: what it refuses can be in no log of a door
that was honest, and whoever holds the log's key still cannot make an approval, which takes a hardware key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from immure.access.acts import SAFE, SIGNED, SYSTEM
from immure.access.document import PATIENCE, VERSION, challenge
from immure.access.errors import AccessError
from immure.access.records import HardwareKey, Person
from immure.access.room import Event, Room, deny
from immure.access.texts import decode, encode, moment
from immure.access.webauthn.assertion import Expected, Known, verify_assertion
from immure.access.webauthn.response import Assertion, parse_assertion
from immure.errors import InputError

#: What the kinds of entries begin with.
PREFIX: Final = "access."


def step(room: Room, kind: str, body: Mapping[str, Any]) -> Event:
    """Take an entry in.

    Args:
        room: whose rows are changed, in a transaction of the caller's.
        kind: of the entry, ``access.ACT``.
        body: ``document`` (what), ``at`` (when), and for what people sign ``assertion``, for keys that are
            registered ``registration``.

    Raises:
        DeniedError: it may not be; the caller rolls back.
        AccessError: it is no entry of a door.
    """
    act, document, at = kind.removeprefix(PREFIX), body.get("document"), body.get("at")
    if not kind.startswith(PREFIX) or not isinstance(document, Mapping) or not isinstance(at, str):
        raise AccessError(f"{kind}: not an entry of a door")
    if document.get("act") != act:
        raise AccessError(f"{kind}: the document is of another act")
    extra = body.get("extra")
    event = Event(act, document, moment(at), extra=extra if isinstance(extra, Mapping) else {})
    if act in SIGNED:
        event = authenticated(room, event, body.get("assertion"))
        SIGNED[act](room, event)
    elif act in SYSTEM:
        SYSTEM[act](room, replace(event, evidence=body.get("registration")))
    else:
        raise AccessError(f"{kind}: an act that this version does not know")
    return event


def rehearse(room: Room, document: Mapping[str, Any], at: datetime) -> list[HardwareKey]:
    """The keys with which a document may be signed; says no if it would be refused, whichever signs it.

    The caller rolls back: it changes rows.
    """
    act, account = str(document.get("act")), str(document.get("account"))
    actor = room.person(account)
    keys = _keys(room, act, actor)
    _check_person(room, act, actor, at)
    if not keys:
        deny("keys", f"{account} has no hardware key that may be used")
    SIGNED[act](room, Event(act, document, at, actor, keys[0]))
    return keys


def authenticated(room: Room, event: Event, response: Any) -> Event:
    """The event with whoever has signed its document, if they may act in the room now."""
    actor = room.person(event.text("account"))
    issued = moment(event.text("issued"))
    if event.document.get("v") != VERSION or event.document.get("room") != room.id:
        deny("room", "signed for another room, or another version of this program")
    if not issued <= event.at <= issued + PATIENCE:
        deny("stale", "the ceremony was begun too long ago")
    try:
        assertion = parse_assertion(response if isinstance(response, Mapping) else {})
    except InputError as error:
        deny("response", error.reason)
    key = _key(room, event.act, actor, assertion)
    digest = challenge(event.document)
    if not room.rows.use(encode(digest)):  # before the counter, which would say that the key was copied
        deny("replayed", "this assertion was used already")
    counter = _verify(room, actor, key, assertion, digest)
    _check_person(room, event.act, actor, event.at)
    key = replace(key, counter=counter)
    room.rows.put(key)
    return replace(event, actor=actor, key=key)


def _verify(room: Room, actor: Person, key: HardwareKey, assertion: Assertion, digest: bytes) -> int:
    party = room.policy.party
    known = Known(decode(key.id), decode(actor.handle), decode(key.cose), key.counter)
    return verify_assertion(assertion, Expected(party.id, party.origins, digest), known)


def _key(room: Room, act: str, actor: Person, assertion: Assertion) -> HardwareKey:
    """Steps 5 and 6 of section 7.2: the key is one of this account's."""
    key = room.rows.get(HardwareKey, encode(assertion.id))
    if key is None:
        deny("credential", "there is no such hardware key")
    if key.account != actor.id:
        deny("credential", "this is a hardware key of another account")
    fault = _key_fault(room, act, key)
    if fault is not None:
        deny("key-state", fault)
    return key


def _keys(room: Room, act: str, actor: Person) -> list[HardwareKey]:
    if act == "found":
        return room.keys(actor.id, "proposed")
    return [key for key in room.keys(actor.id) if _key_fault(room, act, key) is None]


def _key_fault(room: Room, act: str, key: HardwareKey) -> str | None:
    if act == "found":
        return None if key.state == "proposed" else f"the key is {key.state}"
    return room.key_fault(key)


def _check_person(room: Room, act: str, actor: Person, at: datetime) -> None:
    if act == "found":
        if actor.state != "founder":
            deny("person", f"{actor.id} is {actor.state}, not a founder")
        return
    room.need_open()
    if act in SAFE:
        if actor.state != "active":
            deny("person", f"{actor.id} is {actor.state}")
        return
    fault = room.person_fault(actor, at)
    if fault is not None:
        deny(*fault)
