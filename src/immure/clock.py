"""The time, from where a test can set it.

>>> from datetime import datetime, timezone
>>> to_rfc3339(datetime(2026, 11, 25, 1, 2, 3, tzinfo=timezone.utc))
'2026-11-25T01:02:03Z'
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

#: What everything that needs the time takes as an argument, ``now`` being the default.
Clock = Callable[[], datetime]


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def to_rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 has it, in UTC, to the second (with microseconds if it has any).

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """The moment that ``text`` names (RFC 3339), in UTC.

    Raises:
        ValueError: this is not such a text, or it names no offset from UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)
