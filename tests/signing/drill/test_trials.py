"""What is done to a service: every process every way, and the same again for the same seed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.signing.drill.report import Part
from immure.signing.drill.trials import Trial, _with_moments, plan
from immure.signing.drill.ways import WAYS, WayName

PARTS: list[Part] = ["front end", "holder"]


def planned(
    count: int,
    *,
    seed: int = 1,
    parts: list[Part] = PARTS,
    ways: tuple[WayName, ...] = WAYS,
    redacts: bool = False,
    has_cage: bool = True,
) -> list[Trial]:
    return plan(parts, ways, random.Random(seed), count, redacts=redacts, has_cage=has_cage)


def test_every_process_is_crashed_every_way() -> None:
    done = {(one.part, one.way) for one in planned(40)}
    assert {(part, way) for part in PARTS for way in ("segv", "abrt", "gcore", "live")} <= done


def test_the_seed_decides() -> None:
    assert planned(24, seed=7) == planned(24, seed=7)
    assert planned(24, seed=7) != planned(24, seed=8)


@given(
    st.integers(1, 60),
    st.integers(0, 99),
    st.sets(st.sampled_from(WAYS), min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_as_many_as_asked_for_and_memory_goes_last(
    count: int, seed: int, ways: set[WayName], has_cage: bool, redacts: bool
) -> None:
    chosen = tuple(way for way in WAYS if way in ways)
    trials = planned(count, seed=seed, ways=chosen, has_cage=has_cage, redacts=redacts)
    assert {one.way for one in trials} <= ways
    assert [one.way for one in trials].count("oom") == ("oom" in ways and has_cage)
    assert all(one.way != "oom" for one in trials[:-1])
    assert len(trials) == count or not ways - {"oom"}
    assert all((one.part == "redactor") == (one.way == "redaction") for one in trials)


def test_a_token_is_looked_at_and_not_crashed() -> None:
    trials = planned(60, parts=["front end", "token"])
    assert {one.way for one in trials if one.part == "token"} == {"gcore", "live"}


def test_keys_are_loaded_only_where_a_process_begins() -> None:
    some: list[tuple[Part, WayName]] = [("front end", "gcore"), ("front end", "live"), ("holder", "segv")]
    seen = set()
    for seed in range(50):
        trials = _with_moments([*some, ("front end", "abrt")], random.Random(seed))
        seen |= {(at, one.moment) for at, one in enumerate(trials)}
    assert {at for at, moment in seen if moment == "key load"} == {0, 3}
    assert {moment for at, moment in seen if at == 1} == {"load", "rotation"}


@pytest.mark.parametrize(("redacts", "least", "most"), [(True, 40, 60), (False, 8, 27)])
def test_how_often_a_redaction_is_killed(redacts: bool, least: int, most: int) -> None:
    """In half of the rounds where there is something to redact, else in a sixth."""
    rounds = [planned(9, seed=seed, redacts=redacts, has_cage=False) for seed in range(100)]
    assert least <= sum(any(one.part == "redactor" for one in trials) for trials in rounds) <= most
