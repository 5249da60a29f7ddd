"""How far a watch is: a line now and then. How many items there will be, nobody knows."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

#: Seconds between two lines.
INTERVAL: Final = 15.0


class Steps:
    """Is told of each item; says so every :data:`INTERVAL`; and ends the work when it is told to."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._clock = clock
        self._said = clock()
        self._stopped = threading.Event()
        self._idle = threading.Event()
        self._idle.set()

    def __call__(self, items: int, scanned: int, place: str) -> None:
        """An item is begun.

        Raises:
            KeyboardInterrupt: the user wants to stop.
        """
        if self._stopped.is_set():
            raise KeyboardInterrupt
        if not self._quiet and self._clock() - self._said >= INTERVAL:
            from immure.scanning.report.words import shortened

            self._said = self._clock()
            self._stream.write(f"immure: {items:,} items, {scanned:,} scanned, now {shortened(place, 60)}\n")
            self._stream.flush()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work is under way."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    def stop(self, patience: float) -> None:
        """Let the work end between two items, and wait for that so many seconds."""
        self._stopped.set()
        self._idle.wait(patience)
