"""Protocols of lines, bounded: so many bytes of any line, and of all lines of one connection.

Python's own clients of IMAP and SMTP read literals and continuation lines without such bounds, and shake
hands for STARTTLS without an end in time; a probe speaks to servers that may be broken, and needs a dozen
lines of either protocol.
"""

from __future__ import annotations

import socket
from typing import Final

from immure.keymaterial.sources_http import _Deadline
from immure.probe.channels.connection import MOST_BYTES, BoundError, Place

_LONGEST: Final = 8192


class Lines:
    """Lines over a connection.

    Args:
        sock: the connection.
        deadline: that ends it.
    """

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._kept = b""
        self._left = MOST_BYTES

    def read(self) -> bytes:
        """The next line, without what ends it.

        Raises:
            BoundError: it, or all of them, are too long.
            EOFError: there is none.
        """
        while b"\n" not in self._kept:
            if len(self._kept) > _LONGEST:
                raise BoundError("the server's line is too long")
            data = self._sock.recv(min(4096, self._left + 1))
            if not data:
                raise EOFError
            self._left -= len(data)
            if self._left < 0:
                raise BoundError("the server says too much")
            self._kept += data
        line, _, self._kept = self._kept.partition(b"\n")
        if len(line) > _LONGEST:
            raise BoundError("the server's line is too long")
        return line.rstrip(b"\r")

    def send(self, line: bytes) -> None:
        """Send a line."""
        self._sock.sendall(line + b"\r\n")

    def secure(self, place: Place) -> None:
        """Go on with TLS.

        Raises:
            BoundError: the server has said more in the clear, which would be taken for an answer under TLS.
        """
        if self._kept:
            raise BoundError("the server says more than it was asked before TLS begins")
        self._sock = place.secured(self._sock, self._deadline)

    def close(self) -> None:
        """Close what is open; TLS has taken the place of the first connection."""
        self._sock.close()
