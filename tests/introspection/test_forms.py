"""Forms are read in one way, and nothing else comes out of the reader than parameters and our error."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.introspection.errors import FormError
from immure.introspection.forms import parse_form

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT, max_size=20))
def test_what_was_encoded_comes_back(form: dict[str, str]):
    assert parse_form(urlencode(form).encode()) == form


@given(st.binary(max_size=100) | st.text("token=&%+2fF.aZ_-").map(str.encode))
def test_others_read_the_same(body: bytes):
    with suppress(FormError):
        mine = parse_form(body)
        theirs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=False, errors="strict"
        )
        assert list(mine.items()) == theirs


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"token=a.b-c_d", {"token": "a.b-c_d"}),
        (b"token=", {"token": ""}),
        (b"token", {"token": ""}),
        (b"token=a=b", {"token": "a=b"}),
        (b"token=a+b%2B", {"token": "a b+"}),
        (b"a=%C3%A4", {"a": "\u00e4"}),
    ],
)
def test_forms(body: bytes, form: dict[str, str]):
    assert parse_form(body) == form


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=1",
        b"a=1&%61=2",
        b"a&a",
        b"=1&=2",
        b"a=%",
        b"a=%1",
        b"a=%g1",
        b"a=%ff",
        b"\xe4=1",
        b"a=\xff",
        b"&" * 32,
    ],
)
def test_no_forms(body: bytes):
    with pytest.raises(FormError):
        parse_form(body)
