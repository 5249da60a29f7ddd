"""Sessions: a person is in, on one workstation, for as long as the grant lasts."""

from __future__ import annotations

import re

from immure.access.ids import is_id
from immure.access.live import grant_fault
from immure.access.protection import protection_fault
from immure.access.records import Session, Workstation
from immure.access.room import Event, Room, deny

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


def enter(room: Room, event: Event) -> None:
    """A person goes in, with a fresh assertion, from a workstation of theirs."""
    room.need_open()
    actor, key = event.who()
    grant = room.grant(event.text("grant"))
    identity, workstation, secret = event.text("session"), event.text("workstation"), _secret(event)
    if grant.account != actor.id:
        deny("person", f"the grant is that of {grant.account}")
    fault = grant_fault(room, grant, event.at)
    if fault is not None:
        deny(*fault)
    known = _workstation(room, workstation, event)
    unprotected = protection_fault(room, workstation)
    if unprotected is not None:
        deny("tpm", unprotected)
    _new(room, identity)
    ends = min(grant.ends, event.at + room.policy.session, known.ends)
    room.rows.put(
        Session(identity, "open", secret, grant.id, actor.id, workstation, key.id, event.at, ends, "")
    )


def _secret(event: Event) -> str:
    """The digest of what the session is known by, which is drawn when the ceremony is completed; while it
    is rehearsed there is none yet."""
    secret = "0" * 64 if event.extra is None else event.extra.get("secret")
    if not isinstance(secret, str) or not _HEX.fullmatch(secret):
        deny("document", "a session without a secret")
    return secret


def sign_in(room: Room, event: Event) -> None:
    """A person signs in to look at the room's page: which requests there are, what they say. It lets nobody
    do anything; every act there takes the hardware key again. It may be bound to a workstation."""
    room.need_open()
    actor, key = event.who()
    identity, workstation, secret = event.text("session"), event.text("workstation"), _secret(event)
    ends = event.at + room.policy.session
    if workstation:
        ends = min(ends, _workstation(room, workstation, event).ends)
    _new(room, identity)
    room.rows.put(Session(identity, "open", secret, "", actor.id, workstation, key.id, event.at, ends, ""))


def _workstation(room: Room, digest: str, event: Event) -> Workstation:
    actor, _ = event.who()
    known = room.rows.get(Workstation, digest)
    if known is None or known.account != actor.id or known.state != "active" or event.at >= known.ends:
        deny("workstation", f"this is no workstation of {actor.id}")
    return known


def _new(room: Room, identity: str) -> None:
    if not is_id(identity) or room.rows.get(Session, identity) is not None:
        deny("document", "not a session, or there is one of its id")


def end(room: Room, event: Event) -> None:
    """A session ends before its time."""
    session = room.rows.get(Session, event.text("session"))
    if session is None or session.state != "open":
        deny("session", "there is no such session, or it has ended")
    room.end_session(session, event.text("reason")[:500])
