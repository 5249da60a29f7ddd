"""What the kernel and a core-dump server say to each other on the socket.

With ``core_pattern`` = ``@/path`` (Linux 6.16) the kernel connects and sends the core. With ``@@/path``
(Linux 6.17) it first says what it can do, waits for an answer, and sends a mark:

    kernel  → struct coredump_req { u32 size; u32 size_ack; u64 mask }
    server  → struct coredump_ack { u32 size; u32 spare; u64 mask }
    kernel  → u32 mark: 0 if the answer was understood
    kernel  → the core, if that was what the server asked for

Source: ``include/uapi/linux/coredump.h`` of Linux 6.17. Numbers are in the machine's own byte order. Which of
the two a connection speaks is told by its first bytes: a core begins with ``\\x7fELF``.

>>> parse_request(Request(mask=0b1111).to_bytes())
Request(mask=15, ack_bytes=16)
>>> Verdict.REFUSE
<Verdict.REFUSE: 4>
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from immure.errors import CaptureError

_REQUEST: Final = struct.Struct("=IIQ")
_ACK: Final = struct.Struct("=IIQ")
_MARK: Final = struct.Struct("=I")
#: Longest request that is believed; what later kernels add behind the known fields is skipped.
_MOST_BYTES: Final = 4096
_MARKS: Final = {
    1: "the answer is too short",
    2: "the answer is too long",
    3: "the answer asks for what it does not know",
    4: "the answer contradicts itself",
}


class Verdict(IntFlag):
    """What becomes of a core; the bits of both masks."""

    KERNEL = 1
    """The kernel writes the core to the socket."""
    USERSPACE = 2
    """The server takes the memory itself; no core is sent."""
    REFUSE = 4
    """There will be no core."""
    WAIT = 8
    """The process stays until the server hangs up."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the kernel offers: a mask of :class:`Verdict`, and how many bytes of an answer it understands."""

    mask: int
    ack_bytes: int = _ACK.size

    def to_bytes(self) -> bytes:
        """As the kernel sends it."""
        return _REQUEST.pack(_REQUEST.size, self.ack_bytes, self.mask)


def parse_request(data: bytes) -> Request:
    """The request in ``data``, which may be longer than what we know of it.

    Raises:
        CaptureError: it is too short, or its sizes contradict it.
    """
    if len(data) < _REQUEST.size:
        raise CaptureError(f"a request of {len(data)} bytes is too short")
    size, ack_bytes, mask = _REQUEST.unpack_from(data)
    if not _REQUEST.size <= size <= _MOST_BYTES or ack_bytes < _ACK.size:
        raise CaptureError(f"a request with sizes {size} and {ack_bytes} is not understood")
    return Request(mask, ack_bytes)


def ack(request: Request, verdict: Verdict) -> bytes:
    """The answer. A request to wait is left out if this kernel does not know it.

    Raises:
        CaptureError: the kernel offers something else only.
    """
    offered = Verdict(request.mask & 0b1111)
    wanted = verdict & (offered | ~Verdict.WAIT)
    if wanted & ~offered:
        raise CaptureError(f"the kernel does not offer {wanted!r}, only {offered!r}")
    return _ACK.pack(_ACK.size, 0, int(wanted))


def asks_first(connection: socket.socket) -> bool:
    """Whether the kernel waits for an answer; nothing is taken from the connection.

    Raises:
        CaptureError: nothing comes, or what comes is neither a request nor a core.
    """
    head = _peek(connection, 4)
    if head == b"\x7fELF":
        return False
    if len(head) == 4 and _REQUEST.size <= _MARK.unpack(head)[0] <= _MOST_BYTES:
        return True
    raise CaptureError("what comes is neither a core nor a request" if head else "hung up at once")


def read_request(connection: socket.socket) -> Request:
    """Take the request from the connection.

    Raises:
        CaptureError: it breaks off, or is not understood.
    """
    head = _take(connection, _MARK.size)
    size = _MARK.unpack(head)[0]
    if not _REQUEST.size <= size <= _MOST_BYTES:
        raise CaptureError(f"a request of {size} bytes is not understood")
    return parse_request(head + _take(connection, size - _MARK.size))


def answer(connection: socket.socket, request: Request, verdict: Verdict) -> None:
    """Send the answer, and take the mark.

    Raises:
        CaptureError: the kernel does not accept it, or has gone.
    """
    try:
        connection.sendall(ack(request, verdict))
    except OSError as error:
        raise CaptureError(f"the kernel has hung up: {error.strerror}") from error
    mark = _MARK.unpack(_take(connection, _MARK.size))[0]
    if mark:
        raise CaptureError(f"the kernel says: {_MARKS.get(mark, f'mark {mark}')}")


def _peek(connection: socket.socket, length: int) -> bytes:
    try:
        return connection.recv(length, socket.MSG_PEEK | socket.MSG_WAITALL)
    except OSError as error:
        raise CaptureError(f"nothing comes: {error.strerror or error}") from error


def _take(connection: socket.socket, length: int) -> bytes:
    try:
        data = connection.recv(length, socket.MSG_WAITALL)
    except OSError as error:
        raise CaptureError(f"nothing comes: {error.strerror or error}") from error
    if len(data) < length:
        raise CaptureError("hung up in the middle of a message")
    return data
