"""Texts with base64 in them: JSON exports of ticket systems and crash reporters, manifests of Kubernetes.

Long runs are files (attachments, minidumps) and parts of their own. Short ones (a PEM key in a Kubernetes
secret) are put together into one part, zeros between them, so that one search does for all.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader, SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.unreadable import Unreadable
from immure.watching.containers.base64_stream import base64
from immure.watching.containers.part import Container, Part

#: Digits of the shortest run: an Ed25519 key as PKCS #8 takes 64.
LEAST: Final = 60
#: Digits from which on a run is a part of its own.
LONG: Final = 4096
#: Runs that become parts; bytes of short ones that are kept.
_MOST_LONG: Final = 10_000
_MOST_SHORT: Final = 16 << 20
_STEP: Final = 1 << 20
_GAP: Final = bytes(64)
#: Within JSON strings ``\n`` and ``\/`` may stand between digits; in YAML blocks line ends and blanks. The
#: first line is a long one, the others are not short but for the last.
_PLAIN: Final = rb"[A-Za-z0-9+/_-]"
_DIGITS: Final = rb"(?>%s++(?:\\/)*+|(?:\\/)++)++" % _PLAIN
_BREAK: Final = rb"(?:\\r|\\n|\r?\n[ \t]{0,64}+)"
_LAST: Final = rb"(?:={1,2}|(?=[\"'\\]|\r?\n\r?\n|\r?\n?\Z))"
_LINES: Final = rb"(?>%s(?=(?:%s|\\/){20})%s)*+(?>%s%s%s|={0,2})" % (
    _BREAK, _PLAIN, _DIGITS, _BREAK, _DIGITS, _LAST,
)  # fmt: skip
#: Begins where :data:`LEAST` digits are known to stand.
_RUN: Final = re.compile(_DIGITS + _LINES)
_REST: Final = re.compile(rb"(?:%s)?+%s" % (_DIGITS, _LINES))
_IS_DIGIT: Final = bytes(0x41 if re.fullmatch(_PLAIN, bytes([code])) else 0x2E for code in range(256))
_ESCAPES: Final = ((rb"\n", b"  "), (rb"\r", b"  "), (rb"\/", b" /"))
#: Bytes that the beginning of a run may take up that is not long enough to be one.
_BEGUN: Final = LEAST
#: Control characters that texts do not have.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
#: What stands before the body of a PEM block: that is found as it is.
_PEM_HEAD: Final = b"-----"
_HEAD: Final = 512


def detect(head: bytes) -> bool:
    """Whether a file begins as text does; what is of no interest in it costs one pass of a regular
    expression."""
    head = head[:_HEAD]
    if not head or _CONTROL.search(head):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def parts(shared: SharedReader, limits: Limits) -> Iterator[Part | Unreadable]:
    """Long runs by the offset where they begin, and at last the short ones together."""
    shared.reader.wait()
    short, longs = bytearray(), 0
    for start, stop in _runs(shared.reader):
        if stop - start >= LONG:
            longs += 1
            if longs > min(_MOST_LONG, limits.max_members):
                yield Unreadable("", "holds more base64 than is opened: the rest is not")
                break
            pieces = base64_escaped(shared.acquire(), start, stop)
            yield Part(f"base64 at {start:#x}", SpoolReader(pieces, "base64", limits, shared.release))
        elif len(short) < _MOST_SHORT:
            short += b"".join(base64_escaped(shared.reader, start, stop)) + _GAP
        else:
            yield Unreadable(
                "", f"holds more than {_MOST_SHORT} bytes of short base64: the rest is not opened"
            )
            break
    if short:
        yield Part("base64", BytesReader(short))


def _runs(reader: Reader) -> Iterator[tuple[int, int]]:
    """Where runs begin and end, also those that are longer than what is read at a time."""
    position, size = 0, reader.size or 0
    open_since: int | None = None
    while position < size:
        data = reader.read(position, _STEP)
        last = 0
        if open_since is not None:
            rest = _REST.match(data)
            last = rest.end() if rest is not None else 0
            if len(data) - last <= 2 and last and position + len(data) < size:
                position += last
                continue
            yield open_since, position + last
            open_since = None
        for found in _matches(data, last):
            last = found.end()
            if len(data) - last <= 2 and position + len(data) < size:  # an escape may be cut in two
                open_since = position + found.start()
            else:
                yield position + found.start(), position + last
        if not data or position + len(data) >= size:
            return
        position += last if open_since is not None else max(last, len(data) - _BEGUN)


def _matches(data: bytes, at: int) -> Iterator[re.Match[bytes]]:
    """Where :data:`_RUN` matches. Most texts have no run at all, and to see that takes no regular
    expression."""
    flat, least = data.replace(rb"\/", b"//").translate(_IS_DIGIT), b"A" * LEAST
    while (at := flat.find(least, at)) >= 0:
        found = _RUN.match(data, at)
        if found is None:
            return
        if not data[max(0, at - 8) : at].rstrip(b"\\rn\r\n").endswith(_PEM_HEAD):
            yield found
        at = found.end()


def base64_escaped(reader: Reader, start: int, stop: int) -> Iterator[bytes]:
    """As :func:`~immure.watching.containers.base64_stream.base64`, of a text with JSON's escapes in it."""
    return base64(_Unescaped(reader, start, stop), 0, stop - start)


class _Unescaped(Reader):
    """A range of a reader, to be read once from its beginning on, with blanks in the place of escapes."""

    def __init__(self, reader: Reader, start: int, stop: int) -> None:
        self._reader = reader
        self._start = start
        self.size: int | None = stop - start

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`."""
        count = self._reader.read_into(self._start + offset, view)
        before = self._reader.read(self._start + offset - 1, 1) if offset else b""
        text = before + bytes(view[:count]) + self._reader.read(self._start + offset + count, 1)
        if b"\\" in text:
            for escape, flat in _ESCAPES:
                text = text.replace(escape, flat)
            view[:count] = text[len(before) : len(before) + count]
        return count


CONTAINER: Final = Container("encoded", detect, parts)
