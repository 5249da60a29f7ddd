"""One line of Dovecot's event exporter (format ``json``): the name of the event, when it ended, its fields.

>>> line = b'{"event":"mail_opened","end_time":"2026-11-30T06:50:31.374556Z","fields":{"uid":2}}'
>>> event = parse_event(line)
>>> event.name, event.time, event.number("uid")
('mail_opened', 1796021431.374556, 2)

Fields hold what clients wrote: names of folders, arguments of commands. Each is taken by its type, cut to a
bound, and left out if it is not of that type.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from immure.clock import from_rfc3339
from immure.mail.errors import EventError

#: Bytes of a line. Dovecot cuts no field, so a long command makes a long line.
MOST_BYTES: Final = 1 << 20
#: Characters of a text that goes into a record.
MOST_TEXT: Final = 1000
_MOST_ITEMS: Final = 8
_MOST_NUMBER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Event:
    """An event.

    Attributes:
        name: as Dovecot calls it.
        time: when it ended, in seconds since 1970 (UTC).
        fields: by name, as they came.
    """

    name: str
    time: float
    fields: dict[str, Any]

    def text(self, name: str, most: int = MOST_TEXT) -> str | None:
        """A text, cut to ``most`` characters; None if it is not there, empty, or no text."""
        value = self.fields.get(name)
        return value[:most] if isinstance(value, str) and value else None

    def number(self, name: str) -> int | None:
        """A whole number that is not negative; None if it is none."""
        value = self.fields.get(name)
        return value if type(value) is int and 0 <= value <= _MOST_NUMBER else None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, of which the first 8 are taken; one text is a list of it."""
        value = self.fields.get(name)
        items = value if isinstance(value, list) else [value]
        return tuple(one[:MOST_TEXT] for one in items[:_MOST_ITEMS] if isinstance(one, str) and one)


def parse_event(line: bytes) -> Event:
    """The event in a line.

    Raises:
        EventError: it is none.
    """
    if len(line) > MOST_BYTES:
        raise EventError(f"a line of more than {MOST_BYTES} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise EventError("a line that is no JSON") from None
    if not isinstance(value, dict):
        raise EventError("a line that is no object")
    name, fields = value.get("event"), value.get("fields")
    if not isinstance(name, str) or not isinstance(fields, dict):
        raise EventError("a line without an event and its fields")
    return Event(name, _time(value.get("end_time")), fields)


def _time(text: object) -> float:
    if not isinstance(text, str) or len(text) > 40:
        raise EventError("an event without its end")
    try:
        return from_rfc3339(text).timestamp()
    except (ValueError, OverflowError):
        raise EventError("an event whose end is no time") from None
