"""PKCS#11 URIs: what is understood, what is refused, and that no PIN gets out."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.custody.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from immure.errors import SignerError

END = "?module-name=softhsm2"


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        (f"pkcs11:object=a{END}", Pkcs11Uri(object="a", module_name="softhsm2")),
        (f"PKCS11:object=a{END}", Pkcs11Uri(object="a", module_name="softhsm2")),
        (
            "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;"
            "serial=4a;object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91?module-path=/mnt/libmod.so",
            Pkcs11Uri(
                token="The Software PKCS#11 Softtoken",
                manufacturer="Snake Oil, Inc.",
                model="1.0",
                serial="4a",
                object="my-certificate",
                id=bytes.fromhex("69953e5cf4bdec91"),
                module_path="/mnt/libmod.so",
            ),
        ),
        (
            "pkcs11:slot-id=327;slot-description=Sun;id=%01?pin-source=file:/etc/token_pin&module-name=opensc&alg=RS256",
            Pkcs11Uri(
                slot_id=327,
                slot_description="Sun",
                id=b"\x01",
                pin_source="file:/etc/token_pin",
                module_name="opensc",
                algorithm="RS256",
            ),
        ),
        (f"pkcs11:object=%C3%A4{END}", Pkcs11Uri(object="ä", module_name="softhsm2")),
    ],
)
def test_understood(uri, parsed):
    assert parse_pkcs11_uri(uri) == parsed


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:", "names no key"),
        (f"pkcs11:token=a{END}", "names no key"),
        (f"pkcs11:object=;id={END}", "names no key"),
        ("pkcs11:object=a", "name the library"),
        ("pkcs11:object=a?module-name=x&module-path=/x", "name the library"),
        ("pkcs11:object=a?module-path=x.so", "not an absolute path"),
        ("pkcs11:object=a?module-name=../x", "a name without a directory"),
        ("pkcs11:object=a?module-name=", "a name without a directory"),
        (f"pkcs11:object=a;object=b{END}", "object is given twice"),
        (f"pkcs11:object=a{END}&module-name=y", "module-name is given twice"),
        (f"pkcs11:object=a;{END}", "not of the form name=value"),
        (f"pkcs11:object=a;token{END}", "not of the form name=value"),
        (f"pkcs11:object=a;Token=a{END}", "not of the form name=value"),
        (f"pkcs11:object=a;type=public{END}", "type is not private"),
        (f"pkcs11:object=a;x-mine=a{END}", "x-mine is not understood"),
        (f"pkcs11:object=a;library-version=3{END}", "library-version is not understood"),
        (f"pkcs11:object=a{END}&x-mine=a", "x-mine is not understood"),
        (f"pkcs11:object=a{END}&object=b", "object is not understood there"),
        (f"pkcs11:object=a;alg=RS256{END}", "alg is not understood there"),
        (f"pkcs11:object=a b{END}", "object is not percent-encoded"),
        (f"pkcs11:object=a%2{END}", "object is not percent-encoded"),
        (f"pkcs11:object=ä{END}", "object is not percent-encoded"),
        (f"pkcs11:object=%FF{END}", "object is not UTF-8"),
        (f"pkcs11:object=%00{END}", "object holds a zero byte"),
        (f"pkcs11:object=a;slot-id=0x1{END}", "slot-id is not a number"),
        (f"pkcs11:object=a;slot-id={'9' * 20}{END}", "slot-id is not a number"),
        (f"pkcs11:object=a;slot-id=%D9%A3{END}", "slot-id is not a number"),
        (f"pkcs11:object=a{END}&pin-value=4711", "a PIN in a URI is seen by others"),
        (f"pkcs11:object=a;pin-value=4711{END}", "a PIN in a URI is seen by others"),
        (f"pkcs11:object=a/pin-value=4711{END}", "a PIN in a URI is seen by others"),
        (f"pkcs11:object=a pin-value=4711{END}", "a PIN in a URI is seen by others"),
        (f"pkcs11:object=a{END}&pin%2Dvalue=4711", "not of the form name=value"),
        ("pkcs11:object=" + "a" * 5000, "longer than 4096"),
    ],
)
def test_refused(uri, words):
    with pytest.raises(SignerError, match=words) as caught:
        parse_pkcs11_uri(uri)
    assert "4711" not in str(caught.value)
    assert len(str(caught.value)) < 300


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


@given(token=TEXT, label=TEXT, identity=st.binary(min_size=1, max_size=20), source=TEXT)
def test_values_come_back(token, label, identity, source):
    uri = f"pkcs11:token={quote(token, safe='')};object={quote(label, safe='')};id={quote(identity, safe='')}"
    parsed = parse_pkcs11_uri(f"{uri}?pin-source={quote(source, safe='')}&module-name=m")
    assert parsed == Pkcs11Uri(token=token, object=label, id=identity, pin_source=source, module_name="m")


PIECES = [
    "token=",
    "object=a",
    "id=%01",
    "slot-id=1",
    "pin-value=4711",
    "pin-source=/p",
    "module-name=m",
    "type=private",
]
ANY = st.lists(
    st.one_of(st.sampled_from([*PIECES, ";", "&", "?", "=", "%", "%zz", "pkcs11:"]), st.text(max_size=5))
)


@given(ANY.map("".join))
def test_any_text_is_understood_or_refused_without_a_pin(text):
    try:
        parsed = parse_pkcs11_uri("pkcs11:" + text)
    except SignerError as error:
        words = str(error)
    else:
        words = repr(parsed)
        assert parsed.object or parsed.id
    assert "4711" not in words
