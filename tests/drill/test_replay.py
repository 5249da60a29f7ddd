"""Every world of every scenario, with real parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from immure.replay.controls import CONTROLS
from immure.replay.matrix import WorldName, worlds
from immure.replay.playing import play
from immure.replay.scenario import names, read_scenario
from immure.replay.stage import Options, Stage

pytestmark = [pytest.mark.drill, pytest.mark.real]
CELLS = [(name, world) for name in names() for world in worlds(read_scenario(name))]


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, Stage]]:
    """One stage at a time: the issuers of the scenario before are stopped when another one begins."""
    opened: dict[str, Stage] = {}
    yield opened
    for one in opened.values():
        one.__exit__()


@pytest.mark.parametrize(("name", "world"), CELLS, ids=[f"{name}: {world.name}" for name, world in CELLS])
def test_a_cell_of_the_matrix(name: str, world: WorldName, stages: dict[str, Stage]) -> None:
    if name not in stages:
        for before in list(stages):
            stages.pop(before).__exit__()
        stages[name] = Stage(read_scenario(name), Options()).__enter__()
    scenario = read_scenario(name)
    outcome = play(stages[name], world.controls)
    assert outcome.broke_at == scenario.expected_break(world.controls), outcome.verdict
    noticing = {control for control in world.controls if CONTROLS[control].notices}
    if outcome.broke_at is None:
        assert outcome.reading.mailboxes == len(scenario.organizations)
        assert {one.control for one in outcome.notices} == noticing
    else:
        assert outcome.reading.mailboxes == 0
        assert outcome.broken_by in scenario.links[outcome.broke_at - 1].controls
    assert outcome.is_as_expected
    assert outcome.proofs
