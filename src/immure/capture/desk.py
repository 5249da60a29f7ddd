"""Where crashes are taken in: decides who is read, has them read and kept, and counts what became of each.

One thread decides (:meth:`Desk.run`); everything else tells it by messages, so there is no lock around the
line. A core that was read is finished by workers of low priority: the crashed processes come first.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from immure.capture.channel import Channel
from immure.capture.counters import Counters
from immure.capture.crash import Crash
from immure.capture.intake import Intake, Resources
from immure.capture.journal import Journal
from immure.capture.keeping import GivenUpError, Keeper, Kept
from immure.capture.line import Bounds, Decision, Line

#: How many crashes ``status`` can tell of.
MOST_LAST: Final = 50
_TICK: Final = 0.25
#: Not the lowest: who holds the lock of Python while others have the processor keeps all threads waiting.
_LOW_PRIORITY: Final = 5


@dataclass(eq=False)
class Case:
    """One crash, from its arrival to its end."""

    crash: Crash
    channel: Channel
    arrived: float
    intake: Intake | None = None

    @property
    def held(self) -> float:
        """Seconds for which the process was, or has been, held by us."""
        return (self.channel.closed_at or time.monotonic()) - self.arrived


@dataclass
class Desk:
    """Takes crashes in. Attributes are its parts; ``on_change`` is called by its thread after changes, and
    ``on_kept`` by a worker with each core that was kept, before it counts."""

    keeper: Keeper
    resources: Resources
    bounds: Bounds = field(default_factory=Bounds)
    workers: int = 2
    journal: Journal = field(default_factory=Journal)
    on_change: Callable[[], None] = lambda: None
    on_kept: Callable[[Crash, Kept], None] = lambda crash, kept: None

    def __post_init__(self) -> None:
        self.bounds.check()
        self.counters = Counters()
        self.line: Line[Case] = Line(self.bounds)
        self.last: deque[dict[str, Any]] = deque(maxlen=MOST_LAST)
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._work: SimpleQueue[Case | None] = SimpleQueue()
        self._closed = False
        for number in range(self.workers):
            threading.Thread(target=self._labour, name=f"capture worker {number}", daemon=True).start()

    # --- may be called from any thread ---

    def arrive(self, crash: Crash, channel: Channel) -> None:
        """A process has crashed, and its core can be had from ``channel``, which is taken over."""
        case = Case(crash, channel, time.monotonic())
        self._events.put(lambda: self._arrived(case))

    def refuse(self, reason: str) -> None:
        """Somebody came who is no crash."""
        self._events.put(lambda: self._refused(reason))

    def rotated(self, identity: str) -> None:
        """A capture was destroyed to make room."""
        self._events.put(lambda: self._rotated(identity))

    def tell(self, event: Callable[[], None]) -> None:
        """Have something called by the thread that decides."""
        self._events.put(event)

    def close(self) -> None:
        """Let nobody in any more. :meth:`run` comes back when those in hand are finished."""
        self._events.put(self._close)

    # --- the thread that decides ---

    def run(self) -> None:
        """Decide, until the desk is closed and nobody is in hand."""
        while not (self._closed and self.line.in_hand == 0):
            with suppress(Empty):
                self._events.get(timeout=_TICK)()
            self._carry_out(self.line.expire(time.monotonic()))
            self.on_change()
        with suppress(Empty):  # who came at the last moment is counted, too
            while True:
                self._events.get_nowait()()
        for _ in range(self.workers):
            self._work.put(None)

    def _arrived(self, case: Case) -> None:
        self.counters.arrived += 1
        self._carry_out(self.line.arrive(case, case.arrived))

    def _refused(self, reason: str) -> None:
        self.counters.refused += 1
        self.journal.write("refused", reason=reason)

    def _rotated(self, identity: str) -> None:
        self.counters.rotated += 1
        self.journal.write("rotated", id=identity)

    def _close(self) -> None:
        self._closed = True
        self._carry_out(self.line.close())

    def _carry_out(self, decision: Decision[Case]) -> None:
        for case, reason in decision.drop:
            case.channel.refuse()
            self._dropped(case, reason, "")
        for case in decision.start:
            self._start(case)

    def _start(self, case: Case) -> None:
        def was_read() -> None:
            self._events.put(lambda: self._carry_out(self.line.was_read(case, time.monotonic())))

        try:
            case.intake = Intake(case.crash, case.channel, self.resources, was_read)
        except Exception as error:  # noqa: BLE001 - no thread to be had, say: that must cost one core only
            case.channel.close()
            failure = ("error", f"{type(error).__name__}: {error}")
            self._events.put(lambda: self._finished(case, None, failure))
        else:
            self._work.put(case)

    def _finished(self, case: Case, kept: Kept | None, failure: tuple[str, str]) -> None:
        if kept is not None:
            self._captured(case, kept)
        else:
            self._dropped(case, *failure)
        self._carry_out(self.line.finished(case, time.monotonic()))

    def _captured(self, case: Case, kept: Kept) -> None:
        counters = self.counters
        counters.captured += 1
        counters.truncated += kept.truncated
        counters.with_keys += kept.has_keys
        counters.bytes_captured += kept.size
        self._note(case, "captured", kept.to_json())

    def _dropped(self, case: Case, kind: str, words: str) -> None:
        self.counters.drop(kind)
        self._note(case, "dropped", {"reason": kind, **({"detail": words} if words else {})})

    def _note(self, case: Case, event: str, facts: dict[str, Any]) -> None:
        self.counters.held(case.held)
        facts = {**case.crash.to_json(), **facts, "held_seconds": round(case.held, 3)}
        self.last.append({"outcome": event, **facts})
        self.journal.write(event, **facts)

    # --- workers ---

    def _labour(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
        while (case := self._work.get()) is not None:
            if case.intake is not None:
                self._labour_on(case, case.intake)

    def _labour_on(self, case: Case, intake: Intake) -> None:
        kept, failure = None, ("", "")
        try:
            kept = self.keeper.finish(intake)
            self.on_kept(case.crash, kept)
        except GivenUpError as error:
            failure = (error.kind, str(error))
        except Exception as error:  # noqa: BLE001 - a bug must cost one core, not the server
            kept, failure = None, ("error", f"{type(error).__name__}: {error}")
        finally:
            intake.close()
        self._events.put(lambda: self._finished(case, kept, failure))
