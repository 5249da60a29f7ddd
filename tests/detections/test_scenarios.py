"""The bar: every forged acceptance below the watermark is found, none is called forged that is not, and what
nobody can know is called unknown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from detections.turning import forged, forged_of, made, turn, wanted
from immure.synth.scenarios.attackers import SCENARIOS

#: Rules beside the reconciliation that a scenario must set off.
OTHERS = {
    "stolen-key": {"key-other-issuer"},
    "backfill": {"ledger-backfilled"},
    "from-the-future": {"token-from-the-future"},
    "other-issuer": {"key-other-issuer"},
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_told_as_it_is(name: str, tmp_path: Path) -> None:
    one = made(name, 5, tmp_path / "day")
    outcome = turn(tmp_path / "day", tmp_path / "state")
    assert Counter(outcome.verdicts) == wanted(one)
    assert forged(outcome) == forged_of(one)
    assert {finding.rule for finding in outcome.findings} - {"token-forged"} == OTHERS.get(name, set())


@pytest.mark.parametrize("name", ["in-a-gap", "backfill", "copied-jti"])
def test_a_day_with_hardly_a_token_is_a_scenario(name: str, tmp_path: Path) -> None:
    """An issuer that had issued nothing before the gap, or at all, has no ledger that could have one."""
    one = made(name, 1, tmp_path / "day", tokens=1)
    outcome = turn(tmp_path / "day", tmp_path / "state")
    assert Counter(outcome.verdicts) == wanted(one)
    assert forged(outcome) == forged_of(one)


@pytest.mark.drill
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SCENARIOS)), seed=st.integers(0, 1 << 32), tokens=st.integers(20, 400))
def test_whatever_the_seed(
    name: str, seed: int, tokens: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("day")
    one = made(name, seed, place / "day", tokens=tokens)
    outcome = turn(place / "day", place / "state", window_rows=50)
    assert Counter(outcome.verdicts) == wanted(one)
    assert forged(outcome) == forged_of(one)


def test_scenarios_set_off_what_they_are_for(tmp_path: Path) -> None:
    """A scenario without forged tokens would prove nothing."""
    from immure.synth.scenarios.attackers import scenario

    harmless = {name for name in SCENARIOS if "forged" not in scenario(name, 5).truth.values()}
    assert harmless == {"quiet", "from-the-future", "other-issuer"}
    assert scenario("backfill", 9).truth == scenario("backfill", 9).truth
