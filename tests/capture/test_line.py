"""The line, against a plain model of what it promises: nobody is lost, nobody is twice, bounds hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from immure.capture.line import Bounds, Decision, Line
from immure.errors import UsageError


@pytest.mark.parametrize(
    "bounds",
    [Bounds(reading=0), Bounds(reading=3, in_hand=2), Bounds(waiting=-1), Bounds(patience=0)],
)
def test_bounds_that_let_nobody_through(bounds: Bounds) -> None:
    with pytest.raises(UsageError):
        bounds.check()


def test_the_oldest_is_read_first_and_given_up_first() -> None:
    line: Line[str] = Line(Bounds(reading=1, in_hand=9, waiting=2))
    assert line.arrive("a", 0) == Decision(["a"])
    assert line.arrive("b", 1) == line.arrive("c", 2) == Decision()
    assert line.arrive("d", 3) == Decision([], [("b", "line-full")])
    assert line.was_read("a", 4) == Decision(["c"])


def test_without_room_to_wait_the_newcomer_goes() -> None:
    line: Line[str] = Line(Bounds(reading=1, in_hand=1, waiting=0))
    assert line.arrive("a", 0).start == ["a"]
    assert line.arrive("b", 1) == Decision([], [("b", "line-full")])


def test_who_is_not_sealed_yet_takes_room_in_hand() -> None:
    line: Line[str] = Line(Bounds(reading=1, in_hand=1, waiting=9))
    line.arrive("a", 0)
    line.arrive("b", 0)
    assert line.was_read("a", 1) == Decision()
    assert line.finished("a", 2) == Decision(["b"])


def test_patience() -> None:
    line: Line[str] = Line(Bounds(reading=1, in_hand=1, waiting=9, patience=10))
    line.arrive("a", 0)
    line.arrive("b", 1)
    line.arrive("c", 5)
    assert line.expire(10.9) == Decision()
    assert line.expire(11) == Decision([], [("b", "patience")])
    # who has waited too long is not begun to be read any more
    assert line.finished("a", 15) == Decision([], [("c", "patience")])


def test_closing() -> None:
    line: Line[str] = Line(Bounds(reading=1, in_hand=1, waiting=9))
    line.arrive("a", 0)
    line.arrive("b", 0)
    assert line.close() == Decision([], [("b", "stopping")])
    assert line.arrive("c", 0) == Decision([], [("c", "stopping")])
    assert line.in_hand == 1
    assert line.finished("a", 1) == Decision()
    assert line.in_hand == 0


class LineMachine(RuleBasedStateMachine):
    """Everything that can happen, in any order."""

    crashes = Bundle("crashes")

    @initialize(
        reading=st.integers(1, 4),
        more=st.integers(0, 4),
        waiting=st.integers(0, 5),
        patience=st.integers(1, 20),
    )
    def begin(self, reading: int, more: int, waiting: int, patience: int) -> None:
        self.bounds = Bounds(reading, reading + more, waiting, patience)
        self.line: Line[int] = Line(self.bounds)
        self.now = 0.0
        self.arrived: list[int] = []
        self.since: dict[int, float] = {}
        self.started: list[int] = []
        self.dropped: dict[int, str] = {}
        self.gone: set[int] = set()
        self.closed = False

    def obey(self, decision: Decision[int]) -> None:
        for crash in decision.start:
            assert crash not in self.started
            assert crash not in self.dropped
            assert not self.closed
            assert self.now - self.since[crash] < self.bounds.patience
            self.started.append(crash)
        for crash, reason in decision.drop:
            assert crash not in self.started
            assert crash not in self.dropped
            self.dropped[crash] = reason

    @property
    def waiting(self) -> list[int]:
        return [crash for crash in self.arrived if crash not in self.started and crash not in self.dropped]

    @rule(target=crashes)
    def arrive(self) -> int:
        crash = len(self.arrived)
        self.arrived.append(crash)
        self.since[crash] = self.now
        waited = self.waiting
        decision = self.line.arrive(crash, self.now)
        self.obey(decision)
        full = [one for one, reason in decision.drop if reason == "line-full"]
        assert (
            full
            == [one for one in waited if one not in decision.start and self.dropped.get(one) != "patience"][
                : len(full)
            ]
        )
        return crash

    @rule(crash=crashes)
    def was_read(self, crash: int) -> None:
        if crash in self.started:
            self.obey(self.line.was_read(crash, self.now))

    @rule(target=crashes, crash=consumes(crashes))
    def finish(self, crash: int) -> object:
        if crash in self.started and crash not in self.gone:
            self.gone.add(crash)
            self.obey(self.line.finished(crash, self.now))
            return multiple()
        return crash

    @rule(seconds=st.floats(0, 8))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.obey(self.line.expire(self.now))

    @rule()
    def close(self) -> None:
        self.closed = True
        self.obey(self.line.close())

    @invariant()
    def nobody_is_lost(self) -> None:
        if not hasattr(self, "line"):
            return
        assert self.line.waiting == len(self.waiting)
        assert self.line.in_hand == len(self.started) - len(self.gone)
        assert len(self.arrived) == self.line.waiting + len(self.started) + len(self.dropped)

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "line"):
            return
        assert self.line.waiting <= self.bounds.waiting
        assert self.line.reading <= self.bounds.reading
        assert self.line.in_hand <= self.bounds.in_hand
        assert self.started == sorted(self.started)  # oldest first
        idle = self.line.reading < self.bounds.reading and self.line.in_hand < self.bounds.in_hand
        assert not (idle and self.line.waiting)


TestLine = LineMachine.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.booleans(), max_size=60))
def test_two_hundred_or_none_all_are_accounted_for(finishes: list[bool]) -> None:
    line: Line[int] = Line(Bounds(reading=2, in_hand=3, waiting=4))
    started, dropped = [], 0
    for crash, finish in enumerate(finishes):
        decision = line.arrive(crash, 0)
        started += decision.start
        dropped += len(decision.drop)
        if finish and started:
            decision = line.finished(started[-1], 0)
            started += decision.start
    assert len(set(started)) == len(started)
    assert len(finishes) == len(set(started)) + dropped + line.waiting
