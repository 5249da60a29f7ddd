"""How much is tried: a fixed amount of work, so that a report does not depend on the speed of a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from immure.scanning.finding import NotSearched

#: As which detector reports name the search for damaged keys.
DETECTOR: Final = "deep"
#: Work for one image, in units of a lattice of dimension 3 for a modulus of 2,048 bits: 0.1 ms or so.
DEFAULT_UNITS: Final = 400_000


class Budget:
    """Units of work, and what was left undone for lack of them; a purpose is a few words for the report."""

    def __init__(self, units: int = DEFAULT_UNITS) -> None:
        self._left = units
        self._undone: Counter[str] = Counter()
        self._spent: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()

    def spend(self, units: int, purpose: str, most: int | None = None) -> bool:
        """Whether there are still so many, and ``purpose`` has not had ``most``; if so, they are spent,
        otherwise it is left undone."""
        if units > self._left or (most is not None and self._spent[purpose] + units > most):
            self._undone[purpose] += 1
            return False
        self._left -= units
        self._spent[purpose] += units
        self.tried[purpose] += 1
        return True

    def skip(self, count: int, purpose: str) -> None:
        """So many attempts are not made for another reason, which ``purpose`` says."""
        if count:
            self._undone[purpose] += count

    def not_searched(self, size: int) -> Iterator[NotSearched]:
        """What was left undone, for the report."""
        for purpose, count in sorted(self._undone.items()):
            times = "1 attempt was" if count == 1 else f"{count:,} attempts were"
            yield NotSearched(0, size, DETECTOR, f"{purpose}: {times} not made")
