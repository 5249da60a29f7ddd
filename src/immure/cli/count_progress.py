"""How far something is that is counted: a bar for people who watch, a line now and then for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

#: Seconds between two lines in a log.
INTERVAL: Final = 15.0


class Told(Protocol):
    """Is told how far it is."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """So many of so many are done; ``what`` is next."""


@contextmanager
def count_progress(noun: str, stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Told]:
    """What is to be told how far it is.

    Args:
        noun: what is counted, in the plural.
        stream: where it is shown; standard error if None.
        quiet: show nothing.
    """
    stream = stream or sys.stderr
    if quiet:
        yield lambda done, total, what="": None
    elif stream.isatty():
        with _bar(noun, stream) as told:
            yield told
    else:
        yield lines(noun, stream)


def lines(noun: str, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> Told:
    """Writes a line each :data:`INTERVAL` seconds."""
    said = clock()

    def told(done: int, total: int, what: str = "") -> None:
        nonlocal said
        if clock() - said >= INTERVAL:
            said = clock()
            stream.write(f"immure: {done:,} of {total:,} {noun}" + (f", now {what}\n" if what else "\n"))
            stream.flush()

    return told


@contextmanager
def _bar(noun: str, stream: TextIO) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn(compact=True),
               TextColumn("{task.description}", markup=False))  # fmt: skip
    console = Console(file=stream)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        task = bars.add_task(noun, total=None)

        def told(done: int, total: int, what: str = "") -> None:
            bars.update(task, completed=done, total=total, description=what or noun)

        yield told
