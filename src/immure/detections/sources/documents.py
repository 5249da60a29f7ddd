"""Elements of JSON arrays, and of arrays in envelopes such as ``{"value": [...]}``, however long they are.

A cut between two elements is found by trying: what stands before it, put into brackets, is JSON only if the
cut is between elements and nowhere else. Candidates are places where something begins as the first did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from immure.detections.sources.block import Block
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.stream import Stream

#: Members of envelopes that hold records: Graph, Azure diagnostics, Google, Elasticsearch and others.
ENVELOPES: Final = ("value", "records", "items", "events", "results", "data", "logs", "hits")
_SPACE: Final = b" \t\r\n\x1e,"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_TABLES: Final = re.compile(rb'\{\s*"[Tt]ables"\s*:')
_FIRST_KEY: Final = re.compile(rb'\s*\{\s*("(?:[^"\\]|\\.){1,256}+")\s*:', re.DOTALL)
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{\s*\Z")
_COLON: Final = re.compile(rb"\s*:")
#: Cuts that are tried, names that are looked at for them, and bytes between two elements.
_TRIES, _LOOKS, _FAR = 8, 512, 256


class Documents:
    """Reads a stream of JSON that is not one record a line.

    Args:
        inside: whether the stream stands within an array, as when a reading goes on.
        most: bytes of a block, if that is less than the limit.
        check: whether something put into brackets is an array of JSON; asked of a block before it is given.
    """

    def __init__(
        self,
        stream: Stream,
        out: Gathering,
        *,
        inside: bool = False,
        most: int = 1 << 30,
        check: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._check = check or is_array
        self._window = min(most, out.limits.block)
        self._stream, self._out = stream, out
        self._buffer, self._start = b"", stream.offset
        self._ended = False
        self.inside = inside
        self._key = b""

    @property
    def place(self) -> int:
        """Offset of what follows the last block."""
        return self._start

    def blocks(self) -> Iterator[Block]:
        """Blocks of elements; a document that is neither an array nor an envelope is one record."""
        while self._fill(self._window):
            if self.inside:
                yield from self._elements()
            else:
                yield from self._document()

    def _fill(self, most: int = 0) -> bool:
        """Have more in the buffer, without separators at its beginning; False at the end."""
        wanted = most or self._out.limits.block + self._out.limits.record
        self._strip()
        while len(self._buffer) < wanted and not self._ended:
            piece = self._stream.read(wanted)
            self._buffer += piece
            self._ended = not piece
            self._strip()
        return bool(self._buffer)

    def _strip(self) -> None:
        self._drop(len(self._buffer) - len(self._buffer.lstrip(_SPACE)))

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._start += count

    # --- outside of arrays ---

    def _document(self) -> Iterator[Block]:
        first = self._buffer[:1]
        if first in b"]}":  # the end of an envelope of which a part was read before
            self._drop(1)
        elif first == b"[":
            self._drop(1)
            self.inside = True
        elif first == b"{" and self._fill() and (begin := _array_in(self._buffer)):
            self._drop(begin)
            self.inside = True
        else:
            yield from self._single()

    def _single(self) -> Iterator[Block]:
        """One value that is no envelope."""
        most = self._out.limits.record
        if _TABLES.match(self._buffer):
            most = self._out.limits.table
            self._fill(most)
        end = _end_of_value(self._buffer) if self._buffer[:1] == b"{" else 0
        if end and end <= most and is_array(self._buffer[:end]):
            body, offset = self._buffer[:end], self._start
            self._drop(end)
            yield Block(body, offset, array=True)
        elif self._buffer[:1] != b"{" or end:
            self._skip("syntax" if end <= most else "too-long")
        else:
            self._skip("torn" if self._ended and len(self._buffer) <= most else "too-long")

    # --- inside of an array ---

    def _elements(self) -> Iterator[Block]:
        if self._buffer[:1] == b"]":
            self._drop(1)
            self.inside = False
            self._tail()
            return
        body = self._cut(self._window)
        if not body:
            self._fill()
            body = self._cut(self._out.limits.block)
        if body:
            offset = self._start
            self._drop(len(body))
            yield Block(body, offset, array=True)
            return
        ends = _ends(self._buffer, self._out.limits.block) or [_end_of_value(self._buffer)]
        if ends[0]:
            yield from self._one_by_one(ends)
        else:
            self._skip("torn" if self._ended else "too-long")

    def _one_by_one(self, ends: list[int]) -> Iterator[Block]:
        """Elements of which not all are JSON, or that begin in many ways."""
        buffer, start, begin = self._buffer, self._start, 0
        for end in ends:
            body = buffer[begin:end].lstrip(_SPACE)
            begin, self._start = end, start + end
            offset = start + end - len(body)
            if len(body) <= self._out.limits.record and is_array(body):
                yield Block(body, offset, array=True)
            else:
                self._out.read += 1
                self._out.lost("too-long" if len(body) > self._out.limits.record else "syntax", Where(offset))
        self._buffer = buffer[begin:]

    def _cut(self, window: int) -> bytes:
        """The whole elements that are in so many bytes of the buffer; none if their end is not found."""
        if not self._key:
            found = _FIRST_KEY.match(self._buffer)
            self._key = found[1] if found is not None else b""
        if not self._key:
            return b""
        for place in islice(_cuts(self._buffer, self._key, min(len(self._buffer), window)), _TRIES):
            if self._check(body := self._buffer[:place]):
                return body
        return b""

    def _tail(self) -> None:
        """Leave the envelope of an array: members behind it are of no concern, up to its last brace."""
        if self._buffer.lstrip(_SPACE)[:1] in (b'"', b"}"):
            depth, place = 1, 0
            for token in _TOKEN.finditer(self._buffer):
                depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
                place = token.end()
                if depth == 0:
                    self._drop(place)
                    return

    def _skip(self, reason: str) -> None:
        """Count what is no record, and go on where the next may begin."""
        self._out.read += 1
        self._out.lost(reason, Where(self._start))
        key = re.escape(self._key) if self._key else rb'"'
        pattern = re.compile(rb"\}(\s*,?\s*)\{\s*" + key)
        keep = 4096  # the pattern may stand across two pieces
        while True:
            found = pattern.search(self._buffer, 1)
            if found is not None:
                self._drop(found.end(1))
                return
            if self._ended:
                self._drop(len(self._buffer))
                return
            self._drop(max(0, len(self._buffer) - keep))
            piece = self._stream.read(self._out.limits.block)
            self._buffer += piece
            self._ended = not piece


def _cuts(text: bytes, key: bytes, end: int) -> Iterator[int]:
    """Where an element may end, since behind it an object begins with this name; the last one first."""
    at = end
    for _ in range(_LOOKS):
        at = text.rfind(key, 0, at)
        if at < 0:
            return
        between = _BETWEEN.search(text, max(0, at - _FAR), at)
        if between is not None and _COLON.match(text, at + len(key), end):
            yield between.start() + 1


def is_array(body: bytes) -> bool:
    """Whether this is, in brackets, an array of JSON."""
    try:
        _RAW.decode(b"[%b]" % body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True


def _end_of_value(text: bytes) -> int:
    """Where the value ends that stands at the beginning; 0 if it does not end in this text."""
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        depth += 1 if mark in b"{[" else -1 if mark in b"}]" else 0
        if depth <= 0:
            return token.end()
    return 0


def _ends(text: bytes, most: int) -> list[int]:
    """Where elements end, up to the end of the array."""
    depth, made = 0, []
    for token in _TOKEN.finditer(text, 0, most):
        mark = token[0]
        depth += 1 if mark in b"{[" else -1 if mark in b"}]" else 0
        if depth < 0:
            break
        if depth == 0:
            made.append(token.end())
    return made


def _array_in(text: bytes) -> int:
    """Where the elements begin of the array in an envelope; 0 if ``text`` begins with no envelope."""
    depth, key = 0, b""
    for token in _TOKEN.finditer(text, 0, 1 << 16):
        mark = token[0]
        if mark[:1] == b'"':
            if depth == 1:
                key = mark[1:-1] if text[token.end() : token.end() + 8].lstrip()[:1] == b":" else key
        elif mark == b"[" and depth == 1 and key.decode("latin-1").lower() in ENVELOPES:
            return token.end() if _holds_objects(text[token.end() :]) else 0
        else:
            depth += 1 if mark in b"{[" else -1
            if depth == 0:
                return 0
    return 0


def _holds_objects(text: bytes) -> bool:
    return text.lstrip()[:1] in (b"{", b"]")
