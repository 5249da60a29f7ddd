"""Whether the clock may be believed by who closes batches: a watermark ahead of time would keep tokens from
being issued until then, and cannot be taken back.

Within a process the clock is held against seconds that nobody can set. From one process to the next only the
newest entry of the log tells what time it was. If that was long ago, either nobody was at work or the clock
is wrong: then a while is waited for the clock to be put right (machines do that soon after they start), and
after a very long pause for a person to say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from immure import clock
from immure.ledger.errors import ClockDoubtError

#: Seconds that the clock may gain or lose between two looks, beside the seconds that have passed.
MOST_JUMP: Final = 60.0
#: Seconds without a batch after which the clock is doubted.
PAUSE: Final = 3600.0
#: Seconds for which it is watched then.
CALM: Final = 600.0
#: Seconds without a batch after which only a person can say that the clock is right.
LONG_PAUSE: Final = 7 * 86400.0


class Moment:
    """The time, for who closes batches.

    Args:
        time: where it is from.
        monotonic: seconds that nobody sets.
        believed: a person has looked at the clock: what the log says of it is not asked.
    """

    def __init__(
        self,
        time: clock.Clock = clock.now,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        believed: bool = False,
    ) -> None:
        self._time = time
        self._monotonic = monotonic
        self._believed = believed
        self._before: tuple[float, float] | None = None
        self._since = monotonic()

    def now(self, newest: float | None, *, path: str) -> int:
        """Seconds since 1970, rounded down.

        Args:
            newest: the time of the newest entry of the log; None if it has none.
            path: of the ledger, for messages.

        Raises:
            ClockDoubtError: the clock was set, or might be wrong.
        """
        moment, passed = self._time().timestamp(), self._monotonic()
        before, self._before = self._before, (moment, passed)
        if before is not None:
            jump = (moment - before[0]) - (passed - before[1])
            if abs(jump) > MOST_JUMP:
                self._since = passed
                raise ClockDoubtError(
                    f"the clock was set by {jump:+.0f} s since the last look; no batch is closed now",
                    path=path,
                )
        if newest is not None and not self._believed:
            self._check_pause(moment - newest, passed - self._since, path)
        return int(moment)

    def _check_pause(self, pause: float, watched: float, path: str) -> None:
        if pause > LONG_PAUSE:
            raise ClockDoubtError(
                f"the clock says that the newest batch is {pause / 86400:.0f} days old: see that the clock "
                "is right, and then close a batch with: immure ledger seal --time-is-right",
                path=path,
            )
        if pause > PAUSE and watched < CALM:
            raise ClockDoubtError(
                f"the clock says that the newest batch is {pause / 3600:.1f} hours old; it is watched for "
                f"{CALM - watched:.0f} s more (or: immure ledger seal --time-is-right)",
                path=path,
            )
