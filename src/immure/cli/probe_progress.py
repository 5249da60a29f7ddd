"""How far a probe is: a bar for people who watch, a line now and then for logs, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

#: Seconds between two lines in a log.
_INTERVAL: Final = 15.0

Told = Callable[[int, int, str], None]


@contextmanager
def progress(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Told]:
    """What is to be told how far it is; it writes to ``stream`` (standard error if None)."""
    stream = stream or sys.stderr
    if quiet:
        yield lambda done, total, what: None
    elif stream.isatty():
        with _bar(stream) as told:
            yield told
    else:
        yield _lines(stream)


def _lines(stream: TextIO, clock: Callable[[], float] = time.monotonic) -> Told:
    said = clock()

    def told(done: int, total: int, what: str) -> None:
        nonlocal said
        if clock() - said >= _INTERVAL:
            said = clock()
            stream.write(f"immure: {done} of {total} cases asked, now {what}\n")
            stream.flush()

    return told


@contextmanager
def _bar(stream: TextIO) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn(compact=True),
               TextColumn("{task.description}", markup=False))  # fmt: skip
    console = Console(file=stream)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        task = bars.add_task("controls", total=None)

        def told(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=what)

        yield told
