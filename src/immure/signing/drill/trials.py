"""What is done to one service, in which order: drawn from a seed, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from immure.signing.drill.report import Part
from immure.signing.drill.ways import WAYS, WayName

Moment = Literal["load", "key load", "rotation", "redaction"]
_BEGINNING: Final[tuple[Moment, ...]] = ("load", "key load", "key load", "rotation")
_LATER: Final[tuple[Moment, ...]] = ("load", "load", "rotation")
_REDACTS: Final = 1 / 2
_REDACTS_ANYWAY: Final = 1 / 6
_FATAL: Final = frozenset({"segv", "abrt"})
#: A token's own process is not ours to crash: it stands for hardware.
_OF_TOKENS: Final = frozenset({"gcore", "live"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing to do to one process.

    Attributes:
        part: which process.
        way: how its memory is taken.
        moment: when: as tokens are given out, as keys are loaded or made, or as a dump is redacted.
    """

    part: Part
    way: WayName
    moment: Moment


def plan(
    parts: Sequence[Part],
    ways: Collection[WayName],
    draw: random.Random,
    count: int,
    *,
    redacts: bool,
    has_cage: bool,
) -> list[Trial]:
    """At most ``count`` trials of one service: every part every way, in an order that is drawn.

    Args:
        redacts: whether there is something to redact: a redaction is killed in every other round; otherwise
            in one of six.
        has_cage: whether memory can run out; it does so last, for nobody knows who is left afterwards.
    """
    planned: list[Trial] = []
    last = count - 1 if has_cage and "oom" in ways else count
    while len(planned) < last:
        some = _round(parts, ways, draw, redacts=redacts)
        if not some:
            break
        planned += _with_moments(some, draw)
    planned = planned[:last]
    if last < count:
        mortal: list[Part] = [part for part in parts if part != "token"]
        planned.append(Trial(draw.choice(mortal), "oom", "load"))
    return planned


def _round(
    parts: Sequence[Part], ways: Collection[WayName], draw: random.Random, *, redacts: bool
) -> list[tuple[Part, WayName]]:
    some: list[tuple[Part, WayName]] = [
        (part, way)
        for part in parts
        for way in WAYS
        if way in ways and way not in ("oom", "redaction") and (part != "token" or way in _OF_TOKENS)
    ]
    if "redaction" in ways and (draw.random() < (_REDACTS if redacts else _REDACTS_ANYWAY) or not some):
        some.append(("redactor", "redaction"))
    draw.shuffle(some)
    return some


def _with_moments(some: Sequence[tuple[Part, WayName]], draw: random.Random) -> list[Trial]:
    """Keys are loaded when a process begins: after a crash, or at the beginning."""
    made = []
    begins = True
    for part, way in some:
        moment: Moment = "redaction" if part == "redactor" else draw.choice(_BEGINNING if begins else _LATER)
        made.append(Trial(part, way, moment))
        begins = way in _FATAL
    return made
