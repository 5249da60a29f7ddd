"""How far a check of a ledger is: a bar for people who watch, a line now and then for logs, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

#: Seconds between two lines in a log.
_INTERVAL: Final = 15.0
Told = Callable[[int, int], None]


@contextmanager
def row_progress(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Told]:
    """What is to be told how many rows are done, and of how many; it writes to ``stream`` (standard error if
    None)."""
    stream = stream or sys.stderr
    if quiet:
        yield lambda done, total: None
    elif stream.isatty():
        with _bar(stream) as told:
            yield told
    else:
        yield _lines(stream)


def _lines(stream: TextIO, clock: Callable[[], float] = time.monotonic) -> Told:
    said = clock()

    def told(done: int, total: int) -> None:
        nonlocal said
        if clock() - said >= _INTERVAL:
            said = clock()
            stream.write(f"immure: {done:,} of {total:,} rows\n")
            stream.flush()

    return told


@contextmanager
def _bar(stream: TextIO) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rows", markup=False), BarColumn(bar_width=None), MofNCompleteColumn(),
               TimeRemainingColumn(compact=True))  # fmt: skip
    with Progress(
        *columns, console=Console(file=stream), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        task = bars.add_task("rows", total=None)

        def told(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield told
