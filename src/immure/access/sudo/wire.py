"""Numbers and strings as SSH writes them (RFC 4251, section 5)."""

from __future__ import annotations

import struct

from immure.errors import InputError


class Reader:
    """Reads from bytes of somebody else; ``what`` they are is for messages.

    Every method raises InputError if the bytes end too early.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise InputError(f"{self._what} that ends too early")
        self._at += size
        return part

    @property
    def at(self) -> int:
        """How many bytes were read."""
        return self._at

    @property
    def more(self) -> bool:
        """Whether something is left."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """An unsigned number of 8 bits."""
        return self._take(1)[0]

    def number(self) -> int:
        """An unsigned number of 32 bits."""
        return int(struct.unpack(">I", self._take(4))[0])

    def long(self) -> int:
        """An unsigned number of 64 bits."""
        return int(struct.unpack(">Q", self._take(8))[0])

    def string(self) -> bytes:
        """Bytes, with their length in front."""
        return self._take(self.number())

    def text(self) -> str:
        """A string of printable ASCII: every name and text in what is read here is one."""
        data = self.string()
        if not all(0x20 <= one < 0x7F for one in data):
            raise InputError(f"{self._what} with a text that is not printable ASCII")
        return data.decode("ascii")

    def positive(self) -> int:
        """A number above 0 that is as long as it likes (``mpint``), in its shortest form."""
        data = self.string()
        value = int.from_bytes(data, "big")
        if not value or data[0] & 0x80 or data != value.to_bytes(value.bit_length() // 8 + 1, "big"):
            raise InputError(f"{self._what} with a number that is not a positive one in its shortest form")
        return value

    def done(self) -> None:
        """See that nothing is left."""
        if self.more:
            raise InputError(f"{self._what} with {len(self._data) - self._at} bytes too many")


def string(data: bytes) -> bytes:
    """Bytes, with their length in front."""
    return struct.pack(">I", len(data)) + data
