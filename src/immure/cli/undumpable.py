"""A scanner that finds keys holds keys: its own memory must not end up in a dump."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_memory_out_of_dumps() -> None:
    """No core of this process, and no look into it for others of the same user (``prctl(2)``, dumpable).

    The limit alone would not do: the kernel ignores it where ``core_pattern`` is a pipe. What a system does
    not have or does not allow is left out, because a scan without it is better than none.
    """
    with suppress(OSError, ValueError):
        # the hard limit stays: immure drill starts programs that are to leave cores
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes  # some 10 ms; the kernels' own extension would cost more

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
