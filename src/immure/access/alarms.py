"""Alarms: somebody has broken the glass, or there may be a copy of a hardware key.

Whoever opens a door gives it callables that sound; the policy names webhooks (``break_glass.alarms``), which
get the same as JSON. That one could not be reached is logged, and does not keep anybody out: in an emergency
the pager may be what is broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from immure.access.texts import spelled
from immure.auditlog import JSON

TIMEOUT_SECONDS: Final = 5.0


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
