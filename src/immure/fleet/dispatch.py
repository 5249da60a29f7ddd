"""Who does what, once: hands tasks to workers, and takes exactly one answer for each.

An attempt that fails is made again elsewhere, a bounded number of times. If a worker dies, every task that it
had is suspect: each is tried again *alone* on a worker, so that the one which kills is told from those that
stood beside it; the one that kills ends in quarantine. When there is nothing else to do, what takes too long
is begun a second time elsewhere; the first answer counts, the other is discarded.

The loop has no clock of its own and no thread: with an engine that has a time of its own it is its own
simulation (:mod:`immure.fleet.simulate`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from immure.errors import ImmureError
from immure.fleet.engine import Done, Engine, Event, Failed, Gone, Joined
from immure.fleet.pace import Pace
from immure.fleet.policy import Patience
from immure.fleet.results import Failure
from immure.fleet.unit import Attempt, Unit
from immure.fleet.wire import unpack

#: Longest wait for an event, in seconds.
TICK = 0.5


@dataclass(slots=True)
class Seat:
    """A worker: its slots, and the attempts in them (also unwanted ones, until they end)."""

    slots: int
    attempts: dict[int, Attempt] = field(default_factory=dict)

    @property
    def is_exclusive(self) -> bool:
        """Whether something runs there that has to be alone."""
        return any(attempt.unit.alone and attempt.is_wanted for attempt in self.attempts.values())

    def has_room(self, unit: Unit) -> bool:
        """Whether ``unit`` may be begun here."""
        if self.is_exclusive or len(self.attempts) >= self.slots:
            return False
        return not unit.alone or not self.is_busy

    @property
    def may_be_free(self) -> bool:
        """Whether there is room, or will be: not if all that runs there was given up."""
        return len(self.attempts) < self.slots or self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether something runs there whose answer counts."""
        return any(attempt.is_wanted for attempt in self.attempts.values())


