"""Frames of zstd (RFC 8878), decompressed without holding the global lock.

The library that does this takes from its source what it wants, and does not say how much of that it used.
So the source here gives it exactly one frame: it steps from block header to block header, and knows where
the frame ends, and whether it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Protocol, cast

from immure.errors import ImageError

_MAX_WINDOW = 1 << 27  # 128 MiB, what ``zstd --long`` uses
_FRAME_HEAD, _BLOCK_HEAD = 5, 3  # magic number and descriptor; of a block, all
_RUN = 1  # type of a block that is one byte repeated


class Source(Protocol):
    """Compressed bytes in sequence; ``position`` may be set back."""

    position: int

    def next(self, length: int) -> bytes:
        """As many bytes, or as there are."""


def zstd_frame(source: Source, piece_bytes: int, first: int, most: int) -> Iterator[bytes]:
    """The bytes in the frame that begins at the source's position, in pieces of ``piece_bytes`` (the last
    one may be shorter). The source is left behind the frame.

    Args:
        first, most: bytes taken from the source at a time: at the beginning, and at most.

    Raises:
        ImageError: the frame is corrupt or cut short.
    """
    import zstandard

    frame = _Frame(source, first, most)
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    reader = decoder.stream_reader(cast("IO[bytes]", frame))  # of which only read is called
    while True:
        try:
            piece = reader.read(piece_bytes)
        except (zstandard.ZstdError, MemoryError) as error:
            raise ImageError(f"the zstd stream is corrupt: {error}", offset=source.position) from error
        if not piece:
            break
        yield piece
    if not frame.is_whole:
        raise ImageError("the zstd stream is cut short", offset=source.position)


class _Frame:
    """One frame as a file object."""

    def __init__(self, source: Source, first: int, most: int) -> None:
        self._source = source
        self._amount, self._most = first, most
        self._head, self._wanted = b"", _FRAME_HEAD
        self._skip = 0  # bytes up to the next header
        self._checksum = 0
        self._is_last = False

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read."""
        return self._is_last and not self._skip

    def read(self, _size: int = -1) -> bytes:
        """The next bytes of the frame; none at its end."""
        if self.is_whole:
            return b""
        data = self._source.next(self._amount)
        self._amount = min(2 * self._amount, self._most)
        own = self._step_over(data)
        self._source.position -= len(data) - own
        return data[:own]

    def _step_over(self, data: bytes) -> int:
        """How many of the bytes belong to the frame."""
        at = 0
        while at < len(data) and not self.is_whole:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = min(self._wanted - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == self._wanted:
                    self._parse(self._head)
                    self._head, self._wanted = b"", _BLOCK_HEAD
            at += step
        return at

    def _parse(self, head: bytes) -> None:
        if self._wanted == _FRAME_HEAD:  # section 3.1.1.1
            descriptor = head[-1]
            single = descriptor >> 5 & 1
            self._skip = 1 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
            self._checksum = descriptor & 4
        else:  # section 3.1.1.2
            word = int.from_bytes(head, "little")
            self._skip = 1 if word >> 1 & 3 == _RUN else word >> 3
            self._is_last = bool(word & 1)
            self._skip += self._checksum if self._is_last else 0
