"""Axes: round numbers, and moments that people count by.

>>> ceiling(137), ceiling(0), short(1_500_000)
(200, 1, '1.5 M')
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
#: Spans between two ticks, in seconds.
_SPANS: Final = (
    *(_HOUR * hours for hours in (1, 2, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 7, 14, 28, 91, 182, 364, 728, 1820, 3640)),
)


def ceiling(most: int) -> int:
    """The end of an axis on which values up to ``most`` are: 1, 2 or 5 times a power of ten."""
    power = 1
    while power * 10 < most:
        power *= 10
    return next(power * step for step in (1, 2, 5, 10) if power * step >= most)


def short(number: int) -> str:
    """A number as an axis has it: three digits at most, and a letter."""
    for size, letter in ((10**12, " T"), (10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def moments(begin: int, end: int, *, most: int = 7) -> list[tuple[int, str]]:
    """Ticks of a time axis: seconds since 1970 from ``begin`` to ``end``, at most so many, and their words.

    >>> moments(1796000400, 1796040000)[::2]
    [(1796004000, '02:00'), (1796018400, '06:00'), (1796032800, '10:00')]
    """
    span = next((one for one in _SPANS if _count(begin, end, one) <= most), None)
    if span is None:
        span = max(_SPANS[-1], -(-(end - begin) // most))
    first = -(-begin // span) * span
    return [(at, _words(at, span)) for at in range(first, end + 1, span)]


def _count(begin: int, end: int, span: int) -> int:
    return end // span - -(-begin // span) + 1


def _words(at: int, span: int) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    if span < _DAY and moment.hour:
        return f"{moment:%H:%M}"
    return f"{moment:%Y-%m}" if span > 28 * _DAY else f"{moment:%m-%d}"