class Dispatcher:
    """Runs units on an engine until all are settled; ``on_settled`` is told of each.

    ``numbers`` name the attempts. An engine that serves one run after the other must see none twice: answers
    to the last run may come in this one.
    """

    def __init__(
        self,
        engine: Engine,
        patience: Patience | None = None,
        on_settled: Callable[[Unit], None] | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._engine = engine
        self._on_settled = on_settled
        self._patience = patience or Patience()
        self._seats: dict[str, Seat] = {}
        self._attempts: dict[int, Attempt] = {}
        self._again: list[Unit] = []
        self._next: deque[Unit] = deque()
        self._source: Iterator[Unit] = iter(())
        self._numbers = count(1) if numbers is None else numbers
        self._pace = Pace()
        self._lonely_since: float | None = None
        self.workers_seen: set[str] = set()
        self.workers_lost = 0

    def run(self, units: Iterable[Unit]) -> None:
        """Settle all units, and those to which they lead. They are taken one by one, as there is room.

        Raises:
            FleetError: the engine is gone, or nobody is there to work.
        """
        self._source = iter(units)
        while self._fill() or self._again or any(one.is_wanted for one in self._attempts.values()):
            for event in self._engine.events(self._wait()):
                self._take(event)
            self._give_up_late()
            if self._is_deserted():
                self._abandon()

    def abandon(self, reason: str) -> None:
        """Nothing more can be done: everything that is left has failed."""
        while (unit := self._fresh()) is not None:
            self._settle(unit, "failed", reason)
        for unit in [*self._again, *(attempt.unit for attempt in self._attempts.values())]:
            if not unit.is_settled:
                self._settle(unit, "failed", reason)
        self._again.clear()

    # --- giving out ---------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Fill every slot that can be; whether there is anything left to give out or begun just now."""
        began = False
        for name, seat in list(self._seats.items()):
            while len(seat.attempts) < seat.slots and not seat.is_exclusive:
                unit = self._choose(name, seat)
                if unit is None:
                    break
                self._begin(unit, name, seat)
                began = True
        return began or self._peek() is not None

    def _choose(self, name: str, seat: Seat) -> Unit | None:
        now = self._engine.now()
        for index, unit in enumerate(self._again):
            others = any(
                one.may_be_free and other not in unit.failed_on for other, one in self._seats.items()
            )
            if unit.not_before <= now and seat.has_room(unit) and not (others and name in unit.failed_on):
                return self._again.pop(index)
        if any(unit.alone and unit.not_before <= now for unit in self._again) and seat.is_busy:
            return None  # let it run empty, for the one that has to be alone
        return self._fresh() or (None if self._again else self._straggler(name, seat))

    def _peek(self) -> Unit | None:
        if not self._next:
            unit = next(self._source, None)
            if unit is not None:
                self._next.append(unit)
        return self._next[0] if self._next else None

    def _fresh(self) -> Unit | None:
        return self._next.popleft() if self._peek() is not None else None

    def _straggler(self, name: str, seat: Seat) -> Unit | None:
        """What has been running for too long elsewhere, and only there; the longest first."""
        now = self._engine.now()
        for attempt in self._attempts.values():
            unit = attempt.unit
            if not attempt.is_wanted or attempt.worker == name or len(unit.running) > 1 or unit.alone:
                continue
            if self._pace.is_late(unit, now - attempt.began, self._patience) and seat.has_room(unit):
                return unit
        return None

    def _begin(self, unit: Unit, name: str, seat: Seat) -> None:
        attempt = Attempt(next(self._numbers), unit, name, self._engine.now())
        unit.attempts += 1
        unit.running.add(attempt.number)
        seat.attempts[attempt.number] = self._attempts[attempt.number] = attempt
        self._engine.submit(name, attempt.number, unit.task)

    # --- taking in ----------------------------------------------------------------------------------------

    def _wait(self) -> float:
        now = self._engine.now()
        due = [unit.not_before - now for unit in self._again if unit.not_before > now]
        return max(0.0, min([TICK, *due]))

    def _take(self, event: Event) -> None:
        if isinstance(event, Joined):
            self._seats.setdefault(event.worker, Seat(event.slots)).slots = event.slots
            self.workers_seen.add(event.worker)
        elif isinstance(event, Gone):
            self._lose(event)
        elif (attempt := self._end(event.attempt)) is not None:
            if isinstance(event, Failed):
                if event.has_died:
                    self._died(attempt, alone=True, reason=event.reason)
                else:
                    self._failed(attempt, event.reason, passes=True)
            else:
                self._answered(attempt, event)

    def _end(self, number: int) -> Attempt | None:
        """The attempt, which is over; None if it was known to be."""
        attempt = self._attempts.pop(number, None)
        if attempt is not None:
            attempt.unit.running.discard(number)
            seat = self._seats.get(attempt.worker)
            if seat is not None:
                seat.attempts.pop(number, None)
        return attempt

    def _answered(self, attempt: Attempt, event: Done) -> None:
        unit = attempt.unit
        if unit.is_settled:
            unit.discarded += 1
            return
        try:
            answer = unpack(event.answer)
        except ImmureError as error:
            answer = Failure(f"the answer of {attempt.worker} {error}", passes=True)
        if isinstance(answer, Failure):
            self._failed(attempt, answer.reason, passes=answer.passes)
            return
        self._pace.note(unit, self._engine.now() - attempt.began)
        self._settle(unit, "done", "", answer)

    def _failed(self, attempt: Attempt, reason: str, *, passes: bool) -> None:
        unit = attempt.unit
        if unit.is_settled or not attempt.is_wanted:
            return
        unit.failures += 1
        unit.failed_on.add(attempt.worker)
        if not passes or unit.failures >= self._patience.tries:
            self._settle(unit, "failed", reason)
        elif not unit.running:
            self._try_again(unit, reason, self._patience.backoff(unit.failures))

    def _lose(self, event: Gone) -> None:
        seat = self._seats.pop(event.worker, None)
        if seat is None:
            return
        self.workers_lost += 1
        lost = list(seat.attempts.values())
        for attempt in lost:
            self._end(attempt.number)
        alone = sum(attempt.is_wanted for attempt in lost) == 1
        for attempt in lost:
            self._died(attempt, alone=alone, reason=event.reason)

    def _died(self, attempt: Attempt, *, alone: bool, reason: str) -> None:
        unit = attempt.unit
        if unit.is_settled or not attempt.is_wanted:
            return
        unit.deaths += alone
        unit.alone = True
        unit.reason = reason
        if unit.deaths >= self._patience.deaths:
            words = f"{unit.deaths} workers died of it, each with nothing else to do: {reason}"
            self._settle(unit, "quarantined", words)
        elif not unit.running:
            self._try_again(unit, reason, 0.0)

    def _try_again(self, unit: Unit, reason: str, seconds: float) -> None:
        unit.reason = reason
        unit.not_before = self._engine.now() + seconds
        self._again.append(unit)

    def _settle(self, unit: Unit, outcome: Any, reason: str, answer: object = None) -> None:
        unit.outcome, unit.reason = outcome, reason
        if unit in self._again:  # one that was given up has answered after all
            self._again.remove(unit)
        for number in list(unit.running):
            self._attempts[number].is_wanted = False
            self._engine.forget(number)
        self._next.extend(unit.job.settled(unit, answer))
        if self._on_settled is not None:
            self._on_settled(unit)

    def _give_up_late(self) -> None:
        now, most = self._engine.now(), self._patience.task_seconds
        for attempt in list(self._attempts.values()):
            if attempt.is_wanted and now - attempt.began > most:
                attempt.unit.running.discard(attempt.number)
                self._failed(attempt, f"took more than {most:g} s", passes=True)
                attempt.is_wanted = False
                self._engine.forget(attempt.number)

    # --- nobody there -------------------------------------------------------------------------------------

    def _is_deserted(self) -> bool:
        """Whether nobody has done anything for too long, and nobody waits for a second try either."""
        now = self._engine.now()
        waits = any(unit.not_before > now for unit in self._again)
        if waits or any(one.is_wanted for one in self._attempts.values()):
            self._lonely_since = None
            return False
        self._lonely_since = now if self._lonely_since is None else self._lonely_since
        return now - self._lonely_since > self._patience.worker_seconds

    def _abandon(self) -> None:
        self._lonely_since = None
        self.abandon(f"no worker was there to do it for {self._patience.worker_seconds:g} s")
