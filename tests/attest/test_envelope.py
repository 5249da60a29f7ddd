"""The envelope: its encoding, what is taken for one, and JSON that has one meaning only."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.attest.envelope import MAX_BYTES, Envelope, EnvelopeSignature, pae, parse_envelope
from immure.attest.reasons import Reason
from immure.attest.strict_json import parse_json, to_json
from immure.errors import AttestationError

GOOD = {"payload": "aGVsbG8gd29ybGQ=", "payloadType": "x/y", "signatures": [{"keyid": "k", "sig": "AAAA"}]}


def test_pre_authentication_encoding():
    # the vector of the DSSE protocol's own text
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("ä", b"") == b"DSSEv1 2 \xc3\xa4 0 "


@given(
    payload=st.binary(max_size=50),
    kind=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    signatures=st.dictionaries(st.text(max_size=5), st.binary(max_size=70), min_size=1, max_size=5),
)
def test_round_trip(payload, kind, signatures):
    made = Envelope(payload, kind, tuple(EnvelopeSignature(*pair) for pair in signatures.items()))
    if all(name.isascii() for name in signatures):
        assert parse_envelope(made.to_bytes()) == made


def test_what_is_not_known_is_passed_over_and_a_keyid_may_be_missing():
    value = {**GOOD, "note": [1], "signatures": [{"sig": "AAAA", "cert": "x"}, {"keyid": "", "sig": "AAAB"}]}
    parsed = parse_envelope(json.dumps(value).encode())
    assert parsed == Envelope(
        b"hello world", "x/y", (EnvelopeSignature("", b"\0\0\0"), EnvelopeSignature("", b"\0\0\1"))
    )


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\xfd", bytes(range(256)), b"\xfb\xff\xfe"])
@pytest.mark.parametrize("encode", [base64.standard_b64encode, base64.urlsafe_b64encode])
def test_both_alphabets(data, encode):
    value = {**GOOD, "payload": encode(data).decode()}
    assert parse_envelope(json.dumps(value).encode()).payload == data


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AB==",
        "AAB=",
        "AAAA=",
        "A===",
        "====",
        "AA==AA==",
        " AAAA",
        "AA\nAA",
        "+_==",
        "ÄAAA",
        "AA.=",
    ],
)
@pytest.mark.parametrize("where", ["payload", "sig"])
def test_what_is_not_base64(text, where):
    value = {**GOOD, "payload": text} if where == "payload" else {**GOOD, "signatures": [{"sig": text}]}
    with pytest.raises(AttestationError, match=f"^{Reason.NOT_BASE64}: .*{where}$"):
        parse_envelope(json.dumps(value).encode())


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "it is not an object"),
        ("text", "it is not an object"),
        (None, "it is not an object"),
        ({}, "payload is missing"),
        (without("payload"), "payload is missing"),
        (without("payloadType"), "payloadType is missing"),
        (without("signatures"), "signatures is missing"),
        ({**GOOD, "payload": 1}, "payload is not a text"),
        ({**GOOD, "payload": None}, "payload is not a text"),
        ({**GOOD, "payloadType": ""}, "payloadType is not a text"),
        ({**GOOD, "payloadType": "x" * 257}, "payloadType is not a text"),
        ({**GOOD, "payloadType": "\ud800"}, "payloadType holds half of a surrogate pair"),
        ({**GOOD, "signatures": []}, "signatures is not a list of 1 to 32"),
        ({**GOOD, "signatures": {}}, "signatures is not a list of 1 to 32"),
        ({**GOOD, "signatures": [{"sig": ""}] * 33}, "signatures is not a list of 1 to 32"),
        ({**GOOD, "signatures": ["x"]}, r"signatures\[0\] is not an object"),
        ({**GOOD, "signatures": [{}]}, r"signatures\[0\].sig is missing"),
        ({**GOOD, "signatures": [{"sig": 1}]}, r"signatures\[0\].sig is not a text"),
        ({**GOOD, "signatures": [{"sig": "A" * 4097}]}, r"signatures\[0\].sig is not a text"),
        ({**GOOD, "signatures": [{"sig": "", "keyid": None}]}, r"signatures\[0\].keyid is not a text"),
        ({**GOOD, "signatures": [{"sig": "", "keyid": "a"}] * 2}, "signatures names a key twice"),
    ],
)
def test_what_is_no_envelope(value, words):
    with pytest.raises(AttestationError, match=f"^{Reason.NOT_ENVELOPE}: {words}"):
        parse_envelope(json.dumps(value).encode())


def test_sizes():
    with pytest.raises(
        AttestationError, match=f"^{Reason.TOO_LARGE}: an envelope has at most 67108864 bytes"
    ):
        parse_envelope(b" " * (MAX_BYTES + 1))
    whole = Envelope(bytes(MAX_BYTES * 3 // 4 - 100), "x/y", (EnvelopeSignature("", b""),))
    assert parse_envelope(whole.to_bytes()) == whole
    with pytest.raises(AttestationError, match=f"^{Reason.TOO_LARGE}: 67108935 bytes"):
        Envelope(bytes(MAX_BYTES * 3 // 4), "x/y", (EnvelopeSignature("", b""),)).to_bytes()


def test_many_elements_are_refused_before_they_cost_memory():
    with pytest.raises(AttestationError, match=f"^{Reason.TOO_LARGE}: more than 1000 elements"):
        parse_envelope(b'{"payload": [' + b"[],[]," * 600 + b"[]]}")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b"{} {}", Reason.NOT_JSON),
        (b"{'a': 1}", Reason.NOT_JSON),
        (b'"\x01"', Reason.NOT_JSON),
        (b'"\xff"', Reason.NOT_JSON),
        ('{"ä": 1}'.encode("latin-1"), Reason.NOT_JSON),
        ('{"a": 1}'.encode("utf-16"), Reason.NOT_JSON),
        (b"\xef\xbb\xbf{}", Reason.NOT_JSON),
        (b"NaN", Reason.NOT_JSON),
        (b"[-Infinity]", Reason.NOT_JSON),
        (b"1.0", Reason.NOT_JSON),
        (b"1e3", Reason.NOT_JSON),
        (b"1" * 21, Reason.NOT_JSON),
        (b"1" * 5000, Reason.NOT_JSON),
        (b"[" * 200_000, Reason.NOT_JSON),
        (b'{"a":' * 200_000, Reason.NOT_JSON),
        (b'{"a": 1, "a": 1}', Reason.DUPLICATE),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', Reason.DUPLICATE),
    ],
)
def test_json_that_is_refused(data, reason):
    with pytest.raises(AttestationError, match=f"^{reason}(:|$)"):
        parse_json(data)


def test_json_that_is_taken():
    assert parse_json(' {"a": [1, -2, 18446744073709551615, true, null, "ä\\u00e4"]}\n'.encode()) == {
        "a": [1, -2, 18446744073709551615, True, None, "ää"]
    }
    assert to_json({"b": 1, "a": "ä"}) == b'{"a":"\\u00e4","b":1}'
