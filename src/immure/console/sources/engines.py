"""Engines that look at rows: two at a time, so that memory is bounded; one that is made is used again, since
that takes longer than most of what they are asked.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.detections.engine import Engine
from immure.errors import InputError

MOST: Final = 2
MEMORY: Final = "128MB"
THREADS: Final = 2
#: Seconds after which what an engine has put aside is of one that was killed.
_OLD: Final = 86_400.0
_Key = tuple[str, frozenset[Path]]


class Engines:
    """See the module."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(MOST)
        self._idle: list[tuple[_Key, Engine]] = []
        self._mutex = threading.Lock()
        self._tidied: set[Path] = set()
        self._process = os.getpid()

    @contextmanager
    def one(self, scratch: Path, folders: set[Path]) -> Iterator[Engine]:
        """An engine for this block; its tables are those of whoever had it before.

        Args:
            scratch: for what does not fit into the memory; made if it is not there.
            folders: that it may read.

        Raises:
            InputError: the directory cannot be made.
            UsageError: DuckDB is not installed.
        """
        key = str(scratch), frozenset(folders)
        with self._turns:
            engine = self._kept(key) or self._made(scratch, folders)
            try:
                yield engine
            except BaseException:
                engine.close()
                raise
            self._keep(key, engine)

    def _kept(self, key: _Key) -> Engine | None:
        with self._mutex:
            if self._process != os.getpid():  # what a fork has copied is of no use
                self._idle, self._process = [], os.getpid()
            place = next((n for n, (known, _) in enumerate(self._idle) if known == key), None)
            return None if place is None else self._idle.pop(place)[1]

    def _keep(self, key: _Key, engine: Engine) -> None:
        with self._mutex:
            self._idle.append((key, engine))
            gone = self._idle.pop(0)[1] if len(self._idle) > MOST else None
        if gone is not None:
            gone.close()

    def close(self) -> None:
        """Let go of those that nobody uses."""
        with self._mutex:
            idle, self._idle = self._idle, []
        for _, engine in idle:
            engine.close()

    def _made(self, scratch: Path, folders: set[Path]) -> Engine:
        try:
            scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            if scratch not in self._tidied:  # once: later what is there may be ours
                self._tidied.add(scratch)
                _tidy(scratch)
            return Engine(scratch, folders, memory=MEMORY, threads=THREADS)
        except OSError as error:
            raise InputError(error.strerror or "cannot be written", path=str(scratch)) from error


def _tidy(scratch: Path) -> None:
    """Remove what those who were killed have left."""
    for left in scratch.glob("spill-*"):
        if time.time() - left.stat().st_mtime > _OLD:
            shutil.rmtree(left, ignore_errors=True)  # another process may be about the same
