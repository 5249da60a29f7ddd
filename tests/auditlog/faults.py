"""Calls to the operating system that fail, that kill the process, or that are only recorded."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

#: What an append calls that changes something, or makes it last.
CALLS = ("open", "pwrite", "ftruncate", "fchmod", "fsync", "replace")

Hook = Callable[[str, Callable[[], Any], tuple[Any, ...]], Any]


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Send every one of the :data:`CALLS` through ``hook(name, call, arguments)``, in this process."""

    def wrapped(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            return hook(name, lambda: real(*arguments, **options), arguments)

        return call

    patches = [patch.object(os, name, wrapped(name)) for name in CALLS]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


class Fault:
    """Something goes wrong at the call with the number ``at``.

    ``how``: ``before`` it did anything, ``half`` way (a write), or ``after`` it was done. Then either the
    process is killed, or the call fails with an OSError.
    """

    def __init__(self, at: int, how: str, kill: bool) -> None:
        self.at, self.how, self.kill = at, how, kill
        self.count = 0
        self.struck: str | None = None

    def __call__(self, name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        number, self.count = self.count, self.count + 1
        if number != self.at or (self.how == "half" and name != "pwrite"):
            return call()
        self.struck = name
        if self.how == "after":
            result = call()
            if name == "open" and not self.kill:
                os.close(result)
        elif self.how == "half":
            handle, data, offset = arguments
            os.lseek(handle, offset, os.SEEK_SET)
            os.write(handle, bytes(data)[: len(data) // 2])
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC if name == "pwrite" else errno.EIO, "it broke")
