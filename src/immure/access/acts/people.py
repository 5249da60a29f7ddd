"""People who may not come in any more."""

from __future__ import annotations

from dataclasses import replace

from immure.access.records import Person
from immure.access.room import Event, Room, deny


def suspend(room: Room, event: Event) -> None:
    """Suspend a person: their grants are revoked, their sessions ended, at once. Two others can undo it."""
    person = _subject(room, event)
    if person.state != "active":
        deny("person", f"{person.id} is {person.state}")
    _end(room, event, person, "suspended")


def leave(room: Room, event: Event) -> None:
    """A person leaves, for good: the account is never used again."""
    person = _subject(room, event)
    if person.state == "left":
        deny("person", f"{person.id} has left already")
    _end(room, event, person, "left")
    for key in [*room.keys(person.id), *room.keys(person.id, "suspect"), *room.keys(person.id, "proposed")]:
        room.rows.put(replace(key, state="retired"))


def _subject(room: Room, event: Event) -> Person:
    room.need_open()
    event.who()
    if not event.text("reason").strip():
        deny("reason", "a reason is needed")
    return room.person(event.text("subject"))


def _end(room: Room, event: Event, person: Person, state: str) -> None:
    room.rows.put(replace(person, state=state, since=event.at))
    room.end_person(person.id, f"{person.id} {state}: {event.text('reason')}"[:500], event.at)
