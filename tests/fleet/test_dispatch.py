"""Who does what, once: the dispatcher on workers that die, fail, hang and dawdle, in a time that is made
up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.fleet.dispatch import Dispatcher
from immure.fleet.errors import FleetError
from immure.fleet.policy import Patience
from immure.fleet.simulate import Fate
from immure.fleet.tasks import Task

from .making import Recorder, answer_to, engine_of

PATIENCE = Patience(
    tries=3, deaths=3, backoff_seconds=1, task_seconds=500, straggler_seconds=20, worker_seconds=60
)


def test_every_unit_is_settled_once_and_in_parallel() -> None:
    engine, job = engine_of(4, lambda *_: Fate(10, "done", "fine")), Recorder()
    Dispatcher(engine, PATIENCE).run(job.unit(number) for number in range(40))
    assert Counter(map(id, job.settled_units)) == Counter({id(unit): 1 for unit in job.settled_units})
    assert len(job.settled_units) == 40
    assert {unit.attempts for unit in job.settled_units} == {1}
    assert 100 <= engine.time < 101


def test_what_fails_is_tried_again_elsewhere_and_not_for_ever() -> None:
    workers = []

    def fate(worker: str, attempt: int, task: Task) -> Fate:
        if task.place.url == "image 0":
            workers.append(worker)
            return Fate(1, "fails")
        return Fate(1, "done", "fine")

    job = Recorder()
    bad, good = job.unit(0), job.unit(1)
    Dispatcher(engine_of(3, fate), PATIENCE).run([bad, good])
    assert (bad.outcome, bad.attempts, bad.reason) == ("failed", 3, "it failed")
    assert len(set(workers)) == 3
    assert good.outcome == "done"


@pytest.mark.parametrize("slots", [1, 4])
def test_what_kills_is_put_into_quarantine_and_its_neighbours_are_not(slots: int) -> None:
    def fate(worker: str, attempt: int, task: Task) -> Fate:
        if task.place.url == "image 3":
            return Fate(2, "dies", back_seconds=5)
        return Fate(10, "done", "fine")

    job = Recorder()
    units = [job.unit(number) for number in range(12)]
    dispatcher = Dispatcher(engine_of(2, fate, slots), PATIENCE)
    dispatcher.run(units)
    assert [unit.outcome for unit in units].count("done") == 11
    assert units[3].outcome == "quarantined"
    assert "3 workers died of it" in units[3].reason
    # with neighbours the first death is nobody's
    assert dispatcher.workers_lost == (3 if slots == 1 else 4)


def test_a_straggler_is_begun_twice_and_the_second_answer_counts_for_nothing() -> None:
    def fate(worker: str, attempt: int, task: Task) -> Fate:
        is_slow = task.place.url == "image 5" and attempt <= 6
        return Fate(400 if is_slow else 10, "done", "slow" if is_slow else "fine")

    job = Recorder()
    units = [job.unit(number) for number in range(6)]
    late = job.unit(6)
    engine = engine_of(2, fate)
    dispatcher = Dispatcher(engine, PATIENCE)
    dispatcher.run(units)
    assert engine.time < 100
    assert units[5].attempts == 2
    assert job.answers == ["fine"] * 6
    # its first worker is still at it; when it answers, that is discarded
    dispatcher.run(iter([late]))
    while engine.time < 450:
        for event in engine.events(10):
            dispatcher._take(event)
    assert units[5].discarded == 1
    assert len(job.settled_units) == 7


def test_what_hangs_has_failed_after_a_while() -> None:
    def fate(worker: str, attempt: int, task: Task) -> Fate:
        return Fate(1, "hangs") if task.place.url == "image 0" else Fate(1, "done", "fine")

    job = Recorder()
    units = [job.unit(0), job.unit(1)]
    Dispatcher(engine_of(4, fate), PATIENCE).run(units)
    assert units[0].outcome == "failed"
    assert "took more than 500 s" in units[0].reason
    assert units[1].outcome == "done"


def test_if_all_hang_the_run_ends_all_the_same() -> None:
    engine, job = engine_of(2, lambda *_: Fate(1, "hangs")), Recorder()
    Dispatcher(engine, PATIENCE).run(job.unit(number) for number in range(50))
    assert len(job.settled_units) == 50
    assert {unit.outcome for unit in job.settled_units} == {"failed"}


def test_without_workers_everything_fails_after_a_while() -> None:
    engine, job = engine_of(0, lambda *_: Fate(1)), Recorder()
    Dispatcher(engine, PATIENCE).run(job.unit(number) for number in range(3))
    assert {unit.reason for unit in job.settled_units} == {"no worker was there to do it for 60 s"}
    assert 60 <= engine.time < 62


def test_an_answer_that_is_none_of_ours_has_failed() -> None:
    engine, job = engine_of(1, lambda *_: Fate(1, "done", "fine")), Recorder()
    engine.submit = lambda worker, attempt, task: engine._at(engine.time, _garbage(attempt))  # type: ignore[method-assign]
    engine._is_heard = lambda event: True  # type: ignore[method-assign]
    unit = job.unit(0)
    Dispatcher(engine, PATIENCE).run([unit])
    assert unit.outcome == "failed"
    assert "is no message of a fleet" in unit.reason


def _garbage(attempt: int) -> object:
    from immure.fleet.engine import Done

    return Done(attempt, b"garbage")


def test_if_the_engine_is_gone_what_is_left_has_failed() -> None:
    job = Recorder()
    engine = engine_of(1, lambda *_: Fate(1, "done", "fine"))
    events = engine.events

    def broken(timeout: float) -> list[object]:
        if engine.time >= 3:
            raise FleetError("the scheduler is gone")
        return events(timeout)  # type: ignore[return-value]

    engine.events = broken  # type: ignore[method-assign, assignment]
    dispatcher = Dispatcher(engine, PATIENCE)
    with pytest.raises(FleetError):
        dispatcher.run(job.unit(number) for number in range(8))
    dispatcher.abandon("the scheduler is gone")
    outcomes = Counter(unit.outcome for unit in job.settled_units)
    assert outcomes["done"] + outcomes["failed"] == 8
    assert outcomes["done"] == 3


@settings(max_examples=80, deadline=None)
@given(
    workers=st.integers(1, 5),
    slots=st.integers(1, 3),
    units=st.integers(1, 25),
    poison=st.sets(st.integers(0, 24), max_size=3),
    faults=st.lists(st.sampled_from(["done", "done", "done", "fails", "dies", "hangs"]), max_size=60),
    times=st.lists(st.floats(0.1, 100), min_size=1, max_size=20),
)
def test_whatever_happens_each_is_settled_exactly_once_within_bounds(
    workers: int, slots: int, units: int, poison: set[int], faults: list[str], times: list[float]
) -> None:
    def fate(worker: str, attempt: int, task: Task) -> Fate:
        seconds = times[attempt % len(times)]
        if int(task.place.url.rpartition(" ")[2]) in poison:
            return Fate(seconds, "dies")
        kind = faults[attempt] if attempt < len(faults) else "done"
        return Fate(seconds, kind, answer_to(task))  # type: ignore[arg-type]

    job = Recorder()
    made = [job.unit(number) for number in range(units)]
    engine = engine_of(workers, fate, slots)
    Dispatcher(engine, PATIENCE).run(made)
    assert len(job.settled_units) == units
    assert set(map(id, job.settled_units)) == set(map(id, made))
    for number, unit in enumerate(made):
        assert unit.is_settled
        # three failures and three deaths at most, one death that was shared, and a second attempt of each
        assert unit.attempts <= 2 * (PATIENCE.tries + PATIENCE.deaths + 1)
        assert unit.deaths <= PATIENCE.deaths
        if number in poison:
            assert unit.outcome in ("quarantined", "failed")
        if unit.outcome == "done":
            assert job.answers[job.settled_units.index(unit)] == answer_to(unit.task)
