"""What is looked for in each chunk besides private numbers: secrets of sketches, the key of a token, AES
key schedules."""

from __future__ import annotations

from dataclasses import dataclass

from immure.scanning.chunks import Chunk
from immure.scanning.finding import NotSearched
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.options import ScanOptions
from immure.scanning.proved import Proved
from immure.scanning.schedules import ScheduleHunt
from immure.scanning.schedules import Seen as SchedulesSeen
from immure.scanning.sketches import AllSeen, Hunt
from immure.scanning.token_key import Trial, Tried


@dataclass(frozen=True, slots=True)
class HuntsSeen:
    """What one chunk holds: what agrees with sketches, which bytes are the key of a token, which are
    schedules."""

    sketched: AllSeen
    tried: Tried | None
    schedules: SchedulesSeen | None


class Hunts:
    """All of them, for one image.

    Attributes:
        sketches, schedules: two of the hunts, whose findings are their own.
    """

    def __init__(self, options: ScanOptions, sketches: Hunt | None = None) -> None:
        self._token = options.token
        self.sketches = sketches if sketches is not None else Hunt(options.sketches)
        self._trial = Trial(options.token, options.mode) if options.token is not None else None
        self.schedules = ScheduleHunt(options.mode) if options.aes else None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return self._trial is None and self.schedules is None and self.sketches.is_idle

    @property
    def not_searched(self) -> list[NotSearched]:
        """What they did not get through."""
        trial = self._trial.not_searched if self._trial is not None else []
        schedules = self.schedules.not_searched if self.schedules is not None else []
        return [*self.sketches.not_searched, *trial, *schedules]

    @property
    def notes(self) -> list[str]:
        """What is worth to be said, and is no finding."""
        return [*self.sketches.notes, *(self.schedules.notes if self.schedules is not None else [])]

    def examine(self, space: Workspace, chunk: Chunk, *, has_runs: bool) -> HuntsSeen:
        """Look at the chunk in the workspace."""
        return HuntsSeen(
            self.sketches.examine(space, chunk, has_runs=has_runs),
            self._trial.examine(space, chunk) if self._trial is not None else None,
            self.schedules.examine(space, chunk) if self.schedules is not None else None,
        )

    def take(self, chunk: Chunk, seen: HuntsSeen, keys: KeySet, proved: Proved) -> None:
        """Settle what was seen in a chunk; new keys are added, and what proves them."""
        self.sketches.take(chunk, seen.sketched)
        if self._trial is not None and seen.tried is not None:
            proofs = self._trial.settle(seen.tried, chunk)
            if proofs and self._token is not None:
                keys.add(self._token.key, "token")
            proved.add(proofs)
        if self.schedules is not None and seen.schedules is not None:
            for key, proof in self.schedules.settle(seen.schedules, chunk):
                keys.add(key, "schedule")
                proved.add([proof])
