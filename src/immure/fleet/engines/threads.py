"""Threads of this process: for tests, and where processes cannot be started. A task that kills takes all
along."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final

from immure.fleet.engine import Done, Event, Joined
from immure.fleet.engines.waiting import drained
from immure.fleet.tasks import Question, Task
from immure.fleet.wire import pack, unpack
from immure.fleet.work import answer

WORKER: Final = "this process"


class ThreadEngine:
    """One worker with a slot for each thread."""

    def __init__(self, threads: int) -> None:
        self.name = f"threads:{threads}"
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="immure-fleet")
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._question: Question | None = None
        self._closed = threading.Event()

    def start(self, question: Question) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        self._question = unpack(pack(question))
        self._events.put(Joined(WORKER, self._threads))

    def submit(self, worker: str, attempt: int, task: Task) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        self._pool.submit(self._run, attempt, pack(task))

    def _run(self, attempt: int, task: bytes) -> None:
        if self._question is not None and not self._closed.is_set():
            self._events.put(Done(attempt, answer(self._question, task)))

    def forget(self, attempt: int) -> None:
        """Threads cannot be stopped."""

    def events(self, timeout: float) -> list[Event]:
        """See :class:`~immure.fleet.engine.Engine`."""
        return drained(self._events, timeout)

    def now(self) -> float:
        """See :class:`~immure.fleet.engine.Engine`."""
        return time.monotonic()

    def close(self) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
