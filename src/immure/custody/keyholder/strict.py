"""Header and claims out of what is to be signed (RFC 7515, section 5.1), if they can be read in one way only.

>>> [parse_segment(part, "it") for part in split(b"eyJhbGciOiJFUzI1NiJ9.e30")]
[{'alg': 'ES256'}, {}]

The validator has such a reader too (:mod:`immure.tokens.strict`). That these are two is on purpose: a
mistake in one must not be able to slip through both.
"""

from __future__ import annotations

import binascii
import json
from typing import Any, Final, NoReturn

from immure.custody.keyholder.errors import RefusedFormError

#: base64url to base64, and everything else to something that is neither.
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_STANDARD: Final = bytes(
    byte if byte in _ALPHABET else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0x21) for byte in range(256)
)
#: Levels of lists and objects in claims.
MOST_DEPTH: Final = 32


def split(message: bytes) -> tuple[bytes, bytes]:
    """Header and payload as they stand there, unread."""
    head, _, claims = message.partition(b".")
    return head, claims


def parse_segment(segment: bytes, words: str) -> dict[str, Any]:
    """The JSON object in one part; raises RefusedFormError."""
    padded = segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4)
    try:
        data = binascii.a2b_base64(padded)
    except binascii.Error:
        data = b""
    if binascii.b2a_base64(data, newline=False) != padded:  # padding within, stray bits or characters
        raise RefusedFormError(f"{words} is not base64url")
    try:
        text = data.decode("utf-8")
        _check_depth(text)
        value = _DECODER.decode(text)
        if "\\u" in text:  # which can write half of a character
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise RefusedFormError(f"{words} is not JSON, or not such as has one meaning") from None
    if type(value) is not dict:
        raise RefusedFormError(f"{words} is no JSON object")
    return value


def _check_depth(text: str) -> None:
    """Raises ValueError for too many levels; brackets within texts count too, to be on the safe side."""
    if text.count("[") + text.count("{") <= MOST_DEPTH:
        return
    level = 0
    for sign in text:
        level += (sign in "[{") - (sign in "]}")
        if level > MOST_DEPTH:
            raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def _constant(_text: str) -> NoReturn:
    raise ValueError


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_fraction, parse_constant=_constant)
