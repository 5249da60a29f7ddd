"""A Dask cluster that is already there (extra ``fleet``).

Tasks are put on workers by us (``workers=``), not by Dask: so we know who dies of what, and nothing is tried
again behind our back. That a worker is gone is seen by asking the scheduler who is there.
"""

from __future__ import annotations

import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from queue import SimpleQueue
from typing import Any, Final

from immure.fleet.engine import Done, Event, Failed, Gone, Joined
from immure.fleet.engines.dask_link import scheduler_address, security
from immure.fleet.engines.options import EngineOptions
from immure.fleet.engines.waiting import drained
from immure.fleet.errors import EngineError, FleetError
from immure.fleet.tasks import Question, Task
from immure.fleet.wire import pack

#: Seconds between two looks at who is there, and for which an answer of the scheduler is waited for.
LOOK_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 30.0


class DaskEngine:
    """The workers of a scheduler, each with as many slots as it has threads."""

    def __init__(self, name: str, options: EngineOptions) -> None:
        self.name = name
        address, secured = scheduler_address(name, options), security(name, options)
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise EngineError("needs Dask: pip install 'immure[fleet]'", path=name) from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told by us
        try:
            self._client = distributed.Client(
                address,
                security=secured,
                timeout=ANSWER_SECONDS,
                set_as_default=False,
                direct_to_workers=False,
            )
        except Exception as error:
            raise FleetError(f"cannot be reached: {_words(error)}", path=name) from error
        self._run = ""
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._workers: dict[str, object] = {}
        self._looked = 0.0
        self._closed = False
        # results are fetched beside the loop that waits for events
        self._fetching = ThreadPoolExecutor(4, thread_name_prefix="immure-dask")

    def start(self, question: Question) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        from immure.fleet.engines.dask_worker import QuestionPlugin

        self._leave_run()
        self._run = f"immure-{secrets.token_hex(8)}"
        self._workers.clear()
        self._looked = 0.0
        try:
            answers = self._client.register_plugin(QuestionPlugin(self._run, pack(question)), name=self._run)
        except Exception as error:
            raise FleetError(f"the workers cannot be asked: {_words(error)}", path=self.name) from error
        bad = [address for address, one in answers.items() if one.get("status") == "error"]
        if bad:
            reason = f"the worker {bad[0]} cannot be asked: has it the same release of Immure?"
            raise FleetError(reason, path=self.name)

    def submit(self, worker: str, attempt: int, task: Task) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        from immure.fleet.engines.dask_worker import run_packed

        future = self._client.submit(
            run_packed,
            self._run,
            pack(task),
            key=f"{self._run}-{attempt}",
            workers=[worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        self._futures[attempt] = future
        future.add_done_callback(lambda done, attempt=attempt: self._finished(attempt, done))

    def _finished(self, attempt: int, future: Any) -> None:
        with suppress(RuntimeError):  # we have left
            self._fetching.submit(self._fetch, attempt, future)

    def _fetch(self, attempt: int, future: Any) -> None:
        if self._closed or self._futures.pop(attempt, None) is None:
            return
        if future.status == "finished":
            try:
                self._events.put(Done(attempt, future.result(timeout=ANSWER_SECONDS)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the attempt is over
                self._events.put(Failed(attempt, f"its answer is lost: {_words(error)}"))
        elif future.status == "cancelled":
            self._events.put(Failed(attempt, "the scheduler has cancelled it"))
        else:
            raised = future.exception(timeout=ANSWER_SECONDS)
            died = type(raised).__name__ == "KilledWorker"
            words = "its worker died" if died else f"the cluster says: {_words(raised)}"
            self._events.put(Failed(attempt, words, has_died=died))

    def forget(self, attempt: int) -> None:
        """A task that runs cannot be stopped; its slot is free when it ends."""

    def events(self, timeout: float) -> list[Event]:
        """See :class:`~immure.fleet.engine.Engine`."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._look()
            self._looked = time.monotonic()
        return drained(self._events, min(timeout, LOOK_SECONDS))

    def _look(self) -> None:
        """Who has come, and who has gone since the last look."""
        if self._client.status != "running":
            raise FleetError("the scheduler is gone", path=self.name)
        try:
            there = self._client.sync(self._identity, callback_timeout=ANSWER_SECONDS)["workers"]
        except Exception as error:
            raise FleetError(f"the scheduler is gone: {_words(error)}", path=self.name) from error
        marks = {address: (info.get("id"), info.get("name")) for address, info in there.items()}
        for address in [one for one, mark in self._workers.items() if marks.get(one) != mark]:
            del self._workers[address]
            self._drop(address)
        ready = self._ready([address for address in marks if address not in self._workers])
        for address in ready:
            self._workers[address] = marks[address]
            self._events.put(Joined(address, max(1, int(there[address].get("nthreads", 1)))))

    async def _identity(self) -> Any:
        """What the scheduler says. The client's own ``scheduler_info`` gives what was last heard, and that is
        now and then an answer to a question of its own, with no workers in it."""
        return await self._client.scheduler.identity(n_workers=-1)

    def _ready(self, addresses: list[str]) -> list[str]:
        from immure.fleet.engines.dask_worker import is_ready

        if not addresses:
            return []
        try:
            answers = self._client.run(is_ready, self._run, workers=addresses, on_error="ignore")
        except Exception:  # noqa: BLE001 - they are asked again at the next look
            return []
        return [address for address, ready in answers.items() if ready is True]

    def _drop(self, address: str) -> None:
        self._events.put(Gone(address))

    def now(self) -> float:
        """See :class:`~immure.fleet.engine.Engine`."""
        return time.monotonic()

    def _leave_run(self) -> None:
        """Take the question away from the workers, and what they have not begun."""
        futures, self._futures = list(self._futures.values()), {}
        with suppress(Exception):
            if self._run and self._client.status == "running":
                self._client.cancel(futures, force=True)
                self._client.unregister_worker_plugin(self._run)

    def close(self) -> None:
        """See :class:`~immure.fleet.engine.Engine`."""
        if self._closed:
            return
        self._closed = True
        self._leave_run()
        with suppress(Exception):
            self._client.close(timeout=5)
        self._fetching.shutdown(wait=False, cancel_futures=True)


def _words(error: BaseException | None) -> str:
    words = str(error).strip().partition("\n")[0][:300]
    return words or type(error).__name__
