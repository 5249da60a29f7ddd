"""Canonical JSON: one value, one spelling, so that a hash of the bytes is a hash of what they mean.

>>> canonical({"b": [1, True, None], "a": "é\\n"}).decode()
'{"a":"é\\\\n","b":[1,true,null]}'
>>> parse_canonical(b'{"a": 1}')
Traceback (most recent call last):
...
immure.errors.LogError: JSON that is not in canonical form

The form is that of RFC 8785 (JCS), for values of which every reader has the same idea:

- no floating-point numbers; integers from -(2**53 - 1) to 2**53 - 1 (I-JSON, RFC 7493 section 2.2), in
  decimal;
- members of an object sorted by the UTF-16 code units of their names, no name twice; no white space;
- text as UTF-8, never normalised, no lone surrogates. Escaped are only ``"``, the backslash, and what lies
  below U+0020: as ``\\b \\t \\n \\f \\r`` where there is such a form, else as ``\\u00xx`` in lower case;
- at most :data:`MAX_DEPTH` arrays and objects within one another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

from immure.errors import LogError

#: A JSON value without floating-point numbers.
JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"

MAX_DEPTH = 32
MAX_INTEGER = (1 << 53) - 1


def canonical(value: JSON) -> bytes:
    """The canonical form of ``value``.

    Raises:
        LogError: it holds something that has no canonical form.
    """
    text = _ENCODER.encode(_ordered(value, MAX_DEPTH))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LogError("text with a lone surrogate, which UTF-8 cannot say") from error


def parse_canonical(data: bytes) -> JSON:
    """The value whose canonical form is ``data``; the caller has bounded its length.

    Raises:
        LogError: this is no JSON, or not its canonical form.
    """
    try:
        value: JSON = _DECODER.decode(data.decode("utf-8"))
    except RecursionError as error:
        raise LogError(f"JSON nested more than {MAX_DEPTH} deep") from error
    except ValueError as error:
        raise LogError(f"no JSON: {_first_line(error)}") from error
    if canonical(value) != data:
        raise LogError("JSON that is not in canonical form")
    return value


def _ordered(value: object, depth: int) -> object:
    """``value`` with the members of its objects in order; raises on what has no place in it."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise LogError("an integer beyond 2**53 - 1, which not every JSON reader keeps exact")
        return int(value)
    if not isinstance(value, (Mapping, list, tuple)):
        raise LogError(f"a value of type {type(value).__name__}, for which there is no canonical JSON")
    if depth == 0:
        raise LogError(f"JSON nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return {name: _ordered(value[name], depth - 1) for name in sorted(value, key=_utf16)}
    return [_ordered(item, depth - 1) for item in value]


def _utf16(name: object) -> bytes:
    if not isinstance(name, str):
        raise LogError(f"a member's name of type {type(name).__name__}; names are text")
    return name.encode("utf-16-be", "surrogatepass")


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:40]} is not an integer")


def _first_line(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error).partition("\n")[0][:200]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)
