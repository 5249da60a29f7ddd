"""How a room begins: nobody is there yet who could approve anybody, so all founders approve all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from immure.access.acts.screening import new_person
from immure.access.policy import LEAST_FOUNDERS
from immure.access.records import Approval, Fact, Person, to_plain
from immure.access.room import FOUNDING, Event, Room, deny, read_policy

#: What is said of each founder: all that was written down of them.
_LISTED = ("person", "handle", "roles", "attester", "level", "screened", "expires", "reference")


def create(room: Room, event: Event) -> None:
    """The first entry: the room's id, and its policy."""
    if room.fact("room") is not None:
        deny("founding", "there is a room already")
    policy = read_policy(event.text("policy"))
    room.rows.put(Fact("room", "founding", {"id": event.text("room")}))
    room.rows.put(Fact("policy", "in force", {"text": event.text("policy"), "sha256": policy.sha256}))


def founder(room: Room, event: Event) -> None:
    """A founder is named; their keys are registered next, and then all founders sign."""
    _need_founding(room)
    room.rows.put(new_person(room, event.document, event.at, "founder"))


def found(room: Room, event: Event) -> None:
    """A founder signs the list of all founders, their keys, and the policy. With the last one the room is
    open."""
    if room.open:
        deny("founding", "the room is open already")
    actor, key = event.who()
    listed = founding_list(room)
    if (
        event.document.get("founders") != listed["founders"]
        or event.document.get("policy") != listed["policy"]
    ):
        deny("changed", "the founders, their keys or the policy are others than those that were signed")
    fault = founding_fault(room)
    if fault is not None:
        deny("founding", fault)
    identity = f"{FOUNDING}/{actor.id}"
    if room.rows.get(Approval, identity) is not None:
        deny("approved", f"{actor.id} has signed already")
    room.rows.put(Approval(identity, "given", FOUNDING, actor.id, actor.person, key.id, event.at))
    founders = list(room.rows.find(Person, state="founder"))
    if len(room.approvals(FOUNDING)) == len(founders):
        _open(room, founders)


def founding_list(room: Room) -> dict[str, Any]:
    """What founders sign."""
    people = []
    for person in room.rows.find(Person, state="founder"):
        keys = [{"fingerprint": key.fingerprint, "model": key.model} for key in _keys(room, person)]
        plain = to_plain(person)
        about = {name: plain[name] for name in _LISTED}
        people.append({"account": person.id, **about, "keys": keys})
    policy: Mapping[str, Any] = room.fact("policy") or {}
    return {"founders": people, "policy": policy.get("sha256", "")}


def founding_fault(room: Room) -> str | None:
    """Why founders cannot sign yet."""
    founders = list(room.rows.find(Person, state="founder"))
    if len(founders) < LEAST_FOUNDERS:
        return f"there are {len(founders)} founders; a request needs {LEAST_FOUNDERS} people"
    if sum(room.policy.people.lets_approve(person) for person in founders) < LEAST_FOUNDERS:
        return f"fewer than {LEAST_FOUNDERS} founders have the level and role to approve who comes in"
    least = room.policy.people.least_keys
    for person in founders:
        if len(_keys(room, person)) < least:
            return f"{person.id} has not registered {least} hardware keys"
    return None


def _keys(room: Room, person: Person) -> list[Any]:
    return [key for state in ("proposed", "active") for key in room.keys(person.id, state)]


def _open(room: Room, founders: list[Person]) -> None:
    for person in founders:
        room.rows.put(replace(person, state="active"))
        for key in room.keys(person.id, "proposed"):
            room.rows.put(replace(key, state="active"))
    room.rows.put(Fact("room", "open", room.fact("room") or {}))


def _need_founding(room: Room) -> None:
    if room.open:
        deny("founding", "the room is open: others are enrolled by a request")
    if room.approvals(FOUNDING):
        deny("founding", "a founder has signed: nothing is added to what the others will sign")
