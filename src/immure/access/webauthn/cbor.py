"""CBOR as authenticators write it (CTAP 2.2, section 8): read strictly, and within bounds.

>>> parse_cbor(bytes.fromhex("a2613101613281f5"))
{'1': 1, '2': [True]}
>>> parse_cbor(bytes.fromhex("a2613101613102"))
Traceback (most recent call last):
...
immure.errors.InputError: at offset 0x6: CBOR: a name is there twice

Refused are: lengths that are not known from the start, numbers longer than they need be, names that are there
twice, tags, floating-point numbers, more than a few levels, and anything behind the end. The order of names
is not asked: browsers put an attestation object together themselves.
"""

from __future__ import annotations

from typing import Any, Final

from immure.errors import InputError

MOST_BYTES: Final = 1 << 16
_MOST_DEPTH = 6
_MOST_ITEMS = 256
_SIMPLE = {20: False, 21: True, 22: None}


class Reader:
    """Reads values one behind the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        if len(data) > MOST_BYTES:
            raise InputError(f"CBOR of more than {MOST_BYTES} bytes")
        self._data = data
        self.at = at

    def value(self, depth: int = _MOST_DEPTH) -> Any:
        """The next value; raises InputError."""
        kind, number = self._head()
        if kind == 0:
            return number
        if kind == 1:
            return -1 - number
        if kind == 2:
            return self._take(number)
        if kind == 3:
            return self._text(number)
        if kind == 7:
            return self._simple(number)
        if kind == 6 or depth == 0 or number > _MOST_ITEMS:
            raise self._wrong("a tag" if kind == 6 else "too deep, or too many in one")
        if kind == 4:
            return [self.value(depth - 1) for _ in range(number)]
        return self._map(number, depth)

    def finish(self) -> None:
        """See that nothing is left; raises InputError."""
        if self.at != len(self._data):
            raise self._wrong(f"{len(self._data) - self.at} bytes more than there should be")

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(count):
            name = self.value(0)
            if not isinstance(name, (int, str)) or isinstance(name, bool):
                raise self._wrong("a name that is neither a number nor a text")
            if name in found:
                raise self._wrong("a name is there twice")
            found[name] = self.value(depth - 1)
        return found

    def _head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        kind, short = first >> 5, first & 31
        if short < 24:
            return kind, short
        if short > 27:
            raise self._wrong("a length that is not known from the start")
        size = 1 << (short - 24)
        number = int.from_bytes(self._take(size), "big")
        if kind == 7 or number < (24 if size == 1 else 1 << (4 * size)):
            raise self._wrong(
                "a floating-point number" if kind == 7 else "a number that is longer than it need be"
            )
        return kind, number

    def _simple(self, number: int) -> bool | None:
        if number not in _SIMPLE:
            raise self._wrong("a simple value that is unknown")
        return _SIMPLE[number]

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._wrong("a text that is not UTF-8") from None

    def _take(self, length: int) -> bytes:
        piece = self._data[self.at : self.at + length]
        if len(piece) != length:
            raise self._wrong("it breaks off")
        self.at += length
        return piece

    def _wrong(self, reason: str) -> InputError:
        return InputError(f"CBOR: {reason}", offset=self.at)


def parse_cbor(data: bytes) -> Any:
    """The one value that ``data`` is; raises InputError."""
    reader = Reader(data)
    value = reader.value()
    reader.finish()
    return value
