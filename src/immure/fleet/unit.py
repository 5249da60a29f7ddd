"""A piece of work and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from immure.fleet.tasks import Task

#: ``quarantined``: workers died of it, again and again.
Outcome = Literal["waiting", "done", "failed", "quarantined"]


class Job(Protocol):
    """What is told the answers to its units."""

    def settled(self, unit: Unit, answer: object) -> Iterable[Unit]:
        """A unit is done (or has failed: ``unit.outcome``); what is to be done next."""


@dataclass(eq=False, slots=True)
class Unit:
    """One task with its history. It is settled once: by the first answer, or by giving up.

    Attributes:
        job: what is told the answer.
        task, stage, length: what is to be done, as what reports call it, over how many bytes.
        outcome, reason: how it ended.
        attempts: how often it was begun.
        failures, deaths: attempts that failed; workers that died while they did nothing else.
        discarded: answers that came after the first, and counted for nothing.
        alone: it was there when a worker died: from now on it gets one to itself.
        failed_on: workers on which it failed.
    """

    job: Job
    task: Task
    stage: str
    length: int
    outcome: Outcome = "waiting"
    reason: str = ""
    attempts: int = 0
    failures: int = 0
    deaths: int = 0
    discarded: int = 0
    alone: bool = False
    not_before: float = 0.0
    failed_on: set[str] = field(default_factory=set)
    running: set[int] = field(default_factory=set)

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to do."""
        return self.outcome != "waiting"


@dataclass(eq=False, slots=True)
class Attempt:
    """A unit on a worker. ``is_wanted``: its answer would still count."""

    number: int
    unit: Unit
    worker: str
    began: float
    is_wanted: bool = True
