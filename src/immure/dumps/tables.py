"""What all parsers share: from the claims of a foreign header to a region table that holds."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

from immure.dumps.dump import Missing, Reader, Region

#: No file offset or length lies beyond this; headers that claim more are clamped to it.
FAR = (1 << 63) - 1


def cover(claims: Iterable[Region], size: int, gap: str = "unclaimed bytes") -> tuple[Region, ...]:
    """Regions that are sorted, do not overlap and cover [0, ``size``), made of what a header claims.

    Claims are cut at ``size``; of two that overlap the one that begins first keeps the common bytes (of two
    that begin together, the one given first). What nobody claims becomes a ``data`` region named ``gap``.
    """
    regions: list[Region] = []
    position = 0
    for claim in sorted(claims, key=lambda region: region.offset):
        start, stop = max(claim.offset, position), min(claim.end, size)
        if start >= stop:
            continue
        if start > position:
            regions.append(Region(position, start - position, name=gap, kind="data"))
        regions.append(claim if (start, stop) == (claim.offset, claim.end) else _cut(claim, start, stop))
        position = stop
    if position < size:
        regions.append(Region(position, size - position, name=gap, kind="data"))
    return tuple(regions)


def _cut(claim: Region, start: int, stop: int) -> Region:
    address = None if claim.address is None else claim.address + start - claim.offset
    return replace(claim, offset=start, length=stop - start, address=address)


def beyond_end(claims: Iterable[Region], size: int, most: int) -> tuple[Missing, ...]:
    """What the claims promise behind ``size``. After ``most`` entries the others become one."""
    found: list[Missing] = []
    rest, rest_start, rest_stop = 0, FAR, 0
    for claim in claims:
        if claim.end <= size or claim.length == 0:
            continue
        start, stop = max(claim.offset, size), min(claim.end, FAR)
        if len(found) >= most:
            rest, rest_start, rest_stop = rest + 1, min(rest_start, start), max(rest_stop, stop)
            continue
        address = None if claim.address is None else claim.address + start - claim.offset
        reason = f"the file ends at {size:#x}, before the end of {claim.name or 'a region'}"
        found.append(Missing(max(0, stop - start), reason, min(start, FAR), address))
    if rest:
        reason = f"the file ends at {size:#x}, before the ends of {rest} further regions"
        found.append(Missing(max(0, rest_stop - rest_start), reason, rest_start))
    return tuple(found)


def printable(raw: bytes, most: int = 4096) -> str:
    """Foreign bytes as text that cannot steer a terminal: control and formatting characters are escaped."""
    text = raw[:most].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class Window:
    """Sequential small reads of [start, stop) of a reader through one bounded buffer.

    ``take`` gives fewer bytes than asked for at the end of the range or of the file.
    """

    def __init__(self, reader: Reader, start: int, stop: int, buffer_bytes: int = 1 << 18) -> None:
        self._reader = reader
        self._stop = stop
        self._most = buffer_bytes
        self._buffer = b""
        self._base = start
        self.position = start

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        data = self.peek(length)
        self.position += len(data)
        return data

    def peek(self, length: int) -> bytes:
        """The next ``length`` bytes, without moving."""
        length = max(0, min(length, self._stop - self.position))
        at = self.position - self._base
        if not 0 <= at <= at + length <= len(self._buffer):
            self._base, at = self.position, 0
            self._buffer = self._reader.read(
                self.position, min(max(length, self._most), self._stop - self.position)
            )
        return self._buffer[at : at + length]

    def unpack(self, layout: struct.Struct) -> tuple[int, ...] | None:
        """The next fields of ``layout``, or None if the range ends before."""
        data = self.take(layout.size)
        return layout.unpack(data) if len(data) == layout.size else None
