"""Business days: what is a working day, and which days the federal offices of the United States keep.

>>> date(2026, 7, 3) in us_federal_holidays(2026)    # the 4th is a Saturday
True
>>> after_business_days(date(2026, 11, 24), 4, "us-federal").isoformat()    # Thanksgiving lies between
'2026-12-01'
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from immure.response.errors import FormError

_MONDAY: Final = 0
_THURSDAY: Final = 3
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_DAY: Final = timedelta(days=1)


@lru_cache(maxsize=64)
def us_federal_holidays(year: int) -> frozenset[date]:
    """The days of a year on which federal offices are closed.

    5 U.S.C. 6103(a) has the holidays; one on a Saturday is kept on the Friday before (6103(b)), one on a
    Sunday on the Monday after (Executive Order 11582). So the last day of a year may be the holiday of the
    next. Inauguration Day, which is for the offices in and around Washington only (6103(c)), and days that a
    president gives are not among them.
    """
    found = {
        _nth(year, 1, _MONDAY, 3),  # Birthday of Martin Luther King, Jr.
        _nth(year, 2, _MONDAY, 3),  # Washington's Birthday
        _last(year, 5, _MONDAY),  # Memorial Day
        _nth(year, 9, _MONDAY, 1),  # Labor Day
        _nth(year, 10, _MONDAY, 2),  # Columbus Day
        _nth(year, 11, _THURSDAY, 4),  # Thanksgiving Day
    }
    for month, day in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25)):
        found.add(_kept(date(year, month, day)))
    found.add(_kept(date(year + 1, 1, 1)))
    return frozenset(day for day in found if day.year == year)


#: Calendars by name, each with what gives the holidays of a year.
CALENDARS: Final[dict[str, Callable[[int], Collection[date]]]] = {
    "us-federal": us_federal_holidays,
    "weekdays": lambda year: (),
}


def is_business_day(day: date, calendar: str, closed: Collection[date] = ()) -> bool:
    """Whether it is neither of a weekend nor a holiday.

    Args:
        day: the day.
        calendar: one of :data:`CALENDARS`.
        closed: further days that are holidays.
    """
    return day.weekday() < _SATURDAY and day not in closed and day not in CALENDARS[calendar](day.year)


def after_business_days(start: date, count: int, calendar: str, closed: Collection[date] = ()) -> date:
    """The last day of a period of business days.

    The day of the event is not counted. If it is no business day itself, the period begins on, and includes,
    the first business day after it (SEC, Form 8-K, General Instruction B.1).

    Raises:
        FormError: the calendar ends before the period does.
    """
    day, left = start, count
    try:
        while left:
            day += _DAY
            left -= is_business_day(day, calendar, closed)
    except (OverflowError, ValueError) as error:
        raise FormError("a period that ends after the year 9999") from error
    return day


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last(year: int, month: int, weekday: int) -> date:
    last = date(year, month + 1, 1) - _DAY
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _kept(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - _DAY
    return day + _DAY if day.weekday() == _SUNDAY else day
