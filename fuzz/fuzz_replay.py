"""Feeds broken scenarios to the replay: an error that is ours, or a scenario whose worlds can be named."""

from __future__ import annotations

from importlib import resources

from driver import run

from immure.errors import UsageError
from immure.replay.matrix import worlds
from immure.replay.scenario import MOST_LINKS, MOST_ORGANIZATIONS, parse_scenario


def check_scenario(data: bytes) -> None:
    """What is read is within its bounds, and no name in it leads out of a directory."""
    try:
        made = parse_scenario(data, "fuzz")
    except UsageError:
        return
    assert 0 < len(made.links) <= MOST_LINKS
    assert 0 < len(made.organizations) <= MOST_ORGANIZATIONS
    for one in made.organizations:
        assert not set("/\\\0 ") & set(one.mailbox)
        assert ".." not in one.domain
    for world in worlds(made):
        expected = made.expected_break(world.controls)
        assert expected is None or made.links[expected - 1].number == expected


if __name__ == "__main__":
    directory = resources.files("immure.replay") / "scenarios"
    run(check_scenario, [one.read_bytes() for one in directory.iterdir() if one.name.endswith(".toml")])
