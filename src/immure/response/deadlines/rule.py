"""What a deadline is: how long, from what on, to whom, and who says so.

>>> rule = Rule("gdpr-33", title="Supervisory authority", source="GDPR, Article 33(1)", hours=72)
>>> rule.due(0)
259200
>>> Rule.from_plain(rule.plain()) == rule
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from immure.response.deadlines.calendars import CALENDARS, after_business_days
from immure.response.errors import FormError
from immure.response.timeline import JsonValue

MOST_TEXT: Final = 1000
MOST_ID: Final = 60
#: The longest spans, some ten years each.
MOST: Final = {"hours": 87_600, "months": 120, "business_days": 2_600}
_TEXTS: Final = ("title", "to", "starts", "source", "url", "note", "after", "calendar", "zone", "until")


@dataclass(frozen=True, slots=True)
class Rule:
    """A deadline as a law, a contract or a house has it. Exactly one of the three spans is not 0.

    Attributes:
        id: its name: letters, digits and hyphens.
        title: what is to be done.
        source: who says so: the article of a law, the clause of a contract.
        to: to whom.
        starts: in words, from what on it runs.
        url: where the source can be read.
        note: what a reader must know besides.
        hours: span in hours.
        months: span in months: the same day and time of a later month, or its last day if it has no such day.
        business_days: span in business days, the day of the event not counted.
        after: id of a deadline that has to be met before this one runs; it runs from that moment.
        calendar: of :data:`~immure.response.deadlines.calendars.CALENDARS`, for business days.
        zone: time zone (IANA) in which days begin and end; looked up when it is needed.
        until: time of day (``17:30``) in that zone at which the last business day ends.
        closed: further days that are no business days.

    Raises:
        FormError: it cannot be so.
    """

    id: str
    title: str
    source: str
    to: str = ""
    starts: str = ""
    url: str = ""
    note: str = ""
    hours: int = 0
    months: int = 0
    business_days: int = 0
    after: str = ""
    calendar: str = "weekdays"
    zone: str = "UTC"
    until: str = "23:59"
    closed: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        plain = self.id.replace("-", "")
        if not plain.isascii() or not plain.isalnum() or len(self.id) > MOST_ID:
            raise FormError(f"the name of a deadline is letters, digits and hyphens, up to {MOST_ID}")
        for name in _TEXTS:
            text = getattr(self, name)
            if len(text) > MOST_TEXT or (text and not text.isprintable()):
                raise self._wrong(f"{name} is a line of up to {MOST_TEXT} characters")
        if not self.title or not self.source:
            raise self._wrong("a deadline says what is to be done (title) and who asks for it (source)")
        spans = {name: getattr(self, name) for name in MOST}
        if sum(value != 0 for value in spans.values()) != 1:
            raise self._wrong(f"a deadline has exactly one of {', '.join(MOST)}")
        if any(not 0 <= value <= MOST[name] for name, value in spans.items()):
            raise self._wrong(f"at most {', '.join(f'{most} {name}' for name, most in MOST.items())}")
        if self.calendar not in CALENDARS:
            raise self._wrong(f"calendar is one of {', '.join(CALENDARS)}")
        if self.after == self.id:
            raise self._wrong("it runs after itself")
        self._end_of_day()

    def due(self, since: int) -> int:
        """The last moment at which it is met.

        Args:
            since: seconds since 1970, the moment from which on it runs.

        Returns:
            Seconds since 1970.

        Raises:
            FormError: that is beyond the calendar.
        """
        try:
            if self.hours:
                return since + self.hours * 3600
            start = datetime.fromtimestamp(since, UTC).astimezone(self._zone())
            if self.months:
                return int(_months_later(start, self.months).timestamp())
            last = after_business_days(start.date(), self.business_days, self.calendar, self.closed)
            end = datetime.combine(last, self._end_of_day(), self._zone())
            return int((end.astimezone(UTC)).timestamp())
        except (OverflowError, ValueError, OSError) as error:
            raise self._wrong("ends beyond the calendar") from error

    def check_zone(self) -> None:
        """See that this machine knows the time zone; raises FormError."""
        self._zone()

    def span_words(self) -> str:
        """``72 hours``, ``1 month``, ``4 business days``."""
        name, count = next((name, getattr(self, name)) for name in MOST if getattr(self, name))
        words = name.replace("_", " ")
        return f"{count} {words[:-1] if count == 1 else words}"

    def plain(self) -> dict[str, JsonValue]:
        """As the log has it: what is not said is left out."""
        made: dict[str, JsonValue] = {"id": self.id}
        for name in (*_TEXTS, *MOST):
            value = getattr(self, name)
            if value and (name not in _USUAL or value != _USUAL[name]):
                made[name] = value
        if self.closed:
            made["closed"] = [day.isoformat() for day in self.closed]
        return made

    @classmethod
    def from_plain(cls, members: object) -> Rule:
        """The rule that :meth:`plain` has made this of; raises FormError."""
        if not isinstance(members, Mapping):
            raise FormError("a deadline is an object")
        made: dict[str, Any] = dict(members)
        for name, value in made.items():
            kind: type = int if name in MOST else list if name == "closed" else str
            if name not in {"id", "closed", *_TEXTS, *MOST} or type(value) is not kind:
                raise FormError(f"a deadline has no member {str(name)[:40]!a} of that form")
        if "closed" in made:
            made["closed"] = days_of(made["closed"])
        if not {"id", "title", "source"} <= set(made):
            raise FormError("a deadline has an id, a title and a source")
        return cls(**made)

    def _zone(self) -> tzinfo:
        if self.zone == "UTC":
            return UTC
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            # IsADirectoryError and the like: a name such as "Europe" is a directory of the database
            raise self._wrong(f"no time zone {self.zone[:60]!a} on this machine (Debian: tzdata)") from error

    def _end_of_day(self) -> time:
        try:
            return datetime.strptime(self.until, "%H:%M").time()
        except ValueError as error:
            raise self._wrong("until is a time of day as 17:30") from error

    def _wrong(self, reason: str) -> FormError:
        return FormError(f"deadline {self.id[:MOST_ID]}: {reason}")


_USUAL: Final = {"calendar": "weekdays", "zone": "UTC", "until": "23:59"}


def days_of(texts: object) -> tuple[date, ...]:
    """Days that are written as 2026-12-24; raises FormError."""
    if not isinstance(texts, list) or len(texts) > 1000:
        raise FormError("closed is a list of days as 2026-12-24")
    try:
        return tuple(date.fromisoformat(text) for text in texts)
    except (TypeError, ValueError) as error:
        raise FormError("closed is a list of days as 2026-12-24") from error


def _months_later(start: datetime, months: int) -> datetime:
    """The same day of a later month; its last day if it has no such day."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    first_after = date(year + month // 12, month % 12 + 1, 1)
    last = (first_after - timedelta(days=1)).day
    return start.replace(year=year, month=month, day=min(start.day, last))
