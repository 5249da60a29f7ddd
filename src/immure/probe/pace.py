"""How fast a probe asks, and for how long in all.

>>> waits = []
>>> pace = Pace(rate=2, seconds=60, monotonic=lambda: 100.0, sleep=waits.append)
>>> pace.wait(), pace.wait(), waits
(True, True, [0.5])
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Waits before each token.

    Args:
        rate: tokens per second.
        seconds: after which no more is asked.
        monotonic, sleep: where the time is from, and how it is spent.
    """

    def __init__(
        self,
        rate: float = 5.0,
        seconds: float = 900.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._between = 1.0 / rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = monotonic()
        self._ends = self._next + seconds

    def wait(self) -> bool:
        """Wait for the turn of the next token; False if the time is over."""
        now = self._monotonic()
        if max(now, self._next) >= self._ends:
            return False
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._between
        return True
