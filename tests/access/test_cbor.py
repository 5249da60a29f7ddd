from __future__ import annotations

import pytest
from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.access.webauthn.authenticator_data import parse_authenticator_data
from immure.access.webauthn.cbor import parse_cbor
from immure.access.webauthn.cose import parse_cose
from immure.errors import InputError

names = st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=8)
plain = st.booleans() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=40) | st.text(max_size=40)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)

#: From RFC 8949, appendix A, and what CTAP forbids of it.
WRONG = {
    "nothing": "",
    "a tag": "c074323031332d30332d32315432303a30343a30305a",
    "a float": "f93c00",
    "a double": "fb3ff199999999999a",
    "undefined": "f7",
    "a simple value in two bytes": "f8ff",
    "an indefinite list": "9f01ff",
    "an indefinite text": "7f61616161ff",
    "a stop by itself": "ff",
    "a number longer than it need be": "1817",
    "a length longer than it need be": "590001aa",
    "four bytes for two": "1a00000100",
    "eight bytes for four": "1b0000000000000001",
    "a text that is not UTF-8": "61ff",
    "a text that breaks off": "6261",
    "bytes that break off": "5803aa",
    "a list that breaks off": "8201",
    "a map that breaks off": "a101",
    "a list of more than there are": "9affffffff",
    "a name twice": "a201010102",
    "a name that is a list": "a18001",
    "a name that is bytes": "a1414101",
    "a name that is a truth": "a1f501",
    "something behind": "0101",
    "too deep": "81" * 8 + "01",
}


@given(values)
@settings(max_examples=100, deadline=None)
def test_what_fido2_writes_is_read_the_same(value: object) -> None:
    try:
        data = cbor.encode(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return
    try:
        assert parse_cbor(data) == cbor.decode(data)
    except InputError as error:
        assert "too deep" in error.reason  # noqa: PT017 - the only reason that there may be


@pytest.mark.parametrize("row", WRONG)
def test_what_is_refused(row: str) -> None:
    with pytest.raises(InputError):
        parse_cbor(bytes.fromhex(WRONG[row]))


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_noise(noise: bytes) -> None:
    for parse in (parse_cbor, parse_authenticator_data, parse_cose):
        try:
            parse(noise)
        except InputError:
            pass
        else:
            assert parse is not parse_cose


def test_it_is_bounded() -> None:
    with pytest.raises(InputError, match="more than"):
        parse_cbor(bytes(1 << 17))


@given(st.binary(max_size=120), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_authenticator_data_is_read_as_fido2_does(tail: bytes, flags: int) -> None:
    """Or refused: what we take fido2 takes, and reads the same in it."""
    from fido2.webauthn import AuthenticatorData

    data = bytes(32) + bytes([flags]) + b"\0\0\0\7" + tail
    try:
        mine = parse_authenticator_data(data)
    except InputError:
        return
    try:
        theirs = AuthenticatorData(data)
    except ValueError as error:
        assert "COSE" in str(error)  # noqa: PT017 - a public key without an algorithm is refused later
        return
    assert (mine.flags, mine.counter) == (theirs.flags, theirs.counter)
    if mine.credential is not None:
        assert theirs.credential_data is not None
        assert mine.credential.id == theirs.credential_data.credential_id
