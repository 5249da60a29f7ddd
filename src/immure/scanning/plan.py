"""Which windows each detector visits: decided once per image, from what the survey counted in it.

Exhaustive mode visits every window. So does quick mode for aligned primes of few keys, which cost next to
nothing. For everything else it visits the widest of these sets whose size fits a budget, so that small images
are searched completely in either mode: ``all`` windows; ``quiet``, all but the inside of noise, 64 KiB or
more of pages that look random all over; and then, of that, ``edges``: the ends of runs that are not too long
and look random. For scalars of elliptic curves, where many runs look random, that becomes ``starts``: the
beginnings of short runs. What was left out is reported.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from immure.scanning.kernels.ec import candidates
from immure.scanning.kernels.workspace import NEVER_LONG, Runs, Windows, Workspace, count_windows
from immure.scanning.options import Mode

Tier = Literal["all", "quiet", "edges", "starts"]
_TIERS: Final[tuple[Tier, ...]] = ("all", "quiet", "edges", "starts")

#: In the tier ``edges``: words from the ends of a run within which windows are visited. One may belong to
#: something else.
EDGE_WORDS: Final = 1
#: Longest runs of the tier ``edges``: for long numbers by their length (the numbers of an RSA key side by
#: side take nine times that of a prime), for scalars in bytes.
LONGEST_RUN: Final = 12
LONGEST_SCALAR_RUN: Final = 256
#: Longest runs of the tier ``starts``: a seed, the scalar and prefix made of it, and the public key side by
#: side, with a word at both ends. Those up to the second figure may be one number, and are visited as in
#: ``edges``.
LONGEST_START_RUN: Final = 112
LONGEST_NUMBER_RUN: Final = 64
#: Candidates up to which scalars are searched for in the tier ``edges``.
EDGE_CANDIDATES: Final = 1 << 16
#: Widths in bytes by which windows are counted: an RSA-2048 prime, a 256-bit scalar.
LOOSE_WIDTH: Final = 128
STRICT_WIDTH: Final = 32

#: Families by the name under which users choose them.
FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "rsa": ("many", "layouts"),
    "montgomery": ("layouts", "constants"),
    "ec": ("scalars",),
    "structure": (),
}
#: Windows (at steps of 8 bytes) that quick mode may visit, by family of detectors. A window of ``layouts``
#: costs some ten nanoseconds (eight starts per word), one of ``scalars`` up to some microseconds, one of
#: ``constants`` some ten, one of ``sketches`` one. One of ``primes``, which have no budget, costs some two.
BUDGETS: Final[dict[str, int]] = {
    "many": 1 << 20,
    "layouts": 1 << 20,
    "scalars": 1 << 20,
    "constants": 1 << 18,
    "sketches": 2 << 20,
}


@dataclass
class Counts:
    """Windows of an image at steps of 8 bytes, by set of runs and tier."""

    loose: dict[Tier, int] = field(default_factory=lambda: dict.fromkeys(_TIERS, 0))
    strict: dict[Tier, int] = field(default_factory=lambda: dict.fromkeys(_TIERS, 0))

    @classmethod
    def unbounded(cls) -> Counts:
        """Counts that fit no budget."""
        return cls(dict.fromkeys(_TIERS, 1 << 62), dict.fromkeys(_TIERS, 1 << 62))

    def add(self, other: Counts, times: int = 1) -> None:
        """Count another chunk, ``times`` if it stands for as many."""
        for mine, theirs in ((self.loose, other.loose), (self.strict, other.strict)):
            for tier in mine:
                mine[tier] += times * theirs[tier]


def count(space: Workspace) -> Counts:
    """The windows of the chunk in the workspace (its runs must have been found)."""
    counts = Counts()
    for counted, runs, quiet, width in (
        (counts.loose, space.loose, space.quiet_loose, LOOSE_WIDTH),
        (counts.strict, space.strict, space.quiet_strict, STRICT_WIDTH),
    ):
        counted["all"], _ = count_windows(runs, width, windows("all", 8))
        counted["quiet"], counted["edges"] = count_windows(quiet, width, windows("edges", 8))
    counts.strict["edges"] = len(scalar_candidates(space, "edges", STRICT_WIDTH))
    return counts


def loose_runs(space: Workspace, tier: Tier, width: int, *, sparse: bool = False) -> Runs:
    """The runs that detectors of numbers of ``width`` bytes visit; ``sparse``: of numbers in digits, whose
    bytes do not look random."""
    if tier == "all":
        return space.loose
    if tier == "edges":
        longest = LONGEST_RUN * width
        return space.of_length(width, longest) if sparse else space.random_ends(width, longest)
    return space.quiet_loose


def strict_runs(space: Workspace, tier: Tier, width: int) -> Runs:
    """The runs that detectors of scalars of ``width`` bytes visit."""
    if tier == "all":
        return space.strict
    if tier == "edges":
        return space.binary_ends(LONGEST_SCALAR_RUN)
    if tier == "starts":
        number = max(LONGEST_NUMBER_RUN, width + 16)
        return space.binary_ends(max(LONGEST_START_RUN, number), number, width)
    return space.quiet_strict


def scalar_candidates(
    space: Workspace, tier: Tier, width: int, *, step: Literal[1, 8] = 8, strict: bool = True
) -> array[int]:
    """Windows of ``width`` bytes in the chunk that may be a scalar."""
    edge = EDGE_WORDS if tier in ("edges", "starts") else None
    runs = strict_runs(space, tier, width).flat()
    memory = space.view[: space.length]
    return candidates(memory, runs, step=step, width=max(STRICT_WIDTH, width), strict=strict, edge=edge)


def windows(tier: Tier, step: int) -> Windows:
    """The windows of a tier at steps of ``step`` bytes. Runs begin one word before the first that is not
    dull."""
    if tier in ("edges", "starts"):
        return Windows(step, 0, 8 * EDGE_WORDS)
    return Windows(step, NEVER_LONG, 0)


@dataclass(frozen=True)
class Plan:
    """The tier of each family of detectors for one image."""

    mode: Mode
    tiers: dict[str, Tier]
    counts: Counts

    def tier(self, family: str) -> Tier:
        """Which windows the family visits."""
        return self.tiers[family]

    def left_out(self, family: str) -> int:
        """Windows that the family does not visit: at least so many."""
        counted = self.counts.strict if family == "scalars" else self.counts.loose
        return counted["all"] - counted[self.tiers[family]]


def is_settled(mode: Mode, counts: Counts, detectors: Iterable[str]) -> bool:
    """Whether a plan for these detectors stays the same, however much is still counted."""
    families = {family for detector in detectors for family in FAMILIES[detector]}
    if mode == "exhaustive":
        return True
    if "scalars" in families and counts.strict["edges"] <= EDGE_CANDIDATES:
        return False
    return all(
        (counts.strict if family == "scalars" else counts.loose)["quiet"] > BUDGETS[family]
        for family in families
    )


def make_plan(mode: Mode, counts: Counts) -> Plan:
    """Choose the widest tier that fits each family's budget."""
    tiers: dict[str, Tier] = {"primes": "all"}
    for family, budget in BUDGETS.items():
        counted = counts.strict if family == "scalars" else counts.loose
        fitting = [tier for tier in _TIERS[:2] if counted[tier] <= budget]
        many = family == "scalars" and counted["edges"] > EDGE_CANDIDATES
        narrowest: Tier = "starts" if many else "edges"
        tiers[family] = "all" if mode == "exhaustive" else fitting[0] if fitting else narrowest
    return Plan(mode, tiers, counts)
