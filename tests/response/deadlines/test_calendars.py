"""Holidays and business days, against days that are published."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.response.deadlines.calendars import after_business_days, is_business_day, us_federal_holidays
from immure.response.errors import FormError

#: Days on which federal offices are closed, as the Office of Personnel Management publishes them.
OPM = {
    2021: "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31",
    2022: "01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26",
    2023: "01-02 01-16 02-20 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25",
    2024: "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25",
    2025: "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25",
    2026: "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31",
}


@pytest.mark.parametrize("year", OPM)
def test_federal_holidays(year: int) -> None:
    expected = {date.fromisoformat(f"{year}-{day}") for day in OPM[year].split()}
    assert us_federal_holidays(year) == expected


@pytest.mark.parametrize(
    ("start", "count", "calendar", "end"),
    [
        ("2026-11-30", 4, "us-federal", "2026-12-04"),  # Monday: Tuesday is the first day
        ("2026-12-04", 4, "us-federal", "2026-12-10"),  # Friday: over the weekend
        ("2026-12-05", 4, "us-federal", "2026-12-10"),  # Saturday: Monday is the first day, and counts
        ("2026-12-06", 4, "us-federal", "2026-12-10"),  # Sunday: the same
        ("2026-11-25", 4, "us-federal", "2026-12-02"),  # Wednesday before Thanksgiving
        ("2026-11-26", 4, "us-federal", "2026-12-02"),  # Thanksgiving itself
        ("2026-12-24", 4, "us-federal", "2026-12-31"),  # Christmas on a Friday
        ("2027-12-30", 4, "us-federal", "2028-01-06"),  # New Year on a Saturday, kept on the Friday before
        ("2026-07-02", 1, "us-federal", "2026-07-06"),  # Independence Day on a Saturday
        ("2026-12-24", 4, "weekdays", "2026-12-30"),
    ],
)
def test_business_days(start: str, count: int, calendar: str, end: str) -> None:
    found = after_business_days(date.fromisoformat(start), count, calendar)
    assert found == date.fromisoformat(end)


def test_days_of_one_s_own() -> None:
    start, closed = date(2026, 11, 30), [date(2026, 12, 1)]
    assert after_business_days(start, 4, "us-federal", closed) == date(2026, 12, 7)


def test_the_end_of_the_calendar() -> None:
    with pytest.raises(FormError, match="after the year 9999"):
        after_business_days(date(9999, 12, 20), 40, "us-federal")


@given(st.dates(date(2021, 1, 1), date(2100, 12, 31)), st.integers(1, 40))
def test_the_last_day_is_the_one_with_as_many_business_days_behind(start: date, count: int) -> None:
    end = after_business_days(start, count, "us-federal")
    days = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert is_business_day(end, "us-federal")
    assert sum(is_business_day(day, "us-federal") for day in days) == count


@given(st.integers(2021, 2100))
def test_eleven_holidays_a_year_less_what_falls_into_another(year: int) -> None:
    found = us_federal_holidays(year)
    assert 10 <= len(found) <= 12
    assert all(day.weekday() < 5 for day in found)
