"""Worlds side by side: none of the controls, each alone, all but one, all.

    for played in play_all(stage, worlds(scenario)):
        played.outcome.is_as_expected       # False: a control did not do what the scenario says of it

What takes long is shared by the stage; each world has its own rooms, doorkeeper, mail system and logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from immure.replay.playing import play
from immure.replay.record import Narrator, Outcome
from immure.replay.scenario import Scenario
from immure.replay.stage import Stage


@dataclass(frozen=True, slots=True)
class WorldName:
    """A world by what it is called, and the controls that are on in it."""

    name: str
    controls: frozenset[str]


@dataclass(frozen=True, slots=True)
class Played:
    """A world, and what came of it."""

    name: str
    outcome: Outcome


def as_in_2023() -> WorldName:
    """None of the controls."""
    return WorldName("as in 2023", frozenset())


def all_on(scenario: Scenario) -> WorldName:
    """All of them that are built."""
    return WorldName("all controls", frozenset(scenario.controls))


def worlds(scenario: Scenario) -> list[WorldName]:
    """All worlds of the matrix."""
    everything = frozenset(scenario.controls)
    alone = [WorldName(f"only {name}", frozenset({name})) for name in scenario.controls]
    others = [WorldName(f"all but {name}", everything - {name}) for name in scenario.controls]
    return [as_in_2023(), *alone, *(others if len(everything) > 1 else ()), all_on(scenario)]


def play_all(
    stage: Stage,
    wanted: Iterable[WorldName],
    *,
    begin: Callable[[WorldName], Narrator] = lambda _: lambda _: None,
) -> Iterator[Played]:
    """One world after the other.

    Args:
        begin: is told of each before it begins, and returns who hears of its moments.

    Raises:
        ReplayError: a part does not do what it is there for; nothing can be concluded of that world.
    """
    for one in wanted:
        yield Played(one.name, play(stage, one.controls, begin(one)))
