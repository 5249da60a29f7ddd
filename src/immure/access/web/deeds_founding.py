"""Deeds for which nobody has signed in: signing in, registering a key, and founding the room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.room import FOUNDING, deny
from immure.access.web.forms import ACCOUNT, Deed, Field, Here, Values


def _sign_in(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_sign_in(values["account"], workstation=here.workstation)


def _register(door: Door, _: Here, values: Values) -> Ceremony:
    if values["request"] == FOUNDING:
        deny("founding", "keys of founders are registered where the room is founded")
    return door.begin_registration(values["account"], values["request"])


def _founding_key(door: Door, _: Here, values: Values) -> Ceremony:
    return door.begin_registration(values["account"], FOUNDING)


def _found(door: Door, _: Here, values: Values) -> Ceremony:
    return door.begin_founding(values["account"])


FOUNDING_DEEDS: Final[Mapping[str, Deed]] = {
    "sign-in": Deed(
        "Sign in", "To look. Whatever you do then takes your key again.", (ACCOUNT,), _sign_in, alone=True
    ),
    "register": Deed(
        "Register a hardware key",
        "It can do nothing until others have approved it.",
        (ACCOUNT, Field("request", "Request", "Its id.")),
        _register,
        alone=True,
    ),
    "founding-key": Deed(
        "Register a founder's hardware key",
        "At least two for each founder. It can do nothing until all founders have signed.",
        (ACCOUNT,),
        _founding_key,
        alone=True,
        founding=True,
    ),
    "found": Deed(
        "Found the room",
        "Every founder signs the same: all founders, their keys, and the policy. With the last one the room "
        "is open. Once the first has signed, nothing can be added.",
        (ACCOUNT,),
        _found,
        alone=True,
        founding=True,
    ),
}
