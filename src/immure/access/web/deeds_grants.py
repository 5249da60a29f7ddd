"""Deeds about requests and grants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.room import deny
from immure.access.web.forms import REASON, Deed, Field, Here, Values, whole_number, words_of


def _request(door: Door, here: Here, values: Values) -> Ceremony:
    return door.request_grant(
        here.account,
        resource=values["resource"],
        actions=words_of(values["actions"]),
        purpose=values["purpose"],
        ticket=values["ticket"],
        hours=whole_number(values, "hours"),
    )


def _approve(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_approval(here.account, values["request"])


def _deny(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_denial(here.account, values["request"])


def _glass(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_break_glass(
        here.account,
        resource=values["resource"],
        actions=words_of(values["actions"]),
        reason=values["reason"],
        hours=whole_number(values, "hours"),
    )


def _review(door: Door, here: Here, values: Values) -> Ceremony:
    verdict, reason = values["verdict"], values["reason"]
    return door.begin_review(here.account, values["grant"], verdict=verdict, reason=reason)


def _revoke(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_revocation(here.account, values["grant"], values["reason"])


def _close(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_closing(here.account, values["grant"])


def _enter(door: Door, here: Here, values: Values) -> Ceremony:
    if not here.workstation:
        deny("workstation", "this connection shows no certificate of a workstation")
    return door.begin_session(here.account, values["grant"], workstation=here.workstation)


_RESOURCE: Final = Field("resource", "What", "KIND:NAME, as in room:debug or dump:9f86d081.")
_ACTIONS: Final = Field("actions", "To do what", "As in enter; several with blanks between them.")
_HOURS: Final = Field("hours", "For how many hours", kind="number", value="1")
_GRANT: Final = Field("grant", "Grant", "Its id.")
_REQUEST: Final = Field("request", "Request", "Its id.")

GRANT_DEEDS: Final[Mapping[str, Deed]] = {
    "request": Deed(
        "Ask for a grant",
        "Others approve it, each with their own key. It begins with the last approval.",
        (
            _RESOURCE,
            _ACTIONS,
            Field("purpose", "Because", "At least 8 characters.", "long"),
            Field("ticket", "Ticket", needed=False),
            _HOURS,
        ),
        _request,
    ),
    "approve": Deed("Approve a request", "Read what it says.", (_REQUEST,), _approve),
    "deny": Deed("Deny a request", "Then it is over.", (_REQUEST,), _deny),
    "break-glass": Deed(
        "Break the glass",
        "For emergencies: you go in without approval, everybody is alarmed, and others review it.",
        (_RESOURCE, _ACTIONS, REASON, _HOURS),
        _glass,
    ),
    "review": Deed(
        "Review what was done behind broken glass",
        "Say whether it was justified. One who says no ends it at once.",
        (_GRANT, Field("verdict", "Verdict", kind="choice", choices=("justified", "not-justified")), REASON),
        _review,
    ),
    "revoke": Deed(
        "Revoke a grant", "Its sessions end and its certificates are revoked.", (_GRANT, REASON), _revoke
    ),
    "close": Deed("Give a grant back", "Your sessions on it end.", (_GRANT,), _close),
    "enter": Deed("Go in", "From this workstation.", (_GRANT,), _enter),
}
