"""Messages over a pipe: four bytes of length, big-endian, then so many bytes."""

from __future__ import annotations

from typing import IO

from immure.fleet.errors import WireError
from immure.fleet.wire import MOST_BYTES


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write one message.

    Raises:
        WireError: it is too long.
        OSError: nobody reads any more.
    """
    if len(data) > MOST_BYTES:
        raise WireError(f"{len(data)} bytes in one message: the limit is {MOST_BYTES}")
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end, also one in the midst of a message.

    Raises:
        WireError: it is too long.
    """
    head = stream.read(4)
    if len(head) < 4:
        return None
    length = int.from_bytes(head, "big")
    if length > MOST_BYTES:
        raise WireError(f"{length} bytes in one message: the limit is {MOST_BYTES}")
    data = stream.read(length)
    return data if len(data) == length else None
