"""The fleet without machines: the real dispatcher on an engine whose time is made up.

So the model of what a petabyte costs (:mod:`immure.fleet.cost`) is held against the very code that would hand
the tasks out, with its waits, its tail and its second attempts, and the same engine tests that code.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from immure.fleet.account import ImageAccount
from immure.fleet.cost import Model
from immure.fleet.dispatch import Dispatcher
from immure.fleet.engine import Done, Event, Failed, Gone, Joined
from immure.fleet.jobs import WholeJob
from immure.fleet.policy import Patience
from immure.fleet.results import Scanned
from immure.fleet.tasks import Place, Question, Task
from immure.fleet.unit import Unit
from immure.fleet.wire import pack
from immure.scanning.finding import ImageReport
from immure.scanning.options import ScanOptions


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an attempt, after so many seconds. A worker that has died is back after
    ``back_seconds`` under another name."""

    seconds: float
    kind: Literal["done", "fails", "dies", "hangs"] = "done"
    answer: object = None
    back_seconds: float = 1.0


#: The fate of an attempt: by worker, number of the attempt, task, and how many others are under way.
Fates = Callable[[str, int, Task, int], Fate]


@dataclass
class SimulatedEngine:
    """So many workers of ``slots`` each.

    Attributes:
        workers, slots, fate: the machines.
        dispatch_seconds: what it costs, one after the other, to hand out a task and to take its answer.
    """

    workers: int
    fate: Fates
    slots: int = 1
    dispatch_seconds: float = 0.0
    name: str = "simulation"
    time: float = 0.0
    submitted: int = 0
    _heap: list[tuple[float, int, Event]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _names: Iterator[int] = field(default_factory=lambda: count(1))
    _running: dict[int, str] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)

    def start(self, question: Question) -> None:
        """The workers are there."""
        for _ in range(self.workers):
            self._at(0.0, Joined(f"worker {next(self._names)}", self.slots))

    def _at(self, time: float, event: Event) -> None:
        heapq.heappush(self._heap, (time, next(self._order), event))

    def submit(self, worker: str, attempt: int, task: Task) -> None:
        """A task is begun; its end is known at once."""
        self.time += self.dispatch_seconds
        self.submitted += 1
        if worker in self._gone:
            return
        fate = self.fate(worker, attempt, task, len(self._running))
        self._running[attempt] = worker
        end = self.time + fate.seconds
        if fate.kind == "done":
            self._at(end, Done(attempt, pack(fate.answer)))
        elif fate.kind == "fails":
            self._at(end, Failed(attempt, "it failed"))
        elif fate.kind == "dies":
            self._at(end, Gone(worker))
            self._at(end + fate.back_seconds, Joined(f"worker {next(self._names)}", self.slots))

    def forget(self, attempt: int) -> None:
        """What is not wanted ends all the same."""

    def events(self, timeout: float) -> list[Event]:
        """Time goes on to the next event, or by ``timeout``."""
        until = self.time + timeout
        found: list[Event] = []
        while self._heap and self._heap[0][0] <= until and not found:
            time, _, event = heapq.heappop(self._heap)
            self.time = max(self.time, time)
            if self._is_heard(event):
                found.append(event)
        if not found:
            self.time = max(self.time, until)
        return found

    def _is_heard(self, event: Event) -> bool:
        """Whether an event still happens: the dead finish nothing, and die once."""
        if isinstance(event, Gone):
            if event.worker in self._gone:
                return False
            self._gone.add(event.worker)
            for attempt in [one for one, worker in self._running.items() if worker == event.worker]:
                del self._running[attempt]
        elif isinstance(event, Done | Failed):
            return self._running.pop(event.attempt, None) is not None
        return True

    def now(self) -> float:
        """The time that is made up."""
        return self.time

    def close(self) -> None:
        """There is nothing to leave."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a simulated run went."""

    seconds: float
    attempts: int


def simulate(
    model: Model, sizes: Iterable[int], workers: int, slots: int = 1, patience: Patience | None = None
) -> Simulated:
    """Let the dispatcher scan images of these sizes, by the model's figures.

    The network is shared by those that are under way when a task begins.
    """

    def fate(worker: str, attempt: int, task: Task, others: int) -> Fate:
        size = task.place.size
        report = Scanned((ImageReport(task.place.url, "raw", size),), ((0, size),))
        return Fate(model.task_seconds(size, min(others + 1, workers * slots)), "done", report)

    engine = SimulatedEngine(workers, fate, slots, model.dispatch_seconds)
    engine.start(Question(ScanOptions()))

    def units() -> Iterator[Unit]:
        for number, size in enumerate(sizes):
            place = Place(f"image {number}", size)
            yield WholeJob(place, ImageAccount(place.url, size), lambda _: None).begin()

    Dispatcher(engine, patience).run(units())
    return Simulated(engine.time, engine.submitted)
