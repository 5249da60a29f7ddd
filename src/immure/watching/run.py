"""What comes of one run over one target."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from immure.watching.item import Trouble

#: Troubles that are listed; all are counted.
MOST_TROUBLES: Final = 1_000


@dataclass
class Run:
    """What came of a target.

    Attributes:
        target, kind: which.
        began: when, in UTC; all sightings of the run bear this time.
        items: how many there are; ``scanned`` of them were scanned, for the others the answer was known.
        bytes: that were scanned, of items as they are, not of what came out of them.
        troubles: the first of what was not searched; ``gaps`` is how many there are.
        whole: whether the target was gone through to its end.
        may_be_empty: whether it counts as searched if there is nothing in it.
    """

    target: str
    kind: str
    began: datetime
    items: int = 0
    scanned: int = 0
    bytes: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    gaps: int = 0
    whole: bool = False
    may_be_empty: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of it was searched, now or before, and there was something to search."""
        return self.whole and not self.gaps and (self.items > 0 or self.may_be_empty)

    def trouble(self, trouble: Trouble) -> None:
        """Count something that was not searched."""
        self.gaps += 1
        if len(self.troubles) < MOST_TROUBLES:
            self.troubles.append(trouble)
