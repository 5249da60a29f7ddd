"""Connections that end in time, whatever the other side does, and words for what went wrong with them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from immure.keymaterial.sources_http import _Deadline
from immure.probe.answer import Answer, Outcome
from immure.probe.errors import TargetError

Tls = Literal["implicit", "starttls", "none"]
#: Bytes that are read of any answer.
MOST_BYTES: Final = 64 << 10


class BoundError(Exception):
    """An answer that is too long, or cannot be understood; never leaves a channel."""


@dataclass(frozen=True)
class Place:
    """Where to connect.

    Attributes:
        host, port: of the server.
        tls: from the beginning, after STARTTLS, or not at all.
        ca_file: certificates to trust instead of the system's.
        seconds: for one token, all in all.
    """

    host: str
    port: int
    tls: Tls = "implicit"
    ca_file: str | None = None
    seconds: float = 10.0

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken: always verified.

        Raises:
            TargetError: the file of certificates cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise TargetError("holds no certificates that can be read", path=self.ca_file) from error

    def secured(self, sock: socket.socket, deadline: _Deadline) -> ssl.SSLSocket:
        """The same connection with TLS."""
        made = self.context().wrap_socket(sock, server_hostname=self.host, do_handshake_on_connect=False)
        deadline.watch(made)
        made.do_handshake()
        return made


@contextmanager
def connected(place: Place) -> Iterator[tuple[socket.socket, _Deadline]]:
    """A connection, with TLS if it begins with it; shut when time is up, closed at the end."""
    with _Deadline(place.seconds) as deadline:
        sock = socket.create_connection((place.host, place.port), timeout=deadline.left)
        try:
            deadline.watch(sock)
            if place.tls == "implicit":
                sock = place.secured(sock, deadline)
            yield sock, deadline
        except Exception:
            if deadline.expired:
                raise TimeoutError from None
            raise
        finally:
            sock.close()


def failed(error: Exception) -> Answer:
    """The answer when there is none."""
    if isinstance(error, TimeoutError):
        return Answer(Outcome.NO_ANSWER, "no answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Answer(Outcome.NO_ANSWER, "the server's certificate is not trusted")
    if isinstance(error, socket.gaierror):
        return Answer(Outcome.NO_ANSWER, "the host's name cannot be resolved")
    if isinstance(error, ConnectionRefusedError):
        return Answer(Outcome.NO_ANSWER, "nobody listens there")
    if isinstance(error, ConnectionError | EOFError | ssl.SSLEOFError):
        return Answer(Outcome.BROKE, "the connection was dropped")
    if isinstance(error, ssl.SSLError):  # also when a server leaves in the middle of a token
        return Answer(Outcome.BROKE, "TLS broke off")
    if isinstance(error, BoundError):
        return Answer(Outcome.UNCLEAR, str(error))
    return Answer(Outcome.NO_ANSWER, f"no connection ({type(error).__name__})")
