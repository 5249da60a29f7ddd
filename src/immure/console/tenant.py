"""A tenant while the console runs: its settings, and what has been opened of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from immure.clock import Clock, now
from immure.console.roles import Role
from immure.console.settings import Settings, TenantSettings

T = TypeVar("T")


class Tenant:
    """What pages get as ``request.state.tenant``.

    Args:
        settings: of the tenant.
        console: of the whole console.
        clock: tells the time.
    """

    def __init__(self, settings: TenantSettings, console: Settings, clock: Clock = now) -> None:
        self.settings, self.console, self.clock = settings, console, clock
        self._opened: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._mutex = threading.Lock()

    @property
    def name(self) -> str:
        """In addresses."""
        return self.settings.name

    @property
    def title(self) -> str:
        """For people."""
        return self.settings.title

    def role_of(self, person: str) -> Role | None:
        """What a person may do here; None if this tenant is not theirs to know of."""
        return self.settings.roles.get(person)

    def source(self, name: str, make: Callable[[TenantSettings], T]) -> T:
        """What ``make`` has opened under this name, which happens once. An error of ``make`` goes to whoever
        asks, and the next to ask tries again."""
        with self._mutex:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._opened:
                self._opened[name] = make(self.settings)
            return cast(T, self._opened[name])

    def close(self) -> None:
        """Close what can be closed."""
        with self._mutex:
            opened, self._opened = list(self._opened.values()), {}
        for one in opened:
            close = getattr(one, "close", None)
            if close is not None:
                close()
