"""What can happen in a room: for each act a function that says no, or changes the records.

They are pure in what matters: the same events in the same order lead to the same records. So the database can
be made anew from the log, and whatever stands in it beside that was put there by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from immure.access.acts import founding, grants, keys, people, requests, sessions, system, workstations
from immure.access.room import Event, Room

Act = Callable[[Room, Event], None]

#: Acts that a person signs with a hardware key.
SIGNED: Final[dict[str, Act]] = {
    "found": founding.found,
    "request": requests.request,
    "approve": requests.approve,
    "deny": requests.deny_request,
    "enter": sessions.enter,
    "sign-in": sessions.sign_in,
    "revoke": grants.revoke,
    "close": grants.close,
    "break-glass": grants.break_glass,
    "review": grants.review,
    "suspend": people.suspend,
    "leave": people.leave,
    "lost-key": keys.lost,
    "retire": workstations.retire,
}
#: Acts of the door itself. None of them lets anybody in.
SYSTEM: Final[dict[str, Act]] = {
    "create": founding.create,
    "founder": founding.founder,
    "register": keys.register,
    "suspect": keys.suspect,
    "metadata": system.metadata,
    "refused": system.note,
    "alarm": system.note,
    "used": grants.used,
    "certificate": grants.certificate,
    "end-session": sessions.end,
}
#: Acts that only take rights away: also a person whose screening has run out, or who has one key left, may.
SAFE: Final = frozenset({"revoke", "close", "deny", "suspend", "leave", "lost-key", "retire"})
