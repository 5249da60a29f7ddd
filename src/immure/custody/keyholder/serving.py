"""The holder's loop: one thread reads requests, asks the desk, and writes answers; others sign.

A connection has bounds: unfinished frames, answers that nobody reads, requests in flight. A front end that
breaks the protocol loses its connection; the others do not notice.
"""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final

from immure.custody.keyholder.desk import Desk, Done, Pending
from immure.custody.keyholder.errors import HolderError, HolderRequestError
from immure.custody.keyholder.native import Native
from immure.custody.keyholder.protocol import Frames, Op, encode, encode_error

#: Requests of one connection that may be in flight; bytes of answers that may wait to be read.
MOST_IN_FLIGHT: Final = 2048
MOST_UNREAD: Final = 4 << 20
MOST_CONNECTIONS: Final = 64
_MOST_HANDLES: Final = 4
_READ: Final = 64 << 10
_ANCILLARY: Final = socket.CMSG_SPACE(_MOST_HANDLES * 4)
_CREDENTIALS: Final = struct.Struct("iII")


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end (``SO_PEERCRED``, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid


class Connection:
    """One front end."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.stream = stream
        self.frames = Frames()
        self.out = bytearray()
        self.in_flight = 0
        self.handles: list[int] = []
        self.is_open = True

    @property
    def reads(self) -> bool:
        """Whether there is room for more."""
        return self.in_flight < MOST_IN_FLIGHT and len(self.out) < MOST_UNREAD

    def receive(self) -> bytes:
        """What came in; nothing means that the other end is closed."""
        data, ancillary, _, _ = self.stream.recvmsg(_READ, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(content[: len(content) - len(content) % found.itemsize])
                self.handles += found
        if len(self.handles) > _MOST_HANDLES:
            raise HolderRequestError("too many descriptors")
        return data

    def send(self) -> None:
        """Write what can be written now."""
        try:
            while self.out:
                del self.out[: self.stream.send(self.out)]
        except BlockingIOError:
            pass

    def take_handles(self) -> list[int]:
        """The descriptors that came with a request; whoever takes them closes them."""
        taken, self.handles = self.handles, []
        return taken

    def close(self) -> None:
        """Let go of it."""
        self.is_open = False
        close_all(self.take_handles())
        self.stream.close()


def close_all(handles: Iterable[int]) -> None:
    """Close descriptors."""
    for handle in handles:
        os.close(handle)


class Serving:
    """Serves who started it until that one goes, and meanwhile who comes to the listener, if there is one."""

    def __init__(self, desk: Desk, native: Native, event: int, listener: socket.socket | None = None) -> None:
        self._desk = desk
        self._native = native
        self._event = event
        self._listener = listener
        self._uids: frozenset[int] = frozenset()
        self._connections: dict[int, Connection] = {}
        self._pending: dict[int, tuple[Connection, int, Done]] = {}
        self._poll = select.poll()
        self._stop = False
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the front end ends us by closing

    def _on_signal(self, *_: Any) -> None:
        self._stop = True

    def allow(self, uids: Iterable[int]) -> None:
        """Users from whom the listener takes connections."""
        self._uids = frozenset(uids)

    def add(self, stream: socket.socket) -> Connection:
        """A connection that is there already."""
        made = Connection(stream)
        self._connections[stream.fileno()] = made
        self._poll.register(stream, select.POLLIN)
        return made

    def run(self, first: socket.socket) -> None:
        """Serve until the first connection ends, or SIGTERM comes."""
        starter = self.add(first)
        self._poll.register(self._event, select.POLLIN)
        if self._listener is not None:
            self._poll.register(self._listener, select.POLLIN)
        while not self._stop and starter.is_open:
            for handle, _ in self._poll.poll(1000):
                self._on_event(handle)
        for connection in list(self._connections.values()):
            self._end(connection)

    def _on_event(self, handle: int) -> None:
        if handle == self._event:
            self._collect()
        elif self._listener is not None and handle == self._listener.fileno():
            self._accept(self._listener)
        elif handle in self._connections:
            connection = self._connections[handle]
            try:
                if connection.reads:
                    self._read(connection)
                self._flush(connection)
            except (OSError, HolderRequestError):
                self._end(connection)

    def _accept(self, listener: socket.socket) -> None:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        if peer_of(stream)[1] in self._uids and len(self._connections) < MOST_CONNECTIONS:
            connection = self.add(stream)
            connection.out += encode(Op.OK, 0, b"{}")
            self._try_flush(connection)
        else:
            stream.close()

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.receive()
        except BlockingIOError:
            return
        if not data:
            raise HolderRequestError("the front end is gone")
        for frame in connection.frames.feed(data):
            handles = connection.take_handles() if connection.handles else []
            try:
                answer = self._desk.answer(frame, handles)
            except HolderError as error:
                connection.out += encode_error(frame.id, error)
                continue
            finally:
                if handles:
                    close_all(handles)
            if isinstance(answer, Pending):
                connection.in_flight += 1
                self._pending[answer.number] = connection, frame.id, answer.done
            else:
                connection.out += encode(Op.OK, frame.id, answer)

    def _collect(self) -> None:
        touched = set()
        for number, result in self._native.collect():
            connection, asked, done = self._pending.pop(number)
            connection.in_flight -= 1
            try:
                answer = encode(Op.OK, asked, done(result))
            except HolderError as error:
                answer = encode_error(asked, error)
            if connection.is_open:
                connection.out += answer
                touched.add(connection)
        for connection in touched:
            self._try_flush(connection)

    def _try_flush(self, connection: Connection) -> None:
        try:
            self._flush(connection)
        except OSError:
            self._end(connection)

    def _flush(self, connection: Connection) -> None:
        connection.send()
        wanted = (select.POLLIN if connection.reads else 0) | (select.POLLOUT if connection.out else 0)
        self._poll.modify(connection.stream, wanted)

    def _end(self, connection: Connection) -> None:
        if connection.is_open:
            self._poll.unregister(connection.stream)
            del self._connections[connection.stream.fileno()]
            connection.close()
