"""A worker holds what it scans, and so the keys in it: its own memory must not end up in a dump."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_out_of_dumps(*, others_too: bool) -> None:
    """No core of this process. ``others_too``: no look into it for others of the same user either, which
    also hides its own ``/proc`` from the monitors of a cluster (``prctl(2)``)."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if others_too and sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
