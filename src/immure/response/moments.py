"""Moments as records and reports have them: seconds since 1970, and RFC 3339 for people.

>>> to_text(1_790_000_000)
'2026-09-21T14:13:20Z'
"""

from __future__ import annotations

from datetime import UTC, datetime

from immure.clock import to_rfc3339


def to_text(seconds: int) -> str:
    """Seconds since 1970 as RFC 3339, in UTC.

    Raises:
        ValueError: no calendar has such a moment.
    """
    try:
        return to_rfc3339(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, OSError) as error:
        raise ValueError(f"no calendar has the moment {seconds}") from error
