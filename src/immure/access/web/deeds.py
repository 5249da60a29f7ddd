"""What can be done on the page: for each deed its form, and how it begins.

What the door can do and the page cannot (screenings, workstations, policies, suspensions) is done by
``immure access``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.room import FOUNDING, deny
from immure.access.web.wire import WireError

Values = Mapping[str, str]
#: Door, who is signed in, what the form says, workstation (SHA-256 of its certificate, or empty).
Begin = Callable[[Door, str, Values, str], Ceremony]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form; ``kind`` is ``text``, ``long``, ``number``, ``date`` or ``choice``."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    value: str = ""
    choices: tuple[str, ...] = ()
    needed: bool = True
    complete: str = "off"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person does: ``alone`` if nobody needs to have signed in."""

    title: str
    lead: str
    fields: tuple[Field, ...]
    begin: Begin
    alone: bool = False


def deed_of(name: str) -> Deed:
    """The deed of that name; raises WireError if there is none."""
    found = DEEDS.get(name)
    if found is None:
        raise WireError(404, "there is no such page")
    return found


def _hours(values: Values) -> int:
    text = values.get("hours", "")
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        deny("hours", "hours are a whole number")
    return int(text)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _sign_in(door: Door, _: str, values: Values, workstation: str) -> Ceremony:
    return door.begin_sign_in(values["account"], workstation=workstation)


def _request(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.request_grant(
        account,
        resource=values["resource"],
        actions=_words(values["actions"]),
        purpose=values["purpose"],
        ticket=values["ticket"],
        hours=_hours(values),
    )


def _enrol(door: Door, account: str, values: Values, _: str) -> Ceremony:
    screening = {name: values[name] for name in ("attester", "level", "reference")}
    days = {name: f"{values[name]}T00:00:00Z" for name in ("screened", "expires")}
    return door.request_enrolment(
        account,
        new=values["account"],
        person=values["person"],
        roles=_words(values["roles"]),
        screening={**screening, **days},
    )


def _key(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_request(account, "key", {"account": values["account"]})


def _register(door: Door, _: str, values: Values, __: str) -> Ceremony:
    if values["request"] == FOUNDING:
        deny("founding", "keys of founders are registered in a terminal: immure access key enrol")
    return door.begin_registration(values["account"], values["request"])


def _approve(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_approval(account, values["request"])


def _deny(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_denial(account, values["request"])


def _glass(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_break_glass(
        account,
        resource=values["resource"],
        actions=_words(values["actions"]),
        reason=values["reason"],
        hours=_hours(values),
    )


def _review(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_review(account, values["grant"], verdict=values["verdict"], reason=values["reason"])


def _revoke(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_revocation(account, values["grant"], values["reason"])


def _close(door: Door, account: str, values: Values, _: str) -> Ceremony:
    return door.begin_closing(account, values["grant"])


def _enter(door: Door, account: str, values: Values, workstation: str) -> Ceremony:
    if not workstation:
        deny("workstation", "this connection shows no certificate of a workstation")
    return door.begin_session(account, values["grant"], workstation=workstation)


_ACCOUNT = Field("account", "Account", "Of this room, as in prd-ada.", complete="username webauthn")
_RESOURCE = Field("resource", "What", "KIND:NAME, as in room:debug or dump:9f86d081.")
_ACTIONS = Field("actions", "To do what", "As in enter; several with blanks between them.")
_GRANT = Field("grant", "Grant", "Its id.")
_REQUEST = Field("request", "Request", "Its id.")
_REASON = Field("reason", "Reason", "At least 8 characters.", "long")

DEEDS: Final[Mapping[str, Deed]] = {
    "sign-in": Deed(
        "Sign in", "To look. Whatever you do then takes your key again.", (_ACCOUNT,), _sign_in, alone=True
    ),
    "request": Deed(
        "Ask for a grant",
        "Others approve it, each with their own key. It begins with the last approval.",
        (
            _RESOURCE,
            _ACTIONS,
            Field("purpose", "Because", "At least 8 characters.", "long"),
            Field("ticket", "Ticket", needed=False),
            Field("hours", "For how many hours", kind="number", value="1"),
        ),
        _request,
    ),
    "enrol": Deed(
        "Enrol a person",
        "They register their keys next, and then others approve. Results of the screening are not asked for.",
        (
            Field("account", "New account", "As in prd-alan."),
            Field("person", "Person", "What whoever screens calls them; no mail address."),
            Field("roles", "Roles", "With blanks between them.", needed=False),
            Field("attester", "Who attests the screening"),
            Field("level", "Level of the screening"),
            Field("screened", "Screened on", kind="date"),
            Field("expires", "Good until", kind="date"),
            Field("reference", "Reference", "Where the results are."),
        ),
        _enrol,
    ),
    "key": Deed(
        "Ask for one more hardware key",
        "It is registered next, and then others approve.",
        (Field("account", "Whose", "An account of this room."),),
        _key,
    ),
    "register": Deed(
        "Register a hardware key",
        "It can do nothing until others have approved it.",
        (_ACCOUNT, _REQUEST),
        _register,
        alone=True,
    ),
    "approve": Deed("Approve a request", "Read what it says.", (_REQUEST,), _approve),
    "deny": Deed("Deny a request", "Then it is over.", (_REQUEST,), _deny),
    "break-glass": Deed(
        "Break the glass",
        "For emergencies: you go in without approval, everybody is alarmed, and others review it.",
        (_RESOURCE, _ACTIONS, _REASON, Field("hours", "For how many hours", kind="number", value="1")),
        _glass,
    ),
    "review": Deed(
        "Review what was done behind broken glass",
        "Say whether it was justified. One who says no ends it at once.",
        (
            _GRANT,
            Field("verdict", "Verdict", kind="choice", choices=("justified", "not-justified")),
            _REASON,
        ),
        _review,
    ),
    "revoke": Deed(
        "Revoke a grant", "Its sessions end and its certificates are revoked.", (_GRANT, _REASON), _revoke
    ),
    "close": Deed("Give a grant back", "Your sessions on it end.", (_GRANT,), _close),
    "enter": Deed("Go in", "From this workstation.", (_GRANT,), _enter),
}
