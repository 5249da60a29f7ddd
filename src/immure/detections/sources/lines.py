"""Whole lines of a stream, many at a time; none is held that is longer than the limit."""

from __future__ import annotations

from collections.abc import Iterator

from immure.detections.sources.block import Block
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.stream import Stream


def blocks(
    stream: Stream, out: Gathering, *, line: int = 1, ended: bool = True, most: int = 1 << 30
) -> Iterator[Block]:
    """Blocks of whole lines, from where the stream stands.

    Args:
        line: number of the first line.
        ended: whether the file grows no more; otherwise a last line without its end is left for later.
        most: bytes of a block, if that is less than the limit.
    """
    record, size = out.limits.record, min(most, out.limits.block)
    held, start, too_long = b"", stream.offset, False
    while piece := stream.read(size):
        cut = piece.rfind(b"\n") + 1
        if not cut:
            held += piece if not too_long else b""
            if too_long:
                start += len(piece)
        else:
            body = b"".join((held, memoryview(piece)[:cut]))
            if too_long:  # the rest of a line that was counted
                rest = body.index(b"\n") + 1
                body, start, line, too_long = body[rest:], start + rest, line + 1, False
            breaks = _breaks(body)
            if body:
                yield Block(body, start, line, breaks=breaks)
            start, line = start + len(body), line + breaks
            held = piece[cut:]
        if len(held) > record:
            out.read += 1
            out.lost("too-long", Where(start, line))
            start, held, too_long = start + len(held), b"", True
    if held and ended:
        yield Block(held, start, line, torn=True)


def _breaks(body: bytes) -> int:
    """Line breaks; ``count`` looks at byte after byte, which is slower than this where lines are long."""
    find, number, place = body.find, 0, body.find(b"\n")
    while place >= 0:
        number, place = number + 1, find(b"\n", place + 1)
    return number
