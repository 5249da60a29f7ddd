"""What an event was about, and what has become of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immure.access.records import Grant, HardwareKey, Person, Record, Request, Session, Workstation
from immure.access.room import FOUNDING, Event, Room

#: Which record an act is about, and the member of the document that names it.
_ABOUT: Mapping[str, tuple[type[Record], str]] = {
    "request": (Request, "request"),
    "deny": (Request, "request"),
    "enter": (Session, "session"),
    "sign-in": (Session, "session"),
    "revoke": (Grant, "grant"),
    "close": (Grant, "grant"),
    "break-glass": (Grant, "grant"),
    "review": (Grant, "grant"),
    "suspend": (Person, "subject"),
    "leave": (Person, "subject"),
    "lost-key": (HardwareKey, "credential"),
    "retire": (Workstation, "workstation"),
}


def subject_of(room: Room, event: Event) -> tuple[str, str]:
    """The id of what an event was about, and its state now."""
    document = event.document
    if event.act == "found":
        return FOUNDING, "open" if room.open else "founding"
    if event.act == "register":
        return _request(room, str(document["request"]))
    if event.act == "approve":
        plain: Mapping[str, Any] = document["request"]
        return _request(room, str(plain["id"]))
    kind, name = _ABOUT[event.act]
    identity = str(document[name])
    found = room.rows.get(kind, identity)
    if isinstance(found, Grant) and event.act == "review":
        return identity, found.verdict or "unreviewed"
    return identity, "" if found is None else found.state


def _request(room: Room, identity: str) -> tuple[str, str]:
    found = room.rows.get(Request, identity)
    return identity, "founding" if found is None else found.state
