"""What runs tasks somewhere: the interface, and what it tells.

An engine knows workers by name, each with slots for so many tasks at a time. It decides nothing: who gets
which task, what is tried again and what is given up is for :mod:`immure.fleet.dispatch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from immure.fleet.tasks import Question, Task


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker is there, with room for ``slots`` tasks."""

    worker: str
    slots: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker is not there any more; what it was doing is lost."""

    worker: str
    reason: str = "its worker died"


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt has ended; ``answer`` is packed (:mod:`immure.fleet.wire`)."""

    attempt: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt has ended without an answer, by the engine's fault or with its worker."""

    attempt: int
    reason: str
    has_died: bool = False


Event = Joined | Gone | Done | Failed


class Engine(Protocol):
    """Somewhere to run tasks."""

    @property
    def name(self) -> str:
        """As reports call it."""

    def start(self, question: Question) -> None:
        """Let every worker, also those to come, know what is asked, and say who is there (:class:`Joined`).

        May be called again, for another run.

        Raises:
            FleetError: there is nobody to ask.
        """

    def submit(self, worker: str, attempt: int, task: Task) -> None:
        """Begin a task on a worker; ``attempt`` names it in events."""

    def forget(self, attempt: int) -> None:
        """The answer of an attempt is not wanted any more. Events about it may come all the same."""

    def events(self, timeout: float) -> list[Event]:
        """What has happened; waits up to so many seconds for something.

        Raises:
            FleetError: the engine itself is gone.
        """

    def now(self) -> float:
        """Seconds; monotonic."""

    def close(self) -> None:
        """Leave. What is still running is not waited for. Idempotent."""
