"""The line in which crashes stand: who waits, who is read, who is being finished, and who has to go.

A crashed process is held by the kernel from its arrival until its core was read. So few are read at a time,
the others wait, and there are bounds on everything:

- Served oldest first: whoever came first is read first.
- Given up oldest first: if more wait than may, the one that has waited longest goes without a core. Those
  that came before it are being read already, and those that came after it are held for less time.
- Nobody waits longer than the bound on patience.
- Cores that were read but are not sealed yet count, too: they take memory and disk.

Nothing here reads, writes or waits; times are numbers that the caller gives.

>>> line = Line(Bounds(reading=1, in_hand=2, waiting=1))
>>> line.arrive("a", 0.0).start, line.arrive("b", 0.1).start, line.arrive("c", 0.2).drop
(['a'], [], [('b', 'line-full')])
>>> line.was_read("a", 0.3).start
['c']
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from immure.errors import UsageError

#: Why a crash leaves the line without having been read.
LineReason = Literal["line-full", "patience", "stopping"]

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many at a time.

    Attributes:
        reading: cores that are read at the same time.
        in_hand: cores that are being read, or were read and are not sealed yet.
        waiting: crashed processes that wait to be read.
        patience: seconds that one waits at most.
    """

    reading: int = 4
    in_hand: int = 32
    waiting: int = 256
    patience: float = 60.0

    def check(self) -> None:
        """Refuse bounds that let nobody through.

        Raises:
            UsageError: they are too small.
        """
        if self.reading < 1 or self.in_hand < self.reading or self.waiting < 0 or self.patience <= 0:
            raise UsageError("at least one core has to be read at a time, and as many be in hand")


@dataclass
class Decision(Generic[T]):
    """What is to be done now: whom to begin to read, whom to let go without a core, and why."""

    start: list[T] = field(default_factory=list)
    drop: list[tuple[T, LineReason]] = field(default_factory=list)


class Line(Generic[T]):
    """Crashes by where they stand. Each is somewhere exactly once, until it is finished or dropped."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._waiting: OrderedDict[T, float] = OrderedDict()
        self._reading: set[T] = set()
        self._finishing: set[T] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def reading(self) -> int:
        """How many are being read."""
        return len(self._reading)

    @property
    def in_hand(self) -> int:
        """How many are being read or finished."""
        return len(self._reading) + len(self._finishing)

    def arrive(self, crash: T, moment: float) -> Decision[T]:
        """A process has crashed."""
        if self._closed:
            return Decision(drop=[(crash, "stopping")])
        self._waiting[crash] = moment
        decision = self._advance(moment)
        while len(self._waiting) > self.bounds.waiting:
            oldest, _ = self._waiting.popitem(last=False)
            decision.drop.append((oldest, "line-full"))
        return decision

    def was_read(self, crash: T, moment: float) -> Decision[T]:
        """Its core is here as a whole, or will not come: the process is free. Says nothing of one that is
        finished already."""
        if crash in self._reading:
            self._reading.remove(crash)
            self._finishing.add(crash)
        return self._advance(moment)

    def finished(self, crash: T, moment: float) -> Decision[T]:
        """It is sealed, or was given up."""
        self._reading.discard(crash)
        self._finishing.discard(crash)
        return self._advance(moment)

    def expire(self, moment: float) -> Decision[T]:
        """Time has passed."""
        decision: Decision[T] = Decision()
        for crash, since in list(self._waiting.items()):
            if moment - since >= self.bounds.patience:
                del self._waiting[crash]
                decision.drop.append((crash, "patience"))
        return decision

    def close(self) -> Decision[T]:
        """Nobody is let in any more; who waits goes, who is in hand stays."""
        self._closed = True
        waiting, self._waiting = list(self._waiting), OrderedDict()
        return Decision(drop=[(crash, "stopping") for crash in waiting])

    def _advance(self, moment: float) -> Decision[T]:
        decision = self.expire(moment)
        while self._waiting and self.reading < self.bounds.reading and self.in_hand < self.bounds.in_hand:
            crash, _ = self._waiting.popitem(last=False)
            self._reading.add(crash)
            decision.start.append(crash)
        return decision
