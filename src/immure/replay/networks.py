"""A network of its own for each room, where the kernel lets us (root): a loopback interface, and no way out.

    network = Network.make()
    network.run(lambda: reaches(8080))      # False: what listens outside is not there

What serves in such a room is handed the socket that others may ask it by (:mod:`.entering` starts it); it can
be asked, and can call nobody. See namespaces(7), network_namespaces(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from immure.replay.errors import ReplayError

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_IFF_UP: Final = 1
#: struct ifreq: the name of an interface, its flags, and what is not used here.
_IFREQ: Final = struct.Struct("16sH22x")
Result = TypeVar("Result")


class Network:
    """A network namespace, which is there until it is closed.

    Attributes:
        descriptor: by which a thread or a process enters it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def make(cls) -> Network:
        """A new one.

        Raises:
            ReplayError: the kernel does not let us.
        """
        try:
            return cls(_in_thread(_unshared))
        except OSError as error:
            raise ReplayError(f"there can be no network namespace: {error.strerror}") from error

    def run(self, work: Callable[[], Result]) -> Result:
        """Do something inside; threads that it starts are inside, too."""

        def inside() -> Result:
            enter(self.descriptor)
            return work()

        return _in_thread(inside)

    def close(self) -> None:
        """Let go of it: the kernel ends it with the last process inside."""
        with suppress(OSError):
            os.close(self.descriptor)


def enter(descriptor: int) -> None:
    """Move this thread into a network namespace; raises OSError."""
    _called(ctypes.CDLL(None, use_errno=True).setns, descriptor, CLONE_NEWNET)


def reaches(host: str, port: int) -> bool:
    """Whether anything answers there, from where this thread is."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def _unshared() -> int:
    """A thread that is alone in a new network; the descriptor outlives it."""
    _called(ctypes.CDLL(None, use_errno=True).unshare, CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", _IFF_UP))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _called(function: Callable[..., int], *arguments: int) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_thread(work: Callable[[], Result]) -> Result:
    """What a thread of its own returns or raises: a namespace is a thread's, and ours stays as it is."""
    with ThreadPoolExecutor(1, "in-its-own-network") as alone:
        return alone.submit(work).result()
