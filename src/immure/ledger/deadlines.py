"""Ends waits that take too long: one timer for all of them, as each may take as long as the others.

A timer for each, set and cancelled again, takes longer than most of what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

#: Looks at a wait until it is too late: it may take so much of its time longer.
_LOOKS: Final = 4
Waits = list[asyncio.Future[Any]]


class Deadlines:
    """Waits of one kind, in the loops of one thread.

    Args:
        seconds: that each may take, and up to a quarter more.
        error: makes what who waits is told after that.
    """

    def __init__(self, seconds: float, error: Callable[[], Exception]) -> None:
        self.seconds = seconds
        self._error = error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._new: Waits = []
        self._old: list[Waits] = []

    def __len__(self) -> int:
        """How many are remembered: those that wait, and what was added since the last look."""
        return len(self._new) + sum(map(len, self._old))

    def add(self, future: asyncio.Future[Any]) -> None:
        """Have it end in time; called in its loop."""
        if future.get_loop() is not self._loop:
            self._begin(future.get_loop())
        self._new.append(future)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """What is left in another loop, which has ended, waits for nothing any more."""
        self._loop, self._new, self._old = loop, [], [[] for _ in range(_LOOKS)]
        loop.call_later(self.seconds / _LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._old = [_still(self._new), *map(_still, self._old)]
        self._new = []
        for future in self._old.pop():
            future.set_exception(self._error())
        if any(self._old):
            loop.call_later(self.seconds / _LOOKS, self._look, loop)
        else:
            self._loop = None  # until there are others


def _still(waits: Waits) -> Waits:
    return [one for one in waits if not one.done()]
