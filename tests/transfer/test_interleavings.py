"""A sample of interleavings of releases and what may happen beside them; ``make drill`` tries many more."""

from __future__ import annotations

import pytest

from .interleavings import (
    CHANGES,
    FAULTY,
    Scenario,
    complaints,
    every_schedule,
    run,
    sample,
    scenarios,
)
from .model import CLEAN

SAMPLE = 3_000


def test_nothing_leaves_that_may_not():
    everything = [
        *scenarios(2),
        *scenarios(1, crash=True),
        *scenarios(1, "app.core", "b.core"),
        *scenarios(1, "app.core", "app.core-2"),
        *scenarios(1, "app.core", "app.core-3", crash=True),
    ]
    count = released = 0
    for scenario, done in sample(SAMPLE, 1, everything):
        assert complaints(done) == [], (scenario.name, done.schedule)
        count += 1
        released += bool(done.world.visible)
    assert count == SAMPLE
    assert (
        SAMPLE // 10 < released < SAMPLE * 9 // 10
    )  # neither a gate that is shut for ever, nor worlds without danger


@pytest.mark.parametrize("change", CHANGES)
def test_every_way_with_one_change(change):
    ways = list(every_schedule(Scenario(changes=(change,))))
    assert len({done.schedule for done in ways}) == len(ways) >= 6
    assert [complaints(done) for done in ways if complaints(done)] == []
    if change != "clock back":  # at whatever time it comes; unless the clearance is not valid yet by then
        assert any(done.world.visible for done in ways)


def test_every_way_of_dying():
    ways = list(every_schedule(Scenario(crash=True)))
    outcomes = {tuple(done.world.visible.values()) for done in ways}
    assert outcomes == {(), (CLEAN,)}
    assert [complaints(done) for done in ways if complaints(done)] == []


@pytest.mark.parametrize("faulty", FAULTY)
def test_the_explorer_finds_what_is_wrong(faulty):
    """The same worlds, the same observer, and a gate that does something wrong."""
    make, words = FAULTY[faulty]
    found: set[str] = set()
    for change in CHANGES:
        for done in every_schedule(Scenario(changes=(change,), make=make)):
            found.update(complaints(done))
    assert any(words in complaint for complaint in found)


def test_the_naive_gate_releases_the_key_itself():
    """What went wrong in the incident: it looks at one file, and another one has its name when it is sent."""
    from .interleavings import NaiveGate
    from .model import DIRTY

    ways = list(every_schedule(Scenario(changes=("file swapped",), make=NaiveGate)))
    assert any(done.world.visible.get("app.core") == DIRTY for done in ways)
    real = list(every_schedule(Scenario(changes=("file swapped",))))
    assert not any(done.world.visible.get("app.core") == DIRTY for done in real)


def test_undisturbed_it_releases():
    done = run(Scenario(), lambda step, ways: 0)
    assert done.world.visible == {"app.core": CLEAN}
    assert [entry.kind for entry in done.world.entries] == ["release.allowed", "release.done"]
