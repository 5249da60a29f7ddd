"""What addresses ask for, read strictly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from immure.clock import from_rfc3339, to_rfc3339
from immure.errors import UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

#: Characters of the longest member of a query.
_MOST: Final = 400
#: The first second of the year 10000, which no calendar here has.
_END: Final = 253_402_300_800


def text(request: Request, name: str, default: str = "") -> str:
    """A member of the query; raises UsageError if it is too long."""
    value = str(request.query_params.get(name, default))
    if len(value) > _MOST:
        raise UsageError(f"{name} is longer than {_MOST} characters")
    return value


def one_of(request: Request, name: str, words: tuple[str, ...], default: str) -> str:
    """A member of the query that is one of some words; raises UsageError if it is none."""
    value = text(request, name, default)
    if value not in words:
        raise UsageError(f"{name} is one of {', '.join(words)}")
    return value


def moment(request: Request, name: str) -> int | None:
    """A time as RFC 3339 has it, in seconds since 1970; None if there is none; raises UsageError."""
    value = text(request, name)
    if not value:
        return None
    try:
        seconds = int(from_rfc3339(value).timestamp())
    except (ValueError, OverflowError):
        raise UsageError(f"{name} is a time as in 2026-11-25T01:00:00Z") from None
    if not 0 <= seconds < _END:
        raise UsageError(f"{name} is from 1970 to 9999")
    return seconds


def number(request: Request, name: str) -> str | None:
    """A number of a page, as it was given."""
    return request.query_params.get(name)


def at(seconds: float | None) -> datetime | None:
    """A moment; None for none, and for what no calendar has."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def spelled(seconds: int) -> str:
    """A moment for an address, or the nearest that can be asked for."""
    return to_rfc3339(datetime.fromtimestamp(min(max(seconds, 0), _END - 1), UTC))
