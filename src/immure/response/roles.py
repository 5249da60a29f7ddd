"""Who may do what in an incident, and who has approved what: both follow from the timeline.

The record knows people by the names that they give. That nobody gives another's name is for the machine on
which the program runs to see to; the log shows what was written, and by whom it was said to be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from immure.response.errors import FormError, RoleError
from immure.response.timeline import Entry, JsonValue, standing

#: Roles, and what each is for.
ROLES: Final = {
    "lead": "decides, and gives roles; whoever opens the incident has it",
    "approver": "approves what leaves the house",
    "responder": "collects evidence and contains",
    "communicator": "writes to customers and regulators",
    "observer": "reads",
}


def roles_of(entries: Iterable[Entry]) -> dict[str, frozenset[str]]:
    """People by role, as the timeline leaves them."""
    found: dict[str, set[str]] = {role: set() for role in ROLES}
    for entry in standing(entries, "role"):
        people = found.setdefault(str(entry.body.get("role", "")), set())
        person = str(entry.body.get("person", ""))
        if entry.body.get("granted") is True:
            people.add(person)
        else:
            people.discard(person)
    return {role: frozenset(people) for role, people in found.items()}


def approvals_of(entries: Iterable[Entry], subject: str) -> frozenset[str]:
    """The people who have approved ``subject``, each of whom was an approver when they did.

    An approval that was corrected is withdrawn.
    """
    known = tuple(entries)
    stands = {entry.sequence for entry in standing(known, "approval") if entry.kind == "approval"}
    found = set()
    for place, entry in enumerate(known):
        if entry.sequence not in stands or entry.body.get("subject") != subject:
            continue
        if entry.actor in roles_of(known[:place])["approver"]:
            found.add(entry.actor)
    return frozenset(found)


def check_role(entries: Iterable[Entry], body: Mapping[str, JsonValue], actor: str) -> None:
    """See that ``actor`` may write this entry of kind ``role``.

    Raises:
        FormError: there is no such role, or nobody is named.
        RoleError: the actor is no lead, or nobody would be left who is.
    """
    role, person, granted = body.get("role"), body.get("person"), body.get("granted")
    if role not in ROLES:
        raise FormError(f"no role: {str(role)[:40]!a}; roles are {', '.join(ROLES)}")
    if not isinstance(person, str) or not person or not person.isprintable() or len(person) > 200:
        raise FormError("a role is given to a person, named in a line")
    if not isinstance(granted, bool):
        raise FormError("a role is granted (true) or taken away (false)")
    leads = roles_of(entries)["lead"]
    if leads and actor not in leads:
        raise RoleError(f"{actor} is no lead of this incident, and only a lead gives roles")
    if role == "lead" and not granted and leads == {person}:
        raise RoleError(f"{person} is the only lead; make another one first")


def check_approval(entries: Iterable[Entry], body: Mapping[str, JsonValue], actor: str) -> None:
    """See that ``actor`` may write this approval.

    Raises:
        FormError: it does not say of what.
        RoleError: the actor is no approver.
    """
    subject = body.get("subject")
    if not isinstance(subject, str) or not subject:
        raise FormError("an approval names the digest of what is approved ('subject')")
    if actor not in roles_of(entries)["approver"]:
        raise RoleError(f"{actor} is no approver of this incident: a lead gives that role")
