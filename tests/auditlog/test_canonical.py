"""One value, one spelling; anything else is refused, whatever the bytes."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog.canonical import MAX_DEPTH, MAX_INTEGER, canonical, parse_canonical
from immure.errors import LogError

SCALARS = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


class Number(IntEnum):
    TWO = 2


def nested(depth: int) -> Any:
    return [] if depth == 1 else [nested(depth - 1)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ([True, False], "[true,false]"),
        ((1, -0), "[1,0]"),
        (Number.TWO, "2"),
        (MAX_INTEGER, "9007199254740991"),
        ("/ü\u007f\u2028€😀", '"/ü\u007f\u2028€😀"'),
        ('"\\\b\t\n\f\r\x00\x1f', '"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f"'),
        ({"b": {}, "a": [], "": 0, "B": 1}, '{"":0,"B":1,"a":[],"b":{}}'),
        # by UTF-16 code units (RFC 8785 section 3.2.3): U+1F600 begins with 0xD83D and comes before U+FB33
        ({"\ufb33": 1, "😀": 2, "é": 3}, '{"é":3,"😀":2,"\ufb33":1}'),
    ],
)
def test_spelling(value: Any, text: str) -> None:
    assert canonical(value).decode() == text
    assert json.loads(text) == (list(value) if isinstance(value, tuple) else value)
    parse_canonical(text.encode())


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_there_and_back(value: Any) -> None:
    data = canonical(value)
    assert parse_canonical(data) == value
    assert json.loads(data) == value
    assert b"\n" not in data


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, "type float"),
        ({"a": [float("nan")]}, "type float"),
        (b"bytes", "type bytes"),
        ({1, 2}, "type set"),
        ({1: 2}, "name of type int"),
        (MAX_INTEGER + 1, "beyond 2\\*\\*53"),
        (-MAX_INTEGER - 1, "beyond 2\\*\\*53"),
        ("\ud800", "lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        (nested(MAX_DEPTH + 1), "nested more than 32"),
        (object, "type type"),
    ],
)
def test_what_has_no_canonical_form(value: Any, words: str) -> None:
    with pytest.raises(LogError, match=words):
        canonical(value)


def test_what_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(LogError, match="nested"):
        canonical(value)
    assert canonical(nested(MAX_DEPTH))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"nul", "no JSON"),
        (b"1 2", "no JSON: Extra data"),
        (b" 1", "not in canonical form"),
        (b'{"a": 1}', "not in canonical form"),
        (b'{"b":1,"a":2}', "not in canonical form"),
        (b'{"a":1,"a":1}', "not in canonical form"),
        (b'"\\u00e9"', "not in canonical form"),
        (b'"\\/"', "not in canonical form"),
        (b"-0", "not in canonical form"),
        (b"1.0", "not an integer"),
        (b"1e2", "not an integer"),
        (b"NaN", "not an integer"),
        (b"-Infinity", "not an integer"),
        (b"9007199254740992", "beyond 2"),
        (b"9" * 5000, "no JSON"),
        (b'"\xff"', "not UTF-8"),
        (b"\xef\xbb\xbf1", "no JSON"),
        (b'"\\ud800"', "lone surrogate"),
        (b"[" * 33 + b"]" * 33, "nested more than 32"),
        (b"[" * 900_000, "nested more than 32"),
        (b'{"a":' * 150_000, "nested more than 32"),
    ],
)
def test_what_is_not_canonical(data: bytes, words: str) -> None:
    with pytest.raises(LogError, match=words):
        parse_canonical(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_accepted_is_canonical(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except LogError:
        return
    assert canonical(value) == data
