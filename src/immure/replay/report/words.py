"""Words that all reports share."""

from __future__ import annotations

from typing import Final

from immure.replay.controls import CONTROLS
from immure.replay.matrix import Played
from immure.replay.record import LinkResult, Outcome, Status

STATUS: Final[dict[Status, str]] = {
    "failed": "went through",
    "broke": "BROKEN HERE",
    "noticed": "went through, and was noticed",
    "missing": "went through: no control is for it",
    "idle": "not reached",
}


def control_words(outcome: Outcome) -> str:
    """Which controls were on."""
    applicable = outcome.scenario.controls
    on = [name for name in applicable if name in outcome.controls]
    off = [name for name in applicable if name not in outcome.controls]
    if not on:
        return "no control is on, as in 2023"
    if not off:
        return f"on: {', '.join(on)}"
    return f"on: {', '.join(on)}; off: {', '.join(off)}"


def ends_words(outcome: Outcome) -> str:
    """Where the chain ended."""
    if outcome.broke_at is not None:
        return f"link {outcome.broke_at}, {outcome.broken_by}"
    return "nowhere"


def noticed_words(outcome: Outcome) -> str:
    """When somebody noticed."""
    if outcome.broke_at is not None:
        return "\u2013"
    if not outcome.notices:
        return "never"
    return ", ".join(f"{one.control} after {one.after:.1f} s" for one in outcome.notices)


def what_is(control: str, *, is_on: bool) -> str:
    """What a control does, or what there is in its place."""
    return CONTROLS[control].on if is_on else CONTROLS[control].off


def result_words(result: LinkResult) -> str:
    """What became of a link."""
    words = STATUS[result.status]
    return f"{words} ({', '.join(result.by)}): {result.words}" if result.by else words


def differing(played: list[Played]) -> list[str]:
    """Worlds in which a control did not do what the scenario says of it, in words."""
    said = []
    for one in played:
        outcome = one.outcome
        if outcome.is_as_expected:
            continue
        wanted = outcome.scenario.expected_break(outcome.controls)
        expected = (
            f"a break at link {wanted}" if wanted is not None else "mail read, and each watcher to notice"
        )
        said.append(f"{one.name}: expected {expected}; {outcome.verdict}")
    return said
