"""What a scan takes: the formulas against the dispatcher, and against runs that were measured."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.fleet.amounts import parse_bytes, parse_rate
from immure.fleet.cost import Model, Prices, estimate
from immure.fleet.engines import open_engine
from immure.fleet.run import scan_fleet
from immure.fleet.simulate import simulate

from .test_processes import images

GB = 10**9


@settings(max_examples=25, deadline=None)
@given(
    workers=st.integers(1, 20),
    tasks=st.integers(1, 400),
    rate=st.floats(50e6, 2e9),
    link=st.floats(20e6, 1e9),
    network=st.floats(1e8, 2e10),
    dispatch=st.floats(0, 0.01),
)
def test_the_formulas_say_what_the_dispatcher_does(
    workers: int, tasks: int, rate: float, link: float, network: float, dispatch: float
) -> None:
    model = Model(rate, 0.05, dispatch, link, network, task_bytes=GB)
    said = estimate(model, tasks * GB, workers).seconds
    acted = simulate(model, [GB] * tasks, workers).seconds
    # one round of tasks more or less: the formula takes the last one as half full
    tolerance = model.task_seconds(GB, workers) + tasks * dispatch
    assert abs(said - acted) <= tolerance + 0.05 * acted


def test_more_slots_than_the_network_feeds_do_not_help() -> None:
    model = Model(rate=300e6, slot_network=100e6, network=1e9, dispatch_seconds=0, task_bytes=GB)
    slots, bound = model.saturation()
    assert bound == "network"
    assert 10 <= slots <= 11
    at, beyond = estimate(model, 1000 * GB, slots), estimate(model, 1000 * GB, 4 * slots)
    assert at.seconds == pytest.approx(1000, rel=0.05)
    assert beyond.seconds == pytest.approx(at.seconds, rel=0.05)
    assert beyond.work_cost > 3.5 * at.work_cost
    assert estimate(model, 1000 * GB, 5).bound == "processors"
    assert estimate(model, 1000 * GB, 5).seconds == pytest.approx(2000, rel=0.05)


def test_small_tasks_are_bounded_by_the_coordinator() -> None:
    model = Model(task_bytes=1 << 20, dispatch_seconds=0.002)
    assert model.saturation()[1] == "coordinator"
    assert estimate(model, 1 << 40, 10_000).bound == "coordinator"


def test_prices_add_up() -> None:
    found = estimate(Model(task_bytes=GB), 1000 * GB, 10, Prices(1.0, 0.5, 2.0))
    assert found.work_cost == pytest.approx(10 * found.seconds / 3600)
    assert found.transfer_cost == 500
    assert found.request_cost == pytest.approx(found.requests / 500)
    assert found.cost == found.work_cost + found.transfer_cost + found.request_cost


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"network": -1}, {"task_bytes": 0}, {"dispatch_seconds": -1}])
def test_figures_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Model(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        estimate(Model(), 0, 1)


@pytest.mark.parametrize(
    ("text", "count"),
    [("1PB", 10**15), ("1 PiB", 2**50), ("4096", 4096), ("1.5GiB", 3 << 29), ("10k", 10_000), ("2kB", 2000)],
)
def test_amounts(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10Gbit/s", 1.25e9), ("500MB/s", 5e8), ("500MB", 5e8), ("8bit/s", 1), ("1GiB/s", 2.0**30)],
)
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@given(st.text(max_size=50))
def test_other_texts_are_refused_or_amounts(text: str) -> None:
    for parse in (parse_bytes, parse_rate):
        try:
            assert 0 <= parse(text) <= 2**63
        except UsageError:
            continue


@pytest.mark.parametrize("text", ["", "x", "1XB", "-1", "1e5", "1PB/h", "1 0", "99999EB", "9" * 60, "0MB/s"])
def test_texts_that_are_no_amount(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rate(text)


def test_the_simulation_agrees_with_runs_of_one_and_two_workers(
    tmp_path: Path, sabotage: dict[str, str]
) -> None:
    """Tasks of a known length (each sleeps half a second), so that a busy machine does not blur it."""
    top = images(tmp_path / "top", *(f"{letter}-long" for letter in "abcdef"))
    model = Model(rate=1e12, task_overhead_seconds=0.52, slot_network=1e12, network=1e13, task_bytes=64 << 10)
    for workers in (1, 2):
        with open_engine(f"processes:{workers}") as engine:
            began = time.monotonic()
            scan_fleet([str(top)], engine)
            measured = time.monotonic() - began
        acted = simulate(model, [64 << 10] * 6, workers).seconds
        assert acted == pytest.approx(6 * 0.52 / workers, rel=0.05)
        # beginning a process takes a while, more so on a busy machine
        assert acted * 0.95 <= measured <= 2 * acted + 8
