"""Who is on the other end of the core-dump socket: a process that the kernel is dumping, or somebody else.

The kernel connects in the crashed process's name, so the peer of the connection is that process. Only one
that is in the midst of a core dump counts: anybody else who connects is refused. A process cannot claim
that: the kernel notes it, and tells through a pidfd (``SO_PEERPIDFD``, ``PIDFD_GET_INFO``).

Source: ``include/uapi/linux/pidfd.h`` and unix(7); since Linux 6.16.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

from immure.capture.crash import Crash
from immure.errors import CaptureError

_SO_PEERPIDFD: Final = 77  # asm-generic/socket.h; Python knows no name for it
_CREDENTIALS: Final = struct.Struct("=iII")
#: struct pidfd_info as far as the fields of core dumps: mask, cgroup; pid, tgid, ppid, four pairs of ids;
#: exit code, mask of the core dump, spare.
_INFO: Final = struct.Struct("=QQ11IiII")
_INFO_BYTES: Final = 72
_PIDFD_GET_INFO: Final = 3 << 30 | _INFO_BYTES << 16 | 0xFF << 8 | 11  # _IOWR(0xFF, 11, struct pidfd_info)
_INFO_PID, _INFO_CREDS, _INFO_COREDUMP = 1 << 0, 1 << 1, 1 << 4
_COREDUMPED, _COREDUMP_ROOT = 1 << 0, 1 << 3


@dataclass(frozen=True, slots=True)
class PidfdInfo:
    """What the kernel says of a process: ids, and the mask of its core dump (0 if there is none)."""

    pid: int
    uid: int
    gid: int
    coredump: int

    @property
    def is_dumping(self) -> bool:
        """Whether the kernel is writing, or has written, its core."""
        return bool(self.coredump & _COREDUMPED)


def credentials(connection: socket.socket) -> tuple[int, int, int]:
    """(pid, uid, gid) of who connected (``SO_PEERCRED``).

    Raises:
        CaptureError: the kernel does not say.
    """
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError as error:
        raise CaptureError(f"cannot tell who connected: {error.strerror}") from error
    pid, uid, gid = _CREDENTIALS.unpack(data)
    return pid, uid, gid


def pidfd_info(connection: socket.socket) -> PidfdInfo | None:
    """What the kernel says of the process that connected; None if this kernel cannot be asked."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, 4)
    except OSError:
        return None
    pidfd = struct.unpack("=i", raw)[0]
    try:
        return _ask(pidfd)
    except OSError:
        return None
    finally:
        os.close(pidfd)


def _ask(pidfd: int) -> PidfdInfo:
    buffer = bytearray(_INFO.pack(_INFO_PID | _INFO_CREDS | _INFO_COREDUMP, *[0] * 15))
    fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    mask, _, _, tgid, _, uid, gid, *rest = _INFO.unpack(buffer)
    return PidfdInfo(tgid, uid, gid, rest[-2] if mask & _INFO_COREDUMP else 0)


def crash_of(connection: socket.socket) -> Crash:
    """The crash that a connection is about.

    Raises:
        CaptureError: who connected is no process that is being dumped, or is this very process.
    """
    pid, _, _ = credentials(connection)
    if pid == os.getpid():
        raise CaptureError("this process itself: its memory must not be dumped")
    info = pidfd_info(connection)
    if info is None:
        raise CaptureError(f"this kernel does not tell whether process {pid} is being dumped")
    if not info.is_dumping:
        raise CaptureError(f"process {pid} is not being dumped")
    return Crash(pid, uid=info.uid, gid=info.gid, privileged=bool(info.coredump & _COREDUMP_ROOT))
