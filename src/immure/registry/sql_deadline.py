"""Cuts connections that have been waited for too long.

A server that stands still answers nothing, and no timeout of its own ends that: a validator that asks whether
a key was burnt would wait for ever. Who shuts a socket down wakes up whoever reads from it.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from immure.registry.errors import RegistryError


class Deadline:
    """While it is entered, watched sockets are shut down once the time is over.

    Args:
        seconds: until then.
        path: for the message.

    Attributes:
        is_over: whether the time is over; what then fails is a RegistryError that says so.
    """

    def __init__(self, seconds: float, path: str) -> None:
        self._seconds, self._path = seconds, path
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_over = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def watch(self, handle: int) -> None:
        """Take in a socket by its file descriptor. Duplicated: the number may be another file's later."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(handle)))
            if self.is_over:
                self._shut_down()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        for each in self._sockets:
            with suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()
        if self.is_over and isinstance(error, SQLAlchemyError):
            raise RegistryError(f"was not done within {self._seconds:g} s", path=self._path) from error
