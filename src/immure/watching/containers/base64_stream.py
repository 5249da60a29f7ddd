"""Base64 and quoted-printable, decoded while they are read, as RFC 2045 has it: what is no such character is
passed over."""

from __future__ import annotations

import binascii
import quopri
from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Reader

_STEP: Final = 1 << 18
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_NOISE: Final = bytes(sorted(set(range(256)) - _ALPHABET))


def raw(reader: Reader, start: int, stop: int) -> Iterator[bytes]:
    """The bytes themselves."""
    while start < stop:
        data = reader.read(start, min(_STEP, stop - start))
        if not data:
            return
        yield data
        start += len(data)


def base64(reader: Reader, start: int, stop: int) -> Iterator[bytes]:
    """What stands there in base64, in either alphabet. Padding in the midst, where two were put one behind
    the other, begins a new group of four."""
    rest = b""
    for data in raw(reader, start, stop):
        *closed, last = data.split(b"=")
        for run in closed:
            yield _decoded(rest + _digits(run))
            rest = b""
        rest += _digits(last)
        whole = len(rest) - len(rest) % 4
        yield _decoded(rest[:whole])
        rest = rest[whole:]
    yield _decoded(rest)


def quoted_printable(reader: Reader, start: int, stop: int) -> Iterator[bytes]:
    """What stands there in quoted-printable."""
    rest = b""
    for data in raw(reader, start, stop):
        data = rest + data
        cut = data.rfind(b"\n") + 1 or len(data)
        escape = data.rfind(b"=", max(0, len(data) - 2))  # takes three characters
        cut = escape if cut == len(data) and escape >= 0 else cut
        rest = data[cut:]
        yield quopri.decodestring(data[:cut])
    yield quopri.decodestring(rest)


def _digits(text: bytes) -> bytes:
    return text.translate(_URL_SAFE, _NOISE)


def _decoded(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no byte
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
