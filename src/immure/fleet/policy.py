"""How patient a fleet is."""

from __future__ import annotations

from dataclasses import dataclass

from immure.errors import UsageError


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds on trying again.

    Attributes:
        tries: attempts at a task that failed, in all.
        deaths: workers that may die of a task, each while it had nothing else to do, before the task is in
            quarantine.
        backoff_seconds: before the second try; doubled for each one more, up to a minute.
        task_seconds: after so many an attempt has failed.
        straggler_seconds, straggler_factor: an attempt that took so long, and so many times what others took
            for as many bytes, is begun a second time elsewhere if somebody is idle.
        worker_seconds: how long to wait for a worker if there is none.
    """

    tries: int = 3
    deaths: int = 3
    backoff_seconds: float = 1.0
    task_seconds: float = 3600.0
    straggler_seconds: float = 20.0
    straggler_factor: float = 3.0
    worker_seconds: float = 120.0

    def __post_init__(self) -> None:
        if min(self.tries, self.deaths) < 1 or min(self.task_seconds, self.worker_seconds) <= 0:
            raise UsageError("tries and deaths must be at least 1, and seconds more than 0")

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        return min(60.0, self.backoff_seconds * 2.0 ** min(failures - 1, 30))
