"""The clock of a room, which does not go back: what has expired would be live again."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from immure.access.errors import ClockError
from immure.access.standing import Standing
from immure.access.texts import moment, spelled
from immure.clock import Clock

#: How far the clock may stand behind what was seen: clocks are set.
SLACK: Final = timedelta(seconds=5)
_SEEN_STEP: Final = timedelta(seconds=60)


class SteadyClock:
    """Tells the time by a clock, by what the database has seen, and by what was told before."""

    def __init__(self, clock: Clock, standing: Standing, path: Path) -> None:
        self._clock, self._standing, self._path = clock, standing, path
        self._latest: datetime | None = None

    def now(self) -> datetime:
        """The time.

        Raises:
            ClockError: the clock stands before what was seen already.
        """
        now, seen = self._clock(), self._standing.seen
        last = max(moment(seen) if seen else now, self._latest or now)
        if now < last - SLACK:
            words = f"the clock says {spelled(now)}, and it was {spelled(last)} already"
            raise ClockError(f"{words}: nobody is let in by such a clock", path=str(self._path))
        self._latest = max(now, last)
        return self._latest

    def to_note(self) -> str | None:
        """How late it is, if that is to be written down now; it is once a minute."""
        now, seen = self.now(), self._standing.seen
        late = not seen or now > moment(seen) + _SEEN_STEP
        return spelled(now) if late else None
