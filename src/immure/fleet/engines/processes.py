"""Processes of this machine: the default. One that dies takes its task along and nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import IO

from immure.errors import ImmureError
from immure.fleet.engine import Done, Event, Gone, Joined
from immure.fleet.engines.frames import read_frame, write_frame
from immure.fleet.engines.process_worker import QUESTION
from immure.fleet.engines.waiting import drained
from immure.fleet.errors import FleetError
from immure.fleet.tasks import Question, Task
from immure.fleet.wire import pack

#: Deaths of workers that never answered, in a row, after which no more are started.
_STILLBORN = 5


class _Worker:
    """A process, and the attempt that it is at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attempt: int | None = None
        self.has_answered = False
        self.process = subprocess.Popen(
            # not from where the user stands: a module there must not take the place of one of ours
            [sys.executable, "-P", "-m", "immure.fleet.engines.process_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        return self.process.stdout


class ProcessEngine:
    """So many workers with one slot each; a dead one is replaced."""

    def __init__(self, count: int) -> None:
        self.name = f"processes:{count}"
        self._count = count
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._workers: dict[str, _Worker] = {}
        self._question = b""
        self._begun = 0
        self._stillborn = 0
        self._closed = False
        self._lock = threading.Lock()

    def start(self, question: Question) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        self._question = QUESTION + pack(question)
        for worker in list(self._workers.values()):
            if worker.attempt is not None:  # at something that nobody wants any more; another takes its place
                worker.process.kill()
                worker.process.wait()
                continue
            with suppress(OSError, ValueError):
                write_frame(worker.stdin, self._question)
            self._events.put(Joined(worker.name, 1))
        if not self._begun:
            for _ in range(self._count):
                self._spawn()

    def _spawn(self) -> None:
        with self._lock:
            if self._closed or self._stillborn >= _STILLBORN:
                return
            self._begun += 1
            try:
                worker = _Worker(f"process {self._begun}")
            except OSError as error:
                raise FleetError(f"no worker can be started: {error.strerror}") from error
            self._workers[worker.name] = worker
        with suppress(OSError, ValueError):  # if it is dead already, the thread below sees its end
            write_frame(worker.stdin, self._question)
        self._events.put(Joined(worker.name, 1))  # before anybody can see its end
        threading.Thread(target=self._listen, args=(worker,), daemon=True, name=worker.name).start()

    def _listen(self, worker: _Worker) -> None:
        """Take a worker's answers until its end; then there is another in its place."""
        try:
            while (answer := read_frame(worker.stdout)) is not None:
                attempt, worker.attempt = worker.attempt, None
                worker.has_answered = True
                self._stillborn = 0
                if attempt is not None:
                    self._events.put(Done(attempt, answer))
        except (OSError, ValueError, ImmureError):
            worker.process.kill()  # what it says makes no sense: it is as good as dead
        code = worker.process.wait()
        self._workers.pop(worker.name, None)
        self._stillborn += not worker.has_answered
        for stream in (worker.stdin, worker.stdout):
            with suppress(OSError):
                stream.close()
        self._events.put(Gone(worker.name, _death(code)))
        with suppress(FleetError):  # the others go on; without any, the dispatcher gives up
            self._spawn()

    def submit(self, worker: str, attempt: int, task: Task) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        found = self._workers.get(worker)
        if found is None:
            return  # its end is among the events
        found.attempt = attempt
        with suppress(OSError, ValueError):
            write_frame(found.stdin, pack(task))

    def forget(self, attempt: int) -> None:
        """Ends the process: it is ours, and another begins at once."""
        for worker in list(self._workers.values()):
            if worker.attempt == attempt:
                worker.process.kill()

    def events(self, timeout: float) -> list[Event]:
        """See :class:`~immure.fleet.engine.Engine`."""
        return drained(self._events, timeout)

    def now(self) -> float:
        """See :class:`~immure.fleet.engine.Engine`."""
        return time.monotonic()

    @property
    def pids(self) -> list[int]:
        """Of the workers that are alive."""
        return [worker.process.pid for worker in list(self._workers.values())]

    def close(self) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        with self._lock:
            self._closed = True
        for worker in list(self._workers.values()):
            worker.process.kill()
            worker.process.wait()


def _death(code: int) -> str:
    return f"its worker was ended by signal {-code}" if code < 0 else f"its worker ended with code {code}"
