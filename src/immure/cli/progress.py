"""Progress on standard error: a bar for people who watch, a line now and then for logs, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from immure.scanning.options import NoProgress, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

PHASES = {
    "survey": "surveying",
    "search": "searching",
    "sweep": "sweeping",
    "write": "writing",
    "prove": "proving",
}
#: Seconds of silence before a log gets a first line, and between lines.
INTERVAL = 15.0


class Reporter(Progress, Protocol):
    """Progress that is also told of what was found."""

    def found(self, line: str) -> None:
        """Something was found; the report will say so, but that may take long."""


class Quiet(NoProgress):
    """Says nothing."""

    def found(self, line: str) -> None:
        """Wait for the report."""


class Lines:
    """A line when something has been running for long."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._path = ""
        self._phase = ""
        self._total: int | None = None
        self._done = 0
        self._begun = self._said = clock()

    def start(self, path: str, total: int | None) -> None:
        """Note the image and its size; ``phase`` resets the rest."""
        with self._lock:
            self._path, self._total = path, total
        self.phase("")

    def phase(self, name: str) -> None:
        """Begin counting anew."""
        with self._lock:
            self._phase, self._done = PHASES.get(name, name), 0
            self._begun = self._clock()

    def advance(self, count: int) -> None:
        """Count, and say so if nothing was said for a while."""
        with self._lock:
            self._done += count
            now = self._clock()
            if now - self._said < INTERVAL:
                return
            self._said = now
            self._stream.write(f"immure: {self._line(now)}\n")
            self._stream.flush()

    def finish(self, path: str) -> None:
        """Wait for the report."""

    def found(self, line: str) -> None:
        """Wait for the report."""

    def _line(self, now: float) -> str:
        from immure.scanning.report.words import bytes_words, visible

        rate = self._done / max(now - self._begun, 1e-3)
        words = f"{self._phase or 'reading'} {visible(self._path)}: {bytes_words(self._done)}"
        if self._total and rate > 0:
            left = max(0.0, self._total - self._done) / rate
            words += (
                f" of {bytes_words(self._total)} ({100 * self._done // self._total} %), {left:.0f} s left"
            )
        return f"{words}, {bytes_words(int(rate))}/s"


class Bar:
    """A progress bar with rate and time left, which vanishes when the work is done."""

    def __init__(self, bars: Bars, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._task = bars.add_task("reading", total=None, start=False)
        self._path = ""
        self._total: int | None = None

    def start(self, path: str, total: int | None) -> None:
        """A new image: the bar begins anew."""
        from immure.scanning.report.words import shortened

        self._path, self._total = shortened(path, 30), total
        self.phase("reading")

    def phase(self, name: str) -> None:
        """A new phase: the bar begins anew."""
        self._bars.reset(self._task, total=self._total, description=f"{PHASES.get(name, name)} {self._path}")

    def advance(self, count: int) -> None:
        """Move the bar."""
        self._bars.advance(self._task, count)

    def finish(self, path: str) -> None:
        """Leave the bar to the next image."""

    def found(self, line: str) -> None:
        """Print ``line`` above the bar."""
        from immure.scanning.report.words import visible

        self._console.print(visible(line), markup=False, highlight=False, emoji=False)


@contextmanager
def reporter(
    stream: TextIO | None = None, *, quiet: bool = False, color: bool | None = None
) -> Iterator[Reporter]:
    """The reporter that suits ``stream`` (standard error if None)."""
    stream = stream or sys.stderr
    if quiet:
        yield Quiet()
    elif stream.isatty():
        with _bars(stream, color) as (bars, console):
            yield Bar(bars, console)
    else:
        yield Lines(stream)


@contextmanager
def _bars(stream: TextIO, color: bool | None) -> Iterator[tuple[Bars, Console]]:
    # takes some 60 ms to load, and is not needed where nobody watches
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(file=stream, no_color=color is False or None)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Bars(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        yield bars, console
