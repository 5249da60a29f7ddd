"""Not more than so many a second."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rate:
    """Says yes so often in each second.

    >>> rate = Rate(2, ticks=lambda: 0.5)
    >>> rate.ask(), rate.ask(), rate.ask()
    (0, 0, None)

    Args:
        most: in a second.
        ticks: seconds from any beginning.
    """

    def __init__(self, most: int, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._most, self._ticks = most, ticks
        self._second, self._count, self._refused = 0, 0, 0

    def ask(self) -> int | None:
        """How often the answer was no since it was last yes; None is no."""
        second = int(self._ticks())
        if second != self._second:
            self._second, self._count = second, 0
        if self._count >= self._most:
            self._refused += 1
            return None
        self._count += 1
        refused, self._refused = self._refused, 0
        return refused
