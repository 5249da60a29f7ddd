"""DER: what is not strict is refused, and what is written is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial import der
from immure.keymaterial.asn1 import read_private, read_public
from immure.keymaterial.certificate import parse_certificate


@given(value=st.integers(0, 2**2100))
def test_integers_come_back(value: int) -> None:
    assert der.Der(der.integer(value)).integer() == value


@given(content=st.binary(max_size=70_000))
def test_strings_come_back(content: bytes) -> None:
    assert der.Der(der.octets(content)).take(der.OCTETS) == content


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "cut off"),
        ("02", "cut off"),
        ("0201", "cut off"),
        ("0282", "indefinite, too long or cut off"),
        ("0280010000", "indefinite"),
        ("0285000000000101", "too long"),
        ("02ff01", "too long"),
        ("028101 05", "shortest form"),
        ("0282007f 05", "shortest form"),
        ("0284ffffffff05", "cut off"),
        ("0200", "empty or negative"),
        ("020180", "empty or negative"),
        ("02020001", "padded"),
        ("1f0101", "more than one byte"),
        ("030100", "tag 0x02 expected, 0x03 found"),
    ],
)
def test_bad_integers_are_refused(encoded: str, reason: str) -> None:
    with pytest.raises(KeyFormatError, match=reason):
        der.Der(bytes.fromhex(encoded)).integer()


@pytest.mark.parametrize(
    "encoded",
    ["0300", "030101", "03020800"],
    ids=["no count of unused bits", "unused bits", "eight unused bits"],
)
def test_bad_bit_strings_are_refused(encoded: str) -> None:
    with pytest.raises(KeyFormatError, match="whole bytes"):
        der.Der(bytes.fromhex(encoded)).bits()


def test_a_cursor_stays_inside_its_value() -> None:
    inner = der.Der(bytes.fromhex("3003020105 020106")).enter(der.SEQUENCE)
    assert inner.integer() == 5
    assert inner.done
    with pytest.raises(KeyFormatError):
        inner.integer()
    with pytest.raises(KeyFormatError, match="unexpected data"):
        der.Der(b"\0").finish()


def test_deep_nesting_costs_nothing() -> None:
    nested = b""
    for _ in range(2000):
        nested = der.encode(der.SEQUENCE, nested)
    for parse in (read_private, read_public):
        with pytest.raises(KeyFormatError):
            parse(der.Der(nested))


@given(data=st.binary(max_size=200))
def test_garbage_is_refused_in_one_way(data: bytes) -> None:
    for parse in (read_private, read_public):
        for start in (b"", b"\x30\x81\xa0\x02\x01\x00"):
            with pytest.raises(KeyFormatError):
                parse(der.Der(start + data))
    with pytest.raises(KeyFormatError):
        parse_certificate(data)
