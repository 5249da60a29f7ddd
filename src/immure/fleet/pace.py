"""How long tasks take: so that what takes too long is known by those that do not."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median
from typing import Final

from immure.fleet.policy import Patience
from immure.fleet.unit import Unit

#: Answers of a stage that make a pace, and that are remembered.
LEAST: Final = 3
MOST: Final = 101
#: To each task as many bytes are added, for what it costs to begin one.
_START_BYTES: Final = 16 << 20


class Pace:
    """Seconds per byte, by stage."""

    def __init__(self) -> None:
        self._rates: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MOST))

    def note(self, unit: Unit, seconds: float) -> None:
        """A task took so long."""
        self._rates[unit.stage].append(seconds / (unit.length + _START_BYTES))

    def is_late(self, unit: Unit, seconds: float, patience: Patience) -> bool:
        """Whether a task that has taken so long by now takes too long."""
        rates = self._rates.get(unit.stage)
        if seconds < patience.straggler_seconds or rates is None or len(rates) < LEAST:
            return False
        return seconds > patience.straggler_factor * median(rates) * (unit.length + _START_BYTES)
