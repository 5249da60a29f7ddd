"""Which windows each detector visits: decided once per image, from what the survey counted in all of it.

Exhaustive mode visits every window. Quick mode visits the widest of three sets whose size fits a budget, so
that small images are searched completely in either mode: (1) every window; (2) not the inside of noise, 64
KiB or more of pages that look random all over; (3) of that, only windows near the ends of a run. What was
left out is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from immure.scanning.kernels.cpu import NEVER_LONG, Runs, Windows, Workspace, count_windows
from immure.scanning.options import Mode

Tier = Literal["all", "quiet", "edges"]

#: Words from the ends of a run within which windows are visited in the narrowest tier.
EDGE_WORDS: Final = 1
#: Widths in bytes by which windows are counted: an RSA-2048 prime, a 256-bit scalar.
LOOSE_WIDTH: Final = 128
STRICT_WIDTH: Final = 32

#: Windows (at steps of 8 bytes) that quick mode may visit, by family of detectors. A window of ``primes``
#: costs a few nanoseconds, one of ``layouts`` some tens (eight starts per word), one of ``scalars`` up to
#: some microseconds, one of ``constants`` some ten.
BUDGETS: Final[dict[str, int]] = {
    "primes": 2 << 20,
    "many": 1 << 20,
    "layouts": 1 << 20,
    "scalars": 1 << 20,
    "constants": 1 << 18,
}


@dataclass
class Counts:
    """Windows of an image at steps of 8 bytes, by set of runs and tier."""

    loose: dict[Tier, int] = field(default_factory=lambda: {"all": 0, "quiet": 0, "edges": 0})
    strict: dict[Tier, int] = field(default_factory=lambda: {"all": 0, "quiet": 0, "edges": 0})

    @classmethod
    def unbounded(cls) -> Counts:
        """Counts that fit no budget."""
        most: dict[Tier, int] = {"all": 1 << 62, "quiet": 1 << 62, "edges": 1 << 62}
        return cls(dict(most), dict(most))

    def add(self, other: Counts) -> None:
        """Count another chunk."""
        for mine, theirs in ((self.loose, other.loose), (self.strict, other.strict)):
            for tier in mine:
                mine[tier] += theirs[tier]


def count(space: Workspace) -> Counts:
    """The windows of the chunk in the workspace (its runs must have been found)."""
    counts = Counts()
    step = windows("edges", 8)
    for counted, runs, quiet, width in (
        (counts.loose, space.loose, space.quiet_loose, LOOSE_WIDTH),
        (counts.strict, space.strict, space.quiet_strict, STRICT_WIDTH),
    ):
        every, ends = count_windows(runs, width, step)
        inner, inner_ends = count_windows(quiet, width, step) if space.has_noise else (every, ends)
        counted["all"], counted["quiet"], counted["edges"] = every, inner, inner_ends
    return counts


def loose_runs(space: Workspace, tier: Tier, *, sparse: bool = False) -> Runs:
    """The runs that detectors of long numbers visit; ``sparse``: of numbers in digits, whose bytes do not
    look random."""
    if tier == "all":
        return space.loose
    return space.random_ends if tier == "edges" and not sparse else space.quiet_loose


def strict_runs(space: Workspace, tier: Tier) -> Runs:
    """The runs that detectors of 32-byte numbers visit."""
    if tier == "all":
        return space.strict
    return space.binary_ends if tier == "edges" else space.quiet_strict


def windows(tier: Tier, step: int) -> Windows:
    """The windows of a tier at steps of ``step`` bytes. Runs begin one word before the first that is not
    dull."""
    edge = 8 * (EDGE_WORDS + 1)
    return Windows(step, 0 if tier == "edges" else NEVER_LONG, edge)


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
        """Windows that the family does not visit."""
        counted = self.counts.strict if family == "scalars" else self.counts.loose
        return counted["all"] - counted[self.tiers[family]]


def make_plan(mode: Mode, counts: Counts) -> Plan:
    """Choose the widest tier that fits each family's budget."""
    tiers: dict[str, Tier] = {}
    for family, budget in BUDGETS.items():
        counted = counts.strict if family == "scalars" else counts.loose
        order: tuple[Tier, ...] = ("all", "quiet")
        fitting = [tier for tier in order if counted[tier] <= budget]
        widest: Tier = (
            "quiet" if family == "primes" else "edges"
        )  # aligned primes are cheap enough everywhere but in noise
        tiers[family] = "all" if mode == "exhaustive" else fitting[0] if fitting else widest
    return Plan(mode, tiers, counts)
