"""Deadlines for people and for programs.

>>> span(90_061)
'1 d 1 h'
>>> span(-59)
'0 min'
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from immure.response.deadlines.standing import Deadline, State
from immure.response.moments import to_text

SCHEMA_ID: Final = "https://immure.example/schemas/deadlines-1.json"
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def to_json(found: Iterable[Deadline], now: int) -> dict[str, Any]:
    """As an object."""
    return {
        "schema": SCHEMA_ID,
        "at": moment(now),
        "deadlines": [
            {
                "id": one.rule.id,
                "title": one.rule.title,
                "to": one.rule.to,
                "source": one.rule.source,
                "url": one.rule.url,
                "span": one.rule.span_words(),
                "state": one.state.value,
                "since": moment(one.since),
                "from_entry": one.origin,
                "due": moment(one.due),
                "seconds_left": one.left(now),
                "met": moment(one.met),
                "reference": one.reference,
                "doubt": one.doubt,
            }
            for one in found
        ],
    }


def line(one: Deadline, now: int) -> str:
    """How it stands, in a line."""
    due, left = moment(one.due), one.left(now)
    if one.state is State.OVERDUE and left is not None:
        return f"OVERDUE by {span(-left)}: it was due {due}"
    if one.state is State.RUNNING and left is not None:
        return f"{span(left)} left: due {due}"
    if one.state is State.WAITING:
        latest = f", due {due} at the latest" if due else ""
        return f"waits until {one.rule.after} is met{latest}"
    if one.met is not None:
        late = "" if one.state is State.MET or one.due is None else f", {span(one.met - one.due)} late"
        return f"met {moment(one.met)}{late}: {one.reference or 'no reference'}"
    return f"{one.state.value}: {one.reference or 'no reason given'}"


def moment(seconds: int | None) -> str | None:
    """Seconds since 1970 as RFC 3339; None for none."""
    return None if seconds is None else to_text(seconds)


def span(seconds: int) -> str:
    """A time that is left, rounded down: whoever reads it must not think that there is more."""
    seconds = max(0, seconds)
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
