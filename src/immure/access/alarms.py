"""Alarms: somebody has broken the glass, or there may be a copy of a hardware key.

Whoever opens a door gives it callables that sound; the policy names webhooks (``break_glass.alarms``), which
get the same as JSON. That one could not be reached is logged, and does not keep anybody out: in an emergency
the pager may be what is broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from immure.access.records import HardwareKey
from immure.access.room import Room
from immure.access.texts import spelled
from immure.auditlog import JSON, Entry

TIMEOUT_SECONDS: Final = 5.0
#: Entries that are to be heard.
ALARMING: Final = ("access.break-glass", "access.suspect")
HEARD: Final = "access.alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is to be heard: ``break-glass`` or ``suspect-key``, whose account, when, and what in words; the
    index of its entry in the log."""

    kind: str
    account: str
    at: datetime
    words: str
    entry: int

    def to_json(self) -> dict[str, JSON]:
        """As webhooks get it."""
        return {
            "alarm": self.kind,
            "account": self.account,
            "at": spelled(self.at),
            "words": self.words,
            "entry": self.entry,
        }


def still_unheard(before: list[int], entry: Entry) -> list[int]:
    """Indexes of entries for which no alarm has sounded yet, with ``entry`` behind those ``before``."""
    if entry.kind in ALARMING:
        return [*before, entry.index]
    if entry.kind == HEARD:
        document = entry.body.get("document")
        of = document.get("of") if isinstance(document, Mapping) else None
        return [one for one in before if one != of]
    return before


def alarm_of(room: Room, act: str, document: Mapping[str, Any], at: datetime, entry: int) -> Alarm:
    """The alarm for an entry: that of an act in :data:`ALARMING`."""
    if act == "break-glass":
        account = str(document.get("account"))
        words = f"{account} has broken the glass for {document.get('resource')}: {document.get('reason')}"
        return Alarm("break-glass", account, at, words, entry)
    key = room.rows.get(HardwareKey, str(document.get("credential")))
    account = "nobody" if key is None else key.account
    words = f"there may be a copy of a hardware key of {account}: {document.get('reason')}"
    return Alarm("suspect-key", account, at, words, entry)


#: Sounds an alarm; whatever it raises is logged.
Sounder = Callable[[Alarm], None]


def webhook(url: str) -> Sounder:
    """A sounder that posts the alarm to a URL of the policy."""

    def sound(alarm: Alarm) -> None:
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class StayHere(HTTPRedirectHandler):
            """Goes nowhere else than the policy says."""

            def redirect_request(self, *_: object) -> None:
                return None

        data = json.dumps(alarm.to_json()).encode()
        request = Request(url, data, {"Content-Type": "application/json", "User-Agent": "immure"})  # noqa: S310 - the policy takes https only
        with build_opener(StayHere()).open(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read(1 << 16)

    return sound


def sound(alarm: Alarm, sounders: list[tuple[str, Sounder]]) -> list[tuple[str, str]]:
    """Let all sound; the name of each, and what went wrong with it, or nothing."""
    outcomes = []
    for name, sounder in sounders:
        try:
            sounder(alarm)
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is logged by who calls this
            outcomes.append((name, f"{type(error).__name__}: {error}"[:300]))
        else:
            outcomes.append((name, ""))
    return outcomes
