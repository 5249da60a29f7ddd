"""A lock that is free in the child of a fork, whoever held it in the parent."""

from __future__ import annotations

import os
import threading

from immure.tokens.fork_lock import ForkLock


def in_child(ask: ForkLock) -> bool:
    """Whether a child gets the lock."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if ask.acquire(blocking=False) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_it_is_a_lock() -> None:
    lock = ForkLock()
    with lock:
        assert not lock.acquire(blocking=False)
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_thread_that_holds_it_is_not_in_the_child() -> None:
    lock, taken, enough = ForkLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            enough.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    try:
        assert in_child(lock)
        assert not lock.acquire(blocking=False)  # in the parent it is still held
    finally:
        enough.set()
        thread.join()
