"""Keeps the memory of a process out of the swap: parts of cores are in it, readable."""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
#: Numbers of capabilities (capabilities(7)).
CAP_IPC_LOCK: Final = 14
CAP_SYS_RESOURCE: Final = 24


def lock_memory() -> str | None:
    """Lock every page that this process has and will have, once it is used (mlockall(2)); why that could not
    be done, if so.

    Without the right to lock without a bound it is not tried: beyond the bound no memory could be had at all.
    """
    unbounded = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not unbounded and not has_capability(CAP_IPC_LOCK):
        return "no right to lock memory (CAP_IPC_LOCK): see to it that there is no swap"
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        return os.strerror(ctypes.get_errno())
    return None


def has_capability(number: int) -> bool:
    """Whether this process has a capability."""
    with open("/proc/self/status", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False
