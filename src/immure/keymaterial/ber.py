"""BER to DER (ITU-T X.690, sections 8 and 10), as far as the writers of PKCS#12 files use its freedom.

>>> ber = bytes.fromhex("3080 2480 0401aa 0402bbcc 0000 0000") + b"more"
>>> der, end = to_der(ber)
>>> der.hex(), ber[end:]
('30050403aabbcc', b'more')

What changes is the form: lengths become definite and short, an OCTET STRING in pieces becomes one piece. What
is in other values stays as it is, and so does the order in a SET. A string behind an implicit tag keeps its
pieces, because without its schema nothing tells it from an explicit tag around strings:
:func:`joined_octets` reads both. One pass without recursion; what is DER comes back unchanged.
"""

from __future__ import annotations

from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial.der import OCTETS, Der, header

_CONSTRUCTED: Final = 0x20
_INDEFINITE: Final = 0x80
#: Bytes of a length: 64 bits are more than any file has.
_MAX_LENGTH_BYTES: Final = 8
#: Values within values; files of PKCS#12 have ten.
MAX_DEPTH: Final = 32
#: Values in one value, the ends of indefinite ones and the pieces of strings among them.
MAX_VALUES: Final = 1 << 13


class _Open:
    """A constructed value whose end has not come yet.

    Attributes:
        tag: that its header will have, None for pieces in a string, which has a header already.
        stop: where it ends, None if that is not said.
        limit: offset that it must not go beyond.
        slot: place of its header in the output.
        size: bytes of output that stand in it.
    """

    __slots__ = ("is_string", "limit", "size", "slot", "stop", "tag")

    def __init__(self, tag: int | None, stop: int | None, limit: int, slot: int, *, is_string: bool) -> None:
        self.tag = tag
        self.stop = stop
        self.limit = limit
        self.slot = slot
        self.size = 0
        self.is_string = is_string


def to_der(data: bytes, at: int = 0, end: int | None = None) -> tuple[bytes, int]:
    """The value that begins at ``at`` and ends at ``end`` or before, as DER, and the offset behind it.

    Raises:
        KeyFormatError: it is cut off or not BER, nests more than :data:`MAX_DEPTH` deep, or is made of more
            than :data:`MAX_VALUES` values.
    """
    limit = len(data) if end is None else min(end, len(data))
    writer = _Writer()
    for _ in range(MAX_VALUES):
        inner = writer.inner
        if inner is not None and inner.stop is None and data[at : min(at + 2, inner.limit)] == b"\0\0":
            at += 2
            writer.close()
        else:
            at = writer.take(data, at, limit if inner is None else inner.limit)
        while (inner := writer.inner) is not None and inner.stop == at:
            writer.close()
        if inner is None:
            return b"".join(writer.parts), at
    raise KeyFormatError(f"BER value of more than {MAX_VALUES} values")


class _Writer:
    """The output so far, and what is open in it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._stack: list[_Open] = []

    @property
    def inner(self) -> _Open | None:
        """The innermost value that is open."""
        return self._stack[-1] if self._stack else None

    def take(self, data: bytes, at: int, limit: int) -> int:
        """Write the value at ``at``, or open it; returns the offset where the next one is expected."""
        tag, start, stop = _read_header(data, at, limit)
        in_string = self._stack[-1].is_string if self._stack else False
        if in_string and tag & ~_CONSTRUCTED != OCTETS:
            raise KeyFormatError("OCTET STRING of pieces that are none")
        if tag & _CONSTRUCTED:
            if len(self._stack) >= MAX_DEPTH:
                raise KeyFormatError(f"BER values nest more than {MAX_DEPTH} deep")
            is_string = tag == OCTETS | _CONSTRUCTED
            written = None if in_string else OCTETS if is_string else tag
            inner = limit if stop is None else stop
            self._stack.append(_Open(written, stop, inner, len(self.parts), is_string=is_string))
            self.parts.append(b"")
            return start
        if stop is None:
            raise KeyFormatError("BER value of one piece and no length")
        self._add(data[start:stop] if in_string else header(tag, stop - start) + data[start:stop])
        return stop

    def close(self) -> None:
        """The innermost value has ended."""
        value = self._stack.pop()
        if value.tag is not None:
            self.parts[value.slot] = header(value.tag, value.size)
            value.size += len(self.parts[value.slot])
        if self._stack:
            self._stack[-1].size += value.size

    def _add(self, part: bytes) -> None:
        self.parts.append(part)
        if self._stack:
            self._stack[-1].size += len(part)


def _read_header(data: bytes, at: int, limit: int) -> tuple[int, int, int | None]:
    """The tag at ``at``, where its content starts, and where it stops if that is said."""
    if at + 2 > limit:
        raise KeyFormatError("BER value is cut off")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F or tag == 0:
        raise KeyFormatError("BER tag of more than one byte, or end of a value that is not open")
    if length == _INDEFINITE:
        return tag, start, None
    if length > _INDEFINITE:
        count = length & 0x7F
        start += count
        if count > _MAX_LENGTH_BYTES or start > limit:
            raise KeyFormatError("BER length is too long or cut off")
        length = int.from_bytes(data[at + 2 : start], "big")
    if start + length > limit:
        raise KeyFormatError("BER value is cut off")
    return tag, start, start + length


def joined_octets(body: Der, tag: int) -> bytes:
    """The next value of what :func:`to_der` gave: an OCTET STRING behind the implicit tag ``tag``, in one
    piece or in several.

    Raises:
        KeyFormatError: it is none.
    """
    if body.next_tag != tag | _CONSTRUCTED:
        return body.take(tag)
    pieces, parts = body.enter(tag | _CONSTRUCTED), []
    while not pieces.done:
        parts.append(pieces.take(OCTETS))
    return b"".join(parts)
