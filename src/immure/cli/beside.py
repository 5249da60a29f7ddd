"""Long work beside the main thread, so that Ctrl-C is heard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def beside(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; it runs in a thread of its own.

    Only the main thread is told of Ctrl-C, and only between two steps of Python. A step of native code may
    take half a minute in exhaustive mode, so the main thread does nothing but wait.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits for it
            outcome.set_exception(error)

    threading.Thread(target=run, name="work", daemon=True).start()
    return outcome.result()
