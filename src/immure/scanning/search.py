"""Second pass: candidates in memory, and in text, against all keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from immure.dumps.dump import Reader
from immure.keymaterial.key import Numbers, RsaNumbers
from immure.scanning.chunks import Chunk, load, unread
from immure.scanning.detectors import Detector, Examined
from immure.scanning.detectors.rsa import (
    DIRECT_KEYS,
    LAYOUT_STEPS,
    ExponentDetector,
    FieldDetector,
    PrimeDetector,
)
from immure.scanning.finding import NotSearched
from immure.scanning.kernels.workspace import Windows, Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.plan import Plan, Tier
from immure.scanning.proofs import Proof

_REASONS: dict[Tier, str] = {
    "quiet": "quick mode: noise (64 KiB or more of random-looking pages) was left out",
    "edges": "quick mode: only the ends of short runs of words that look random were searched",
    "starts": "quick mode: only the beginnings of short runs of words that look random were searched",
}


@dataclass
class Searched:
    """What the detectors make of one chunk, and what of it could not be read."""

    examined: list[Examined] = field(default_factory=list)
    not_searched: list[NotSearched] = field(default_factory=list)


class Searcher:
    """Runs every detector over chunks; one for an image, used by all threads."""

    def __init__(
        self,
        reader: Reader,
        keys: KeySet,
        plan: Plan,
        detectors: Sequence[str],
        *,
        is_jvm: bool = False,
        is_heap_dump: bool = False,
    ) -> None:
        self._reader = reader
        self.detectors: list[Detector] = []
        for bits, numbers in keys.rsa_by_prime_bits().items():
            self.detectors += _rsa_detectors(keys, numbers, bits, plan, detectors, is_jvm)
            if is_heap_dump and "rsa" in detectors and plan.tier("layouts") == "edges":
                self.detectors.append(FieldDetector(numbers, bits, plan))
        curves = keys.on_curves()
        self._strict = "ec" in detectors and bool(curves)
        if self._strict:
            from immure.scanning.detectors.ec import ScalarDetector

            self.detectors.append(ScalarDetector(curves, plan, is_heap_dump=is_heap_dump))

    def examine(self, space: Workspace, chunk: Chunk) -> Searched:
        """One chunk, by every detector; in the order of ``detectors``."""
        searched = Searched(not_searched=unread(chunk, load(self._reader, chunk, space)))
        if self.detectors and space.find_runs(strict=self._strict):
            space.find_quiet_runs(chunk.read_start)
            searched.examined = [detector.examine(space, chunk) for detector in self.detectors]
        return searched

    def settle(self, searched: Searched) -> list[Proof]:
        """What one chunk's results prove, together with those before."""
        proofs: list[Proof] = []
        for detector, result in zip(self.detectors, searched.examined, strict=False):
            proofs += result.proofs
            if result.queued:
                proofs += detector.settle(result.queued)
        return proofs

    def finish(self) -> list[Proof]:
        """What is left to prove at the end of the image."""
        return [proof for detector in self.detectors for proof in detector.finish()]

    def unusable(self) -> list[tuple[Numbers, str]]:
        """Keys that no detector can search for, with the reason."""
        return [entry for detector in self.detectors for entry in detector.unusable]

    def not_searched(self, plan: Plan, size: int) -> list[NotSearched]:
        """What the plan, whose counts may have grown since, left out; once per detector and reason."""
        result: dict[tuple[str, Tier], NotSearched] = {}
        for detector in self.detectors:
            tier = plan.tier(detector.family)
            left = plan.left_out(detector.family)
            if left:
                reason = (
                    f"{_REASONS[tier]} (at least {left} windows were not; --mode exhaustive searches them)"
                )
                result.setdefault((detector.name, tier), NotSearched(0, size, detector.name, reason))
        return sorted(result.values())


def _layouts(large: bool, brief: bool, is_jvm: bool) -> dict[str, int]:
    """Layouts besides aligned ``le64``, and the steps at which their windows are visited."""
    if brief:
        return {"be32w": 8} if is_jvm else {"be": 8}
    if not large:
        return LAYOUT_STEPS
    if is_jvm:  # arrays begin at multiples of eight, and of the other layouts Java has none
        return {"be": 1, "be32w": 8}
    # limbs at odd addresses are rare
    return {layout: step for layout, step in LAYOUT_STEPS.items() if layout != "le64"}


def _rsa_detectors(
    keys: KeySet,
    numbers: list[RsaNumbers],
    bits: int,
    plan: Plan,
    names: Sequence[str],
    is_jvm: bool,
) -> list[Detector]:
    """The detectors of RSA keys of one size. Named keys are divided one by one; with many others, those are
    batched."""
    named = {key for key in numbers if (entry := keys.get(key)) is not None and entry.kind == "named"}
    groups = [[key for key in numbers if key in named], [key for key in numbers if key not in named]]
    result: list[Detector] = []
    for group in filter(None, groups):
        is_named = group is groups[0]
        # what Java code computes with stands in arrays of its own layout
        family = "primes" if is_named and len(group) <= DIRECT_KEYS and not is_jvm else "many"
        # a trust store in the image brings hundreds of keys: of a large image, those nobody named get the
        # commonest layouts only
        large = plan.tier("layouts") == "edges"
        brief = large and not is_named
        # an array of bytes may begin with a zero for the sign
        visited = Windows(1, 0, 1) if large and is_jvm else None
        if "rsa" in names:
            result.append(PrimeDetector(group, bits, "le64", 8, plan, family))
            for layout, step in _layouts(large, brief, is_jvm).items():
                at = visited if step == 1 else None
                result.append(PrimeDetector(group, bits, layout, step, plan, "layouts", visited=at))
        if "rsa" in names and not brief:
            if not (large and is_jvm):
                result.append(ExponentDetector(group, bits, "le64", 8, plan))
            result.append(ExponentDetector(group, bits, "be", 1, plan, visited))
            result.append(ExponentDetector(group, bits, "be32w", 8 if large and is_jvm else 4, plan))
        if "montgomery" in names and bits % 64 == 0 and not brief and not (large and is_jvm):
            result.append(PrimeDetector(group, bits, "negated", 8, plan, "layouts", "r"))
    if "montgomery" in names and not (plan.tier("constants") == "edges" and is_jvm):
        from immure.scanning.detectors.montgomery import SquareDetector

        result.append(SquareDetector(numbers, bits, plan))
    return result
