"""Base64url and JSON that can be read in one way only.

>>> decode_segment(b"eyJhIjoxfQ")
b'{"a":1}'
>>> decode_segment(b"eyJhIjoxfR")
Traceback (most recent call last):
...
immure.tokens.errors.Base64Error: bits that mean nothing are set at the end
"""

from __future__ import annotations

import binascii
import json
from typing import Any, Final, NoReturn

from immure.tokens.errors import Base64Error, DuplicateMemberError, JsonError

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#: base64url → base64; everything else becomes a sign that the decoder refuses.
_TO_STANDARD: Final = bytes(
    byte if byte in _ALPHABET else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0x21) for byte in range(256)
)
_PADDING: Final = (b"", b"", b"==", b"=")
#: Last characters of a text whose length is 2 or 3 modulo 4, the unused bits being zero.
_LAST: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")

#: What may stand around a value (RFC 8259, section 2).
_BLANKS: Final = " \t\n\r"


def decode_segment(text: bytes) -> bytes:
    """The bytes that base64url without padding stands for (RFC 7515, section 2); each has one text only.

    Raises:
        Base64Error: padding, characters of another alphabet, an impossible length, or stray bits.
    """
    rest = len(text) & 3
    if rest:
        if rest == 1:
            raise Base64Error("is of a length that base64url cannot have")
        if text[-1] not in _LAST[rest]:
            raise Base64Error("bits that mean nothing are set at the end")
    try:
        return binascii.a2b_base64(text.translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)
    except binascii.Error:
        raise Base64Error("has characters that are not base64url") from None


def decode_object(data: bytes) -> dict[str, Any]:
    """The JSON object that ``data`` holds.

    Raises:
        JsonError: no UTF-8, no JSON, NaN or an infinity, a lone surrogate, too deep, or no object.
        DuplicateMemberError: an object in it names a member twice.
    """
    try:
        text = data.decode("utf-8")
        value, end = _scan(text, 0) if text[:1] == "{" else _scan(text.lstrip(_BLANKS), 0)
        if end != len(text):
            _check_rest(text, end)
        if "\\" in text:  # which can write half of a character, on which others stumble later
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, StopIteration):
        raise JsonError("is not JSON, or not such as has one meaning") from None
    if type(value) is not dict:
        raise JsonError("is JSON, but no object")
    return value


def _check_rest(text: str, end: int) -> None:
    if text.lstrip(_BLANKS)[end:].strip(_BLANKS):
        raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DuplicateMemberError(f"an object names a member twice: {twice[:40]!a}")
    return made


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def _constant(_text: str) -> NoReturn:
    raise ValueError


#: Reads one value and tells where it ends: what ``decode`` does besides, we do ourselves, and sooner.
_scan: Final = json.JSONDecoder(  # type: ignore[attr-defined]
    object_pairs_hook=_object, parse_float=_fraction, parse_constant=_constant
).scan_once
