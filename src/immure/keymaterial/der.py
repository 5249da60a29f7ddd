"""A small strict reader and writer of DER (ITU-T X.690), as far as keys and certificates need it.

>>> sequence(integer(5), octets(b"ab")).hex()
'300702010504026162'
>>> body = Der(bytes.fromhex("300702010504026162")).enter(SEQUENCE)
>>> body.integer(), body.take(OCTETS), body.done
(5, b'ab', True)

Definite lengths in their shortest form only, one-byte tags only, nothing is read outside the bytes given, and
nothing recurses: a hostile nesting costs only what the caller walks into.
"""

from __future__ import annotations

from immure.errors import KeyFormatError

INTEGER = 0x02
BITS = 0x03
OCTETS = 0x04
NULL = 0x05
OID = 0x06
SEQUENCE = 0x30


def read_header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag at ``at``, and where its content starts and stops (X.690, section 8.1).

    Raises:
        KeyFormatError: the header is cut off, is not DER, or its length reaches beyond ``end``.
    """
    if at < 0 or at + 2 > end or end > len(data):
        raise KeyFormatError("DER value is cut off")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F:
        raise KeyFormatError("DER tag of more than one byte")
    if length >= 0x80:
        count = length & 0x7F
        start += count
        if not 1 <= count <= 4 or start > end:
            raise KeyFormatError("DER length is indefinite, too long or cut off")
        length = int.from_bytes(data[at + 2 : start], "big")
        if length < 0x80 or length >> (8 * (count - 1)) == 0:
            raise KeyFormatError("DER length is not in its shortest form")
    if start + length > end:
        raise KeyFormatError("DER value is cut off")
    return tag, start, start + length


class Der:
    """A cursor over the DER values in ``data[at:end]``.

    Attributes:
        data: the bytes; never copied as a whole.
        at: offset of the next value.
        end: offset behind the last one.
    """

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def done(self) -> bool:
        """Whether no value is left."""
        return self.at >= self.end

    @property
    def next_tag(self) -> int:
        """Tag of the next value, -1 if there is none."""
        return self.data[self.at] if 0 <= self.at < min(self.end, len(self.data)) else -1

    def span(self, tag: int) -> tuple[int, int]:
        """Content bounds of the next value, which must have this tag; steps over it.

        Raises:
            KeyFormatError: another tag, or not DER.
        """
        found, start, stop = read_header(self.data, self.at, self.end)
        if found != tag:
            raise KeyFormatError(f"DER tag {tag:#04x} expected, {found:#04x} found")
        self.at = stop
        return start, stop

    def take(self, tag: int) -> bytes:
        """Content of the next value, which must have this tag; raises as :meth:`span`."""
        start, stop = self.span(tag)
        return self.data[start:stop]

    def enter(self, tag: int) -> Der:
        """A cursor over the content of the next value; raises as :meth:`span`."""
        start, stop = self.span(tag)
        return Der(self.data, start, stop)

    def skip(self) -> int:
        """Steps over the next value, whatever it is; returns its tag. Raises as :func:`read_header`."""
        tag, _, self.at = read_header(self.data, self.at, self.end)
        return tag

    def integer(self) -> int:
        """The next value as a non-negative INTEGER in its shortest form.

        Raises:
            KeyFormatError: it is none, is negative, or is padded.
        """
        start, stop = self.span(INTEGER)
        data = self.data
        if start == stop or data[start] >= 0x80:
            raise KeyFormatError("INTEGER is empty or negative")
        if data[start] == 0 and stop - start > 1 and data[start + 1] < 0x80:
            raise KeyFormatError("INTEGER is padded")
        return int.from_bytes(data[start:stop], "big")

    def bits(self) -> tuple[int, int]:
        """Bounds of the bytes of the next value, a BIT STRING of whole bytes; raises as :meth:`span`."""
        start, stop = self.span(BITS)
        if start == stop or self.data[start] != 0:
            raise KeyFormatError("BIT STRING does not hold whole bytes")
        return start + 1, stop

    def finish(self) -> None:
        """Raises KeyFormatError if something is left."""
        if not self.done:
            raise KeyFormatError("unexpected data at the end of a DER value")


def header(tag: int, length: int) -> bytes:
    """What stands before so many bytes of content."""
    if length < 0x80:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def encode(tag: int, content: bytes) -> bytes:
    """One DER value."""
    return header(tag, len(content)) + content


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes) -> bytes:
    """An OCTET STRING."""
    return encode(OCTETS, value)


def bits(value: bytes) -> bytes:
    """A BIT STRING of whole bytes."""
    return encode(BITS, b"\0" + value)


def sequence(*values: bytes) -> bytes:
    """A SEQUENCE of encoded values."""
    return encode(SEQUENCE, b"".join(values))
