"""Reads a channel ahead: one thread reads while another one encrypts and stores.

The buffers are used again and again, so whoever takes a piece has to be done with it when it takes the next.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import SimpleQueue
from typing import Final, cast

from immure.capture.channel import Channel

#: Large enough that taking turns costs little, small enough for some dozen of them.
PIECE_BYTES: Final = 4 << 20
_BUFFERS: Final = 3


class Incoming:
    """The bytes of a channel, in pieces, read ahead by a thread of its own.

    The channel is closed (unless it is to hold the process) as soon as its last byte was read, not when that
    was stored.
    """

    def __init__(self, channel: Channel, *, piece_bytes: int = PIECE_BYTES) -> None:
        self._channel = channel
        self._free: SimpleQueue[bytearray | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[bytearray, int] | Exception | None] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(bytearray(piece_bytes))

    def pieces(self) -> Generator[bytes]:
        """The bytes, in order. Each piece is valid until the next is asked for.

        Raises:
            CaptureError: the core will not come, or nothing came for too long.
            OSError: the channel cannot be read.
        """
        reader = threading.Thread(target=self._read, name="capture reader", daemon=True)
        reader.start()
        ended = False
        try:
            while not ended:
                read = self._full.get()
                if isinstance(read, Exception):
                    raise read
                if read is None:
                    ended = True
                    continue
                buffer, length = read
                # the spool takes whatever can be sliced and compared as bytes can
                yield cast(bytes, buffer if length == len(buffer) else buffer[:length])
                self._free.put(buffer)
        finally:
            if not ended:
                self._free.put(None)
                self._channel.stop()
            reader.join()

    def _read(self) -> None:
        try:
            self._channel.begin()
            while (buffer := self._free.get()) is not None:
                length = self._channel.read_into(buffer)
                if length == 0:
                    break
                self._full.put((buffer, length))
            self._let_go()
            self._full.put(None)
        except Exception as error:  # noqa: BLE001 - raised where the pieces are taken, whatever it is
            self._let_go()
            self._full.put(error)

    def _let_go(self) -> None:
        if not self._channel.hold:
            self._channel.close()
