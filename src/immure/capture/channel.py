"""Where a core comes from: the kernel's socket, or the pipe that a handler was given.

Both are read into large buffers, for every call costs a wait for Python's lock. As long as a channel is open,
the kernel holds the crashed process.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

from immure.capture import protocol
from immure.capture.protocol import Request, Verdict
from immure.errors import CaptureError

#: Seconds without a byte after which the other side counts as stuck.
STALLED_SECONDS: Final = 60
_PIPE_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031
_LOOK_MILLISECONDS: Final = 250


class StalledError(CaptureError):
    """Nothing came for too long."""


class Channel(ABC):
    """A core to be read. ``hold`` asks that the process stays until :meth:`close`; when that was, says
    ``closed_at`` (of the monotonic clock)."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.closed_at: float | None = None

    @abstractmethod
    def begin(self) -> None:
        """Say that the core is wanted.

        Raises:
            CaptureError: it will not come.
        """

    @abstractmethod
    def read_into(self, buffer: bytearray) -> int:
        """Fill the buffer, with less only at the end; 0 behind the end.

        Raises:
            StalledError: nothing came for :data:`STALLED_SECONDS`.
            OSError: it cannot be read.
        """

    @abstractmethod
    def refuse(self) -> None:
        """Say that the core is not wanted, and let the process go. Never fails: it may have gone already."""

    @abstractmethod
    def stop(self) -> None:
        """Let whoever reads in another thread come back soon; that one closes."""

    def close(self) -> None:
        """Let the process go. Idempotent; not while another thread reads."""
        if self.closed_at is None:
            self.closed_at = time.monotonic()
            self._close()

    @abstractmethod
    def _close(self) -> None:
        """Close it, once."""


class SocketChannel(Channel):
    """A connection from the kernel.

    Args:
        connection: taken over.
        request: what the kernel asked, if it speaks ``@@``; None for ``@``.
        hold: see :class:`Channel`; the kernel does so with ``@@`` only.
    """

    def __init__(self, connection: socket.socket, request: Request | None, *, hold: bool = False) -> None:
        super().__init__(hold=hold)
        self._connection = connection
        self._request = request

    @classmethod
    def meet(cls, connection: socket.socket, *, hold: bool = False) -> SocketChannel:
        """A channel for a fresh connection.

        Raises:
            CaptureError: what comes is no core, and no question whether one is wanted.
        """
        set_timeout(connection, STALLED_SECONDS)
        request = protocol.read_request(connection) if protocol.asks_first(connection) else None
        return cls(connection, request, hold=hold)

    def begin(self) -> None:
        """See :class:`Channel`."""
        if self._request is not None:
            verdict = Verdict.KERNEL | Verdict.WAIT if self.hold else Verdict.KERNEL
            protocol.answer(self._connection, self._request, verdict)

    def read_into(self, buffer: bytearray) -> int:
        """See :class:`Channel`."""
        try:
            return self._connection.recv_into(buffer, len(buffer), socket.MSG_WAITALL)
        except BlockingIOError as error:
            raise StalledError(f"nothing came for {STALLED_SECONDS} s") from error

    def refuse(self) -> None:
        """See :class:`Channel`."""
        if self._request is not None:
            with suppress(OSError, CaptureError):
                self._connection.sendall(protocol.ack(self._request, Verdict.REFUSE))
        self.close()

    def stop(self) -> None:
        """See :class:`Channel`."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        self.stop()
        self._connection.close()


class PipeChannel(Channel):
    """The reading end of the pipe that the kernel writes a core to.

    The kernel waits for the reader only if ``core_pipe_limit`` is not 0. Linux lets root have a larger pipe,
    which saves changes of context.
    """

    def __init__(self, descriptor: int, *, hold: bool = False) -> None:
        super().__init__(hold=hold)
        self._descriptor = descriptor
        with suppress(OSError):
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._stopped = False

    def begin(self) -> None:
        """Nothing has to be said."""

    def read_into(self, buffer: bytearray) -> int:
        """See :class:`Channel`."""
        view, done = memoryview(buffer), 0
        while done < len(view):
            self._await_bytes()
            count = os.readv(self._descriptor, [view[done:]])
            if count == 0:
                break
            done += count
        return done

    def _await_bytes(self) -> None:
        for _ in range(STALLED_SECONDS * 1000 // _LOOK_MILLISECONDS):
            if self._stopped:
                raise CaptureError("given up")
            if self._poll.poll(_LOOK_MILLISECONDS):
                return
        raise StalledError(f"nothing came for {STALLED_SECONDS} s")

    def refuse(self) -> None:
        """Hang up: the kernel gives up writing."""
        self.close()

    def stop(self) -> None:
        """See :class:`Channel`."""
        self._stopped = True

    def _close(self) -> None:
        os.close(self._descriptor)


def set_timeout(connection: socket.socket, seconds: int) -> None:
    """A bound on each wait that leaves the socket blocking: ``MSG_WAITALL`` needs that."""
    moment = struct.pack("@ll", seconds, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, moment)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, moment)
