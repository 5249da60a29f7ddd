"""A lock that is free in the child of a fork.

Servers fork their workers when sources of keys already have threads. A thread of the parent may hold a lock
then; the child has a copy of it that nobody will ever release. What these locks guard is values that
are replaced as a whole, so the child may go on with what it finds.
"""

from __future__ import annotations

import os
import threading
import weakref


class ForkLock:
    """As :class:`threading.Lock`, and free in a child."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take it; False if it is taken and ``blocking`` is False."""
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Make it free; for the only thread that there is."""
        self._lock = threading.Lock()


_locks: weakref.WeakSet[ForkLock] = weakref.WeakSet()


def _renew_all() -> None:
    for one in list(_locks):
        one.renew()


os.register_at_fork(after_in_child=_renew_all)
