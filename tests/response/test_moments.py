"""Moments as texts, wherever they are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from immure.response.deadlines import words as deadlines
from immure.response.errors import RadiusError
from immure.response.moments import to_text
from immure.response.notification import statement
from immure.response.report import words as report

TEXTS: list[tuple[int, str]] = [
    (0, "1970-01-01T00:00:00Z"),
    (1_790_000_000, "2026-09-21T14:13:20Z"),
    (-1, "1969-12-31T23:59:59Z"),
]


@pytest.mark.parametrize(("seconds", "text"), TEXTS)
@pytest.mark.parametrize("write", [to_text, deadlines.moment, statement.moment, report.moment])
def test_they_agree(write: Callable[[int], str], seconds: int, text: str) -> None:
    assert write(seconds) == text


@pytest.mark.parametrize("seconds", [1 << 40, -(1 << 40), 1 << 70])
def test_beyond_the_calendar(seconds: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_text(seconds)
    with pytest.raises(RadiusError, match=f"no calendar has the moment {seconds}"):
        statement.moment(seconds)
    assert report.moment(seconds) == f"{seconds} s"


def test_none() -> None:
    assert (deadlines.moment(None), statement.moment(None), report.moment(None)) == (None, None, "-")
