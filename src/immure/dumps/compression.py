"""Compressed images: zstd, gzip, xz, lz4 and bzip2, recognised by their first bytes, decompressed as they
are read.

Streams of several frames or members are one image. A stream that is cut short or corrupt gives what comes
out of it, and its fault. Formats: RFC 8878 (zstd), RFC 1952 (gzip), the XZ file format 1.2, the LZ4 frame
format 1.6, bzip2.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.spool import SpoolReader
from immure.dumps.zstd_frames import zstd_frame
from immure.errors import ImageError

_PIECE = 1 << 20  # most bytes that come out at a time
_FIRST, _MOST = (
    1 << 12,
    1 << 20,
)  # bytes that go in: few at a frame's beginning, so that tiny frames cost little
_MAX_PADDING = 64 << 20
_XZ_MEMORY = 256 << 20


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self, wbits: int = 31) -> None:
        self._inner = zlib.decompressobj(wbits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: Any, max_length: int) -> bytes:
        rest = self._inner.unconsumed_tail
        out = self._inner.decompress(rest + bytes(data) if rest else data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(out) < max_length
        return out


def _lz4() -> _Decoder:
    import lz4.frame

    decoder: _Decoder = lz4.frame.LZ4FrameDecompressor()
    return decoder


def _xz() -> _Decoder:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_ERRORS = (OSError, EOFError, ValueError, RuntimeError, MemoryError, zlib.error, lzma.LZMAError)
_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "xz": _xz,
    "lz4": _lz4,
    "bzip2": bz2.BZ2Decompressor,
}


def detect_codec(head: bytes) -> str | None:
    """``zstd``, ``gzip``, ``xz``, ``lz4`` or ``bzip2``; None if a file that begins so is not compressed."""
    for _ in range(8):  # zstd and lz4 files may begin with skippable frames
        skip = _skippable(head)
        if not skip or len(head) < skip + 4:
            break
        head = head[skip:]
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return "zstd"
    if head[:4] == b"\x04\x22\x4d\x18":
        return "lz4"
    if head[:3] == b"\x1f\x8b\x08" and len(head) >= 10 and not head[3] & 0xE0:
        return "gzip"
    if head[:6] == b"\xfd7zXZ\x00":
        return "xz"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return None


_BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")  # first block, or the end of an empty stream


def _skippable(head: bytes) -> int:
    """Length of the skippable frame that ``head`` begins with, or 0 (RFC 8878, section 3.1.2)."""
    if len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return 8 + int.from_bytes(head[4:8], "little")
    return 0


#: What is decompressed anew in less time than it takes to encrypt and write the bytes, and to read them back.
_FAST: Final = ("zstd", "lz4")


def open_compressed(
    path: str,
    source: Reader,
    codec: str,
    limits: Limits,
    release: Callable[[], None],
    again: Callable[[], SpoolReader] | None = None,
) -> SpoolReader:
    """A reader of what is inside ``source``. ``release`` is called when ``source`` is not needed any more;
    ``again`` opens the same once more."""
    pieces = decompress(source, codec)
    return SpoolReader(pieces, path, limits, release, again if codec in _FAST else None)


def decompress(source: Reader, codec: str) -> Iterator[bytes]:
    """The decompressed bytes, in pieces of at most 1 MiB.

    Raises:
        ImageError: the stream is corrupt or cut short; ``offset`` is the place in ``source``.
    """
    feed = _Feed(source)
    first = True
    while _skip_padding(feed, codec, first):
        yield from _frame(feed, codec, _DECODERS.get(codec))
        first = False


#: decoders of zip members, by compression method (APPNOTE 4.4.5)
MEMBER_CODECS: dict[int, tuple[str, Callable[[], _Decoder] | None]] = {
    8: ("deflate", lambda: _Gzip(wbits=-15)),
    12: ("bzip2", bz2.BZ2Decompressor),
    93: ("zstd", None),
}


def decompress_member(source: Reader, method: int) -> Iterator[bytes]:
    """The decompressed bytes of a zip member. Raises as :func:`decompress` does."""
    codec, decoder = MEMBER_CODECS[method]
    return _frame(_Feed(source), codec, decoder)


def _frame(feed: _Feed, codec: str, make: Callable[[], _Decoder] | None) -> Iterator[bytes]:
    """What is in one frame; ``make`` is None for zstd."""
    if make is None:
        yield from zstd_frame(feed, _PIECE, _FIRST, _MOST)
        return
    decoder, amount, total = make(), _FIRST, 0
    while not decoder.eof:
        data = b""
        if decoder.needs_input:
            data = feed.next(amount)
            amount = min(amount * 2, _MOST)
            if not data:
                raise ImageError(f"the {codec} stream is cut short", offset=feed.position)
        try:
            out = decoder.decompress(data, _PIECE - total % _PIECE)  # whole blocks need not be put together
        except _ERRORS as error:
            raise ImageError(f"the {codec} stream is corrupt: {error}", offset=feed.position) from error
        total += len(out)
        if out:
            yield out
    feed.position -= len(decoder.unused_data or b"")


def _skip_padding(feed: _Feed, codec: str, first: bool) -> bool:
    """Pass over what may stand between frames; False at the end.

    gzip (on tapes) and xz may be padded with zeros, zstd and lz4 have skippable frames.
    """
    padded = 0
    while head := feed.peek(10):
        if codec in ("zstd", "lz4") and (skip := _skippable(head)):
            feed.position += skip - 1
            if not feed.next(1):
                raise ImageError(f"the {codec} stream is cut short", offset=feed.position)
        elif codec in ("gzip", "xz") and not first and not head[0]:
            padding = feed.peek(_FIRST)
            zeros = len(padding) - len(padding.lstrip(b"\0"))
            feed.position, padded = feed.position + zeros, padded + zeros
            if padded > _MAX_PADDING:  # the hole of a sparse file may have no end in our lifetime
                raise ImageError(f"what follows is no {codec} but zeros: not searched", offset=feed.position)
        elif detect_codec(head) == codec:
            return True
        else:
            raise ImageError(f"what follows is not {codec}: not searched", offset=feed.position)
    return False


class _Feed:
    """Sequential reading of the compressed bytes, from one buffer."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._buffer = b""
        self._base = 0
        self.position = 0

    def peek(self, length: int) -> bytes:
        at = self.position - self._base
        if not 0 <= at <= len(self._buffer) - length:  # also near the end: then it is little
            self._base, at = self.position, 0
            self._buffer = self._source.read(self.position, max(length, _MOST))
        return self._buffer[at : at + length]

    def next(self, length: int) -> bytes:
        data = self.peek(length)
        self.position += len(data)
        return data
