"""The lock of a room: held by whoever writes, be it an event or the whole database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.access.errors import AccessError

NAME: Final = "lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep all others from writing to the room in a directory; waits for them.

    Raises:
        AccessError: there is no such directory, or it cannot be written.
    """
    try:
        handle = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AccessError(error.strerror or "cannot be locked", path=str(directory)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
