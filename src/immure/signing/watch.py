"""Whether the clock may be believed: it is compared with seconds that nobody can set.

>>> from datetime import UTC, datetime, timedelta
>>> moment, passed = datetime(2026, 11, 25, tzinfo=UTC), 0.0
>>> watch = Watch(lambda: moment, monotonic=lambda: passed)
>>> _ = watch.moment()
>>> moment, passed = moment + timedelta(days=400), 1.0
>>> watch.moment()
Traceback (most recent call last):
...
immure.signing.errors.ClockError: the clock was set by +34559999 s; nothing is done by it
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from immure import clock
from immure.signing.errors import ClockError
from immure.signing.heartbeat import counter

#: By how much clock and counter may differ: leap seconds, and a clock that is slowly put right.
MOST_JUMP: Final = timedelta(seconds=60)


class Watch:
    """Compares the clock with a counter of seconds since this process began to look.

    A clock that was set forward would activate a key that nobody has seen yet, and destroy one whose tokens
    are still out; set back, it would make keys look young for ever. Within one process both are noticed. From
    one process to the next, what the *last* one wrote down tells. On a machine that was not started anew that
    is exact (``expected``). Else it is only known that the time is not earlier than ``before``; after a gap
    longer than ``gap``, or half of what is waited for, nothing is activated or destroyed until this process
    has itself seen the time pass.

    Args:
        now: the clock.
        monotonic: the counter, in seconds.
        before: when this system was last at work for certain, such as the time of its newest log entry.
        expected: what the time must be now, by a counter that went on since; None if there is none.
        gap: how long there may have been no process before the time since then is in doubt.
    """

    def __init__(
        self,
        now: clock.Clock = clock.now,
        *,
        monotonic: Callable[[], float] = counter,
        before: datetime | None = None,
        expected: datetime | None = None,
        gap: timedelta = timedelta(hours=1),
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._start = (now(), monotonic())
        self._before = before
        self._gap = gap
        gone = timedelta(0) if before is None else self._start[0] - before
        #: How long there was no process, as far as the clock is to be believed for that.
        self._gone = max(gone, timedelta(0))
        if expected is not None:
            self._sure = abs(self._start[0] - expected) <= MOST_JUMP
            self._gap = timedelta(0)  # a clock that is known to have been set is not believed at all
        else:
            self._sure = before is None

    def moment(self) -> datetime:
        """The time.

        Raises:
            ClockError: it does not agree with the counter, or is before what was written down.
        """
        now, passed = self._now(), timedelta(seconds=self._monotonic() - self._start[1])
        jump = now - self._start[0] - passed
        if abs(jump) > MOST_JUMP:
            raise ClockError(f"the clock was set by {jump.total_seconds():+.0f} s; nothing is done by it")
        if self._before is not None and now < self._before - MOST_JUMP:
            raise ClockError(f"the clock says {now.isoformat()}, and the registry has changes of later")
        return now

    def unchecked(self) -> datetime:
        """The time, for what cannot wait for the clock to be put right."""
        now = self._now()
        return now if self._before is None else max(now, self._before)

    def has_seen(self, span: timedelta) -> bool:
        """Whether so much time has passed for certain: it has, unless the process before ended too long ago
        to tell a pause from a clock that was set."""
        if self._sure or self._gone <= MOST_JUMP:
            return True
        seen = timedelta(seconds=self._monotonic() - self._start[1])
        return seen >= span or self._gone <= min(self._gap, span / 2)
