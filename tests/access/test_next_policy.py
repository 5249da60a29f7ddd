"""Grants and requests that are older than the policy in force."""

from __future__ import annotations

import pytest

from access.rooms import World, policy_text, screening
from access.test_attacks import enrol, install
from immure.access import DeniedError, NoGrantError

#: What the next policy says instead, so that it allows a grant of ours no more.
NARROWER = {
    "another role": ('level = "enhanced"', 'level = "enhanced"\nroles = ["on-call"]'),
    "fewer hours": ("hours = 8", "hours = 1"),
    "another ticket": ("INC-*", "CHG-*"),
    "more approvers": ("hours = 8", "hours = 8\napprovers = 3"),
    "not this resource": ('"room:*", "dump:*"', '"dump:*"'),
    "not this action": ('"enter", "open", "release"', '"open", "release"'),
}


@pytest.mark.parametrize("row", NARROWER)
def test_a_grant_that_the_next_policy_does_not_allow(row: str, world: World) -> None:
    before, after = NARROWER[row]
    grant = world.granted(hours=2)
    install(world, policy_text("\n[sessions]\nhours = 1\n"))
    assert world.door.live_grant("room:debug", "enter").id == grant
    install(world, policy_text(**{before: after}))
    with pytest.raises(NoGrantError, match="does not allow this grant any more") as caught:
        world.door.live_grant("room:debug", "enter")
    assert caught.value.rule == "rule"


def test_broken_glass_that_the_next_policy_does_not_allow(world: World) -> None:
    longer = {
        '[break_glass]\nresources = ["room:*"]\nhours = 1': '[break_glass]\nresources = ["room:*"]\nhours = 2'
    }
    install(world, policy_text(**longer))
    glass = world.sign(world.door.begin_break_glass(
        "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers", hours=2
    )).id  # fmt: skip
    assert world.door.live_grant("room:debug", "enter").id == glass
    install(world, policy_text())
    with pytest.raises(NoGrantError, match="no break-glass for this any more"):
        world.door.live_grant("room:debug", "enter")


def test_a_request_that_is_older_than_the_levels(world: World) -> None:
    """Its level is one that the policy in force does not know: nobody reaches it."""
    enrol(world, "prd-eve", "P-eve", level="basic")
    enrol(world, "prd-mal", "P-mal", level="basic")
    enrol(world, "prd-tess", "P-tess", level="basic")
    ceremony = world.door.request_enrolment(
        "prd-ada", new="prd-new", person="P-new", screening=screening(level="basic")
    )
    request = world.sign(ceremony).id
    install(
        world, policy_text(**{'["basic", "enhanced"]': '["basic"]', 'level = "enhanced"': 'level = "basic"'})
    )
    world.register("prd-new", request)
    assert world.register("prd-new", request).state == "open"
    with pytest.raises(DeniedError) as caught:
        world.door.begin_approval("prd-eve", request)
    assert caught.value.rule == "level"
