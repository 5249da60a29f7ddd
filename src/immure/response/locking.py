"""One process at a time, for work on an incident that must not be done twice at once."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.response.errors import BusyError, IncidentError

_POLL: Final = 0.01


@contextmanager
def exclusive(path: Path, *, seconds: float = 60.0) -> Iterator[None]:
    """Hold the lock in a file; it goes with the process, however that ends.

    Args:
        path: of the file; made if it is not there.
        seconds: how long to wait for another one who holds it.

    Raises:
        BusyError: another one held it for so long.
        IncidentError: the file cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise IncidentError(error.strerror or str(error), path=str(path)) from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError("another process is at this work", path=str(path)) from None
                time.sleep(_POLL)
        yield
    finally:
        os.close(handle)
