"""Screening records: who attested what level, when, until when. Results are not asked for, and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from immure.access.names import parse_account, parse_person, parse_roles, same_person
from immure.access.records import Person
from immure.access.room import Room, deny
from immure.access.texts import decode, moment
from immure.errors import InputError, UsageError

_MEMBERS = {"attester", "level", "screened", "expires", "reference"}
_LONGEST = timedelta(days=366 * 10)
_MOST_TEXT = 200


def new_person(room: Room, document: Mapping[str, Any], at: datetime, state: str) -> Person:
    """The person that a document names; says no if the account or the human being is there already."""
    members = {name: document.get(name) for name in ("account", "person", "handle", "roles")}
    account, person, roles = _names(room, members)
    if room.rows.get(Person, account) is not None:
        deny("account", f"there is an account {account} already, or was")
    for other in room.rows.find(Person):
        if other.state != "left" and same_person(other.person, person):
            deny("same-person", f"{person} has the account {other.id} already: one human being, one account")
    handle = members["handle"]
    if not isinstance(handle, str) or len(decode(handle)) != 32:
        deny("document", "the user handle is not 32 random bytes")
    screening = parse_screening(room, document.get("screening"), at)
    return Person(account, state, person, handle, roles, since=at, **screening)


def _names(room: Room, members: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    try:
        account = parse_account(str(members["account"]), room.policy.namespace)
    except UsageError as error:
        deny("namespace", error.reason)
    try:
        return account, parse_person(str(members["person"])), parse_roles(members["roles"])
    except UsageError as error:
        deny("document", error.reason)


def parse_screening(room: Room, screening: Any, at: datetime) -> dict[str, Any]:
    """The members of a screening record, for a :class:`Person`; says no if it is not one that counts now."""
    if not isinstance(screening, Mapping) or set(screening) != _MEMBERS:
        deny("screening", f"a screening record has {', '.join(sorted(_MEMBERS))}, and nothing else")
    texts = {name: screening[name] for name in _MEMBERS}
    if not all(isinstance(text, str) and 0 < len(text) <= _MOST_TEXT for text in texts.values()):
        deny("screening", f"the members of a screening record are texts of 1 to {_MOST_TEXT} characters")
    levels = room.policy.people.levels
    if texts["level"] not in levels:
        deny("screening", f"there are the levels {', '.join(levels)}")
    try:
        screened, expires = moment(texts["screened"]), moment(texts["expires"])
    except InputError as error:
        deny("screening", error.reason)
    if not screened <= at < expires <= screened + _LONGEST:
        deny(
            "screening", "a screening record that is of the future, has run out, or is for more than 10 years"
        )
    return {
        "attester": texts["attester"],
        "level": texts["level"],
        "screened": screened,
        "expires": expires,
        "reference": texts["reference"],
    }
