"""Turn after turn on one state, until somebody says stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from immure.detections.cycle import Cycle, Told, nobody
from immure.detections.outcome import Outcome
from immure.detections.settings import Settings
from immure.detections.state import State
from immure.errors import ImmureError

#: Turns that may fail one after another before it is given up; a log that is being moved is no reason.
MOST_FAILURES: Final = 5


def follow(
    state: State,
    settings: Settings,
    after: Callable[[Outcome], None],
    stop: threading.Event,
    *,
    every: float = 10.0,
    told: Told = nobody,
    failed: Callable[[ImmureError], None] | None = None,
) -> Outcome:
    """Run turns until ``stop`` is set.

    Args:
        after: is given the outcome of each turn, and delivers what is new.
        every: seconds from the beginning of one turn to that of the next.
        failed: is told of a turn that failed.

    Raises:
        ImmureError: of the last turn, if :data:`MOST_FAILURES` have failed one after another.
    """
    failures, outcome = 0, Outcome()
    while True:
        begun = time.monotonic()
        try:
            outcome = Cycle(state, settings, told=told).run()
            after(outcome)
            failures = 0
        except ImmureError as error:
            failures += 1
            if failures >= MOST_FAILURES:
                raise
            if failed is not None:
                failed(error)
        if stop.wait(max(0.0, begun + every - time.monotonic())):
            return outcome
