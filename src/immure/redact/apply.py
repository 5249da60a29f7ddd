"""Writes the redacted copy: the same bytes, but for the spans.

What is to be erased is erased in memory, before a byte is written: not even for a moment does the new file
hold what it must not.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, Protocol

from immure.dumps.dump import Reader
from immure.errors import RedactionError
from immure.redact.fill import fill
from immure.redact.record import FileDigest
from immure.redact.span import Span

#: Bytes that are read and written at a time. With four times as many, ext4 takes ten times as long to write.
PIECE: Final = 1 << 20


class _Compressor(Protocol):
    def compress(self, data: Any) -> bytes: ...
    def flush(self) -> bytes: ...


class Digest:
    """SHA-256 and length of bytes that pass by."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        """More bytes."""
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """In lower-case hex."""
        return self._hash.hexdigest()

    def of_file(self) -> FileDigest:
        """As the record has it."""
        return FileDigest(self.sha256, self.size)


def redacted_pieces(
    reader: Reader, size: int, spans: Sequence[Span], path: str, before: Digest | None = None
) -> Iterator[memoryview]:
    """The bytes of a reader with the spans filled, in order; each piece is valid until the next.

    ``before`` is given the bytes as they were.

    Raises:
        RedactionError: bytes cannot be read.
    """
    starts = [span.offset for span in spans]
    buffer = memoryview(bytearray(PIECE))
    for start in range(0, size, PIECE):
        piece = buffer[: min(PIECE, size - start)]
        got = reader.read_into(start, piece)
        if got < len(piece):
            raise RedactionError("bytes cannot be read", path=path, offset=start + got)
        if before is not None:
            before.update(piece)
        fill_spans(piece, start, spans, starts)
        yield piece


def fill_spans(piece: memoryview, offset: int, spans: Sequence[Span], starts: Sequence[int]) -> None:
    """Fill what of the spans lies in a piece of an image; ``starts`` are their offsets."""
    index, stop = max(0, bisect_right(starts, offset) - 1), offset + len(piece)
    while index < len(spans) and spans[index].offset < stop:
        first, last = max(offset, spans[index].offset), min(stop, spans[index].end)
        if first < last:
            piece[first - offset : last - offset] = fill(first, last - first)
        index += 1


def write_redacted(
    reader: Reader,
    size: int,
    spans: Sequence[Span],
    out: BinaryIO,
    codec: str | None,
    path: str,
    advance: Callable[[int], None] = lambda count: None,
    before: Digest | None = None,
) -> Digest:
    """Write the redacted copy, compressed as the original was; size and digest of what was written.

    Zeros become holes of a sparse file. ``before`` is given the bytes of the original, uncompressed.

    Raises:
        RedactionError: bytes cannot be read, or the codec is not one that can be written.
        OSError: it cannot be written.
    """
    digest = Digest()
    compressor = compressor_of(codec, path) if codec else None
    for piece in redacted_pieces(reader, size, spans, path, before):
        if compressor is None:
            _write_sparse(out, piece, digest.size)
            digest.update(piece)
        else:
            _write(out, compressor.compress(piece), digest)
        advance(len(piece))
    if compressor is not None:
        _write(out, compressor.flush(), digest)
    out.flush()
    out.truncate(digest.size)
    return digest


_ZEROS: Final = bytes(1 << 16)


def _write_sparse(out: BinaryIO, piece: memoryview, offset: int) -> None:
    """Write what is not zeros; ``truncate`` makes the rest."""
    step, begun = len(_ZEROS), -1
    memory = piece.obj  # comparing views would go byte by byte
    if not isinstance(memory, bytearray):
        raise TypeError("a piece is a view of the beginning of a bytearray")
    for start in range(0, len(piece), step):
        empty = memory.startswith(_ZEROS[: len(piece) - start], start)
        if not empty and begun < 0:
            begun = start
        elif empty and begun >= 0:
            _write_at(out, piece[begun:start], offset + begun)
            begun = -1
    if begun >= 0:
        _write_at(out, piece[begun:], offset + begun)


def _write_at(out: BinaryIO, data: memoryview, offset: int) -> None:
    out.seek(offset)
    out.write(data)


def _write(out: BinaryIO, data: bytes, digest: Digest) -> None:
    out.write(data)
    digest.update(data)


class _Lz4:
    """The LZ4 frame compressor with the interface of the others."""

    def __init__(self) -> None:
        import lz4.frame

        self._inner = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._inner.begin()

    def compress(self, data: Any) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._inner.compress(bytes(data)))

    def flush(self) -> bytes:
        return self._head + bytes(self._inner.flush())


def _zstd() -> _Compressor:
    import zstandard

    compressor: _Compressor = zstandard.ZstdCompressor(level=3).compressobj()
    return compressor


_COMPRESSORS: Final[dict[str, Callable[[], _Compressor]]] = {
    "zstd": _zstd,
    "gzip": lambda: zlib.compressobj(6, zlib.DEFLATED, 31),
    "xz": lambda: lzma.LZMACompressor(preset=3),
    "lz4": _Lz4,
    "bzip2": bz2.BZ2Compressor,
}


def compressor_of(codec: str, path: str) -> _Compressor:
    """A compressor for ``codec`` (names as in :mod:`immure.dumps.compression`).

    Raises:
        RedactionError: there is none.
    """
    make = _COMPRESSORS.get(codec)
    if make is None:
        raise RedactionError(f"cannot be written compressed with {codec}", path=path)
    return make()
