"""An agent that holds keys (draft-ietf-sshm-ssh-agent), asked over its Unix socket.

Its answers are those of a stranger: their size, their number and the time for all of them are bounded.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from immure.access.room import deny
from immure.access.sudo.wire import Reader, string
from immure.errors import InputError

#: Of an answer, as OpenSSH's own limit; of keys in it.
MOST_BYTES: Final = 256 << 10
MOST_KEYS: Final = 256
_LIST, _LISTED, _SIGN, _SIGNED = 11, 12, 13, 14
_CREDENTIALS: Final = struct.Struct("3i")


class Agent:
    """A connection to an agent.

    Every method raises DeniedError (rule ``agent``) if the agent does not answer in time, or not as one.

    Args:
        connection: to it.
        seconds: for all answers together; a person may have to touch a key and give its PIN.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def identities(self) -> list[bytes]:
        """The public keys and certificates (blobs) that it has."""
        kind, reader = self._ask(bytes([_LIST]))
        if kind != _LISTED:
            deny("agent", "the agent does not list its keys")
        found = []
        try:
            for _ in range(min(reader.number(), MOST_KEYS)):
                found.append(reader.string())
                reader.string()  # a comment
        except InputError as error:
            deny("agent", error.reason)
        return found

    def sign(self, key: bytes, data: bytes) -> bytes:
        """The signature of one of its keys over ``data``."""
        kind, reader = self._ask(bytes([_SIGN]) + string(key) + string(data) + struct.pack(">I", 0))
        if kind != _SIGNED:
            deny(
                "agent",
                "the agent does not sign: refused there, or no security key is plugged in",
            )
        try:
            return reader.string()
        except InputError as error:
            deny("agent", error.reason)

    def _ask(self, message: bytes) -> tuple[int, Reader]:
        try:
            self._connection.settimeout(self._left())
            self._connection.sendall(string(message))
            (size,) = struct.unpack(">I", self._receive(4))
            if not 0 < size <= MOST_BYTES:
                deny("agent", f"an answer of the agent of {size} bytes; there may be {MOST_BYTES}")
            body = self._receive(size)
        except OSError as error:
            deny("agent", f"the agent does not answer: {error.strerror or 'in time'}")
        return body[0], Reader(body[1:], "an answer of the agent")

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._connection.settimeout(self._left())
            part = self._connection.recv(min(size - len(data), 1 << 16))
            if not part:
                deny("agent", "the agent has hung up")
            data += part
        return bytes(data)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            deny("agent", "the agent does not answer in time")
        return left


@contextmanager
def connected(path: str, uid: int, seconds: float) -> Iterator[Agent]:
    """An agent at a path that a user names. The caller has the rights of that user and no others, so that the
    path leads nowhere where the user could not go; and who listens there must be a process of theirs.

    Raises:
        DeniedError: there is none, or it is that of somebody else (rules ``no-agent`` and ``agent-owner``).
    """
    if not path.startswith("/") or len(os.fsencode(path)) > 107 or "\0" in path:
        deny("no-agent", "there is no agent: SSH_AUTH_SOCK names no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(min(seconds, 5.0))
        try:
            connection.connect(path)
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError as error:
            deny("no-agent", f"there is no agent: {error.strerror or 'it does not answer'}")
        if _CREDENTIALS.unpack(raw)[1] != uid:
            deny("agent-owner", "the agent is that of another user")
        yield Agent(connection, seconds)
