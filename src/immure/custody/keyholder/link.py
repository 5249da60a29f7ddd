"""The front end's end of the socket, for threads: answers find who waits for them, in any order."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count

from immure.custody.keyholder.errors import HolderError, HolderGoneError
from immure.custody.keyholder.protocol import Frames, Op, decode_error, encode

_READ = 64 << 10


def check_process(pid: int, path: str) -> None:
    """A fork has the same socket, and would take the other's answers: raises HolderGoneError in one."""
    if os.getpid() != pid:
        raise HolderGoneError(
            "belongs to the process that this one was forked from; start one here", path=path
        )


class Link:
    """One connection to a holder, for any number of threads; when it breaks, everybody who waits is told."""

    def __init__(self, stream: socket.socket, path: str) -> None:
        self.path = path
        self.is_open = True
        self._pid = os.getpid()
        self._stream = stream
        self._sending = threading.Lock()
        self._numbers = count(1)
        self._waiting: dict[int, Future[bytes]] = {}
        self._state = threading.Lock()
        threading.Thread(target=self._read, name="immure-keyholder", daemon=True).start()

    def submit(self, op: Op, body: bytes, handles: Sequence[int] = ()) -> Future[bytes]:
        """Send a request; the future has the answer's body, or raises HolderError."""
        return self.submit_all(op, [body], handles)[0]

    def submit_all(self, op: Op, bodies: Sequence[bytes], handles: Sequence[int] = ()) -> list[Future[bytes]]:
        """Send requests together; raises HolderGoneError if the connection is broken already."""
        check_process(self._pid, self.path)
        futures: list[Future[bytes]] = [Future() for _ in bodies]
        numbers = [next(self._numbers) for _ in bodies]
        data = b"".join(encode(op, number, body) for number, body in zip(numbers, bodies, strict=True))
        with self._state:
            if not self.is_open:
                raise self._gone()
            self._waiting.update(zip(numbers, futures, strict=True))
        try:
            with self._sending:
                if handles:
                    data = data[socket.send_fds(self._stream, [data], list(handles)) :]
                self._stream.sendall(data)
        except OSError as error:
            self.fail(f"cannot be reached: {error}")
        return futures

    def _read(self) -> None:
        frames = Frames()
        reason = "the key holder is gone"
        try:
            while data := self._stream.recv(_READ):
                for frame in frames.feed(data):
                    future = self._waiting.pop(frame.id, None)
                    if future is None:
                        continue
                    if frame.op is Op.OK:
                        future.set_result(frame.body)
                    else:
                        future.set_exception(decode_error(frame.body, self.path))
        except (OSError, HolderError) as error:
            reason = f"the key holder cannot be understood: {error}"
        self.fail(reason)

    def fail(self, reason: str) -> None:
        """End the connection, and tell everybody who waits."""
        with self._state:
            self.is_open = False
            waiting, self._waiting = self._waiting, {}
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        for future in waiting.values():
            if not future.done():
                future.set_exception(self._gone(reason))

    def _gone(self, reason: str = "the key holder is gone") -> HolderGoneError:
        return HolderGoneError(
            f"{reason}; what was asked of it and not answered was not given out", path=self.path
        )
