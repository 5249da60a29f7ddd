"""What a key may sign: a table with the error in the row, and claims at random, read once more."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from immure.custody.keyholder.errors import BY_CODE, RefusedToSignError
from immure.custody.keyholder.rules import TokenRules, check_purpose, check_window
from immure.registry.scope import KeyScope

from . import making
from .making import API, AUDIENCES, CONSUMER, ENTERPRISE, OFFICE, rules

NOW = time.time()
TENANT = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
OTHER = "11111111-2222-4333-8444-555555555555"
TEMPLATE = {"issuer": "https://login.example/{tenantid}/v2.0"}


def claims(**changes: Any) -> dict[str, Any]:
    return making.claims(**({"iat": int(NOW), "exp": int(NOW) + 3600} | changes))


def b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def message(payload: Any = None, **header: Any) -> bytes:
    head = {"alg": "ES256", "kid": "k", "typ": "JWT"} | header
    head = {name: value for name, value in head.items() if value is not None}
    data = payload if isinstance(payload, bytes) else json.dumps(payload or claims()).encode()
    return b64(json.dumps(head).encode()) + b"." + b64(data)


def check(signed: bytes, purpose: str = "token", **changes: Any) -> None:
    TokenRules("k", rules(**changes)).check(signed, purpose, NOW)


KELVIN = {"\u212aid": "other"}  # the sign of the unit, which in lower case is a k

FINE = [
    ({}, {}),
    ({"aud": [API]}, {}),
    ({"nbf": int(NOW)}, {}),
    ({"iat": NOW - 200.5}, {}),
    ({"tid": "anything"}, {}),
    ({"cloud_instance_name": "anything"}, {}),
    ({"aud": "https://unknown.example"}, {"audiences": {"*": frozenset({"consumer"})}}),
    ({"iss": f"https://login.example/{TENANT}/v2.0", "tid": TENANT}, {"scope": TEMPLATE}),
    ({"tid": TENANT}, {"scope": {"tenants": frozenset({TENANT})}}),
    ({"cloud_instance_name": "a"}, {"scope": {"clouds": frozenset({"a"})}}),
    ({"deep": [[[[{"a": {}}]]]]}, {}),
    ({"Sub": "s", "AUD2": "a"}, {}),
]


@pytest.mark.parametrize(("change", "rule"), FINE)
def test_what_may_be_signed(change, rule):
    check(message(claims(**change)), **rule)


def ends(seconds: float) -> dict[str, Any]:
    return {"scope": {"not_after": datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)}}


REFUSED = [
    ({"iss": ENTERPRISE}, {}, "holder-issuer"),
    ({"iss": None}, {}, "holder-issuer"),
    ({"iss": [CONSUMER]}, {}, "holder-issuer"),
    ({"iss": CONSUMER + "/"}, {}, "holder-issuer"),
    ({"iss": f"https://login.example/{TENANT}/v2.0", "tid": OTHER}, {"scope": TEMPLATE}, "holder-tenant"),
    ({"iss": f"https://login.example/{TENANT}/v2.0"}, {"scope": TEMPLATE}, "holder-tenant"),
    ({"iss": "https://login.example/{tenantid}/v2.0"}, {"scope": TEMPLATE}, "holder-issuer"),
    ({"tid": OTHER}, {"scope": {"tenants": frozenset({TENANT})}}, "holder-tenant"),
    ({}, {"scope": {"tenants": frozenset({TENANT})}}, "holder-tenant"),
    ({"tid": 7}, {}, "holder-tenant"),
    ({"cloud_instance_name": "b"}, {"scope": {"clouds": frozenset({"a"})}}, "holder-cloud"),
    ({"cloud_instance_name": ["a"]}, {"scope": {"clouds": frozenset({"a"})}}, "holder-cloud"),
    ({"aud": OFFICE}, {}, "holder-audience"),
    ({"aud": [API, OFFICE]}, {}, "holder-audience"),
    ({"aud": "https://unknown.example"}, {}, "holder-audience"),
    ({"aud": OFFICE}, {"audiences": AUDIENCES | {"*": frozenset({"consumer"})}}, "holder-audience"),
    ({"ISS": ENTERPRISE}, {}, "holder-form"),
    ({"i\u017fs": ENTERPRISE}, {}, "holder-form"),
    ({"iss\0": ENTERPRISE}, {}, "holder-form"),
    ({"Aud": OFFICE}, {}, "holder-form"),
    ({"Exp": 1 << 33}, {}, "holder-form"),
    ({"aud": None}, {}, "holder-audience"),
    ({"aud": []}, {}, "holder-audience"),
    ({"aud": [[API]]}, {}, "holder-audience"),
    ({"aud": [API] * 101}, {}, "holder-audience"),
    ({}, {"audiences": {}}, "holder-audience"),
    ({}, {"scope": {"audience_classes": frozenset()}}, "holder-audience"),
    ({"iat": None}, {}, "holder-time"),
    ({"exp": None}, {}, "holder-time"),
    ({"exp": "tomorrow"}, {}, "holder-time"),
    ({"exp": True}, {}, "holder-time"),
    ({"iat": NOW - 400}, {}, "holder-time"),
    ({"iat": NOW + 100}, {}, "holder-time"),
    ({"nbf": NOW + 100}, {}, "holder-time"),
    ({"iat": NOW - 400, "nbf": NOW}, {}, "holder-time"),
    ({"iat": NOW + 100, "nbf": NOW}, {}, "holder-time"),
    ({"nbf": None, "iat": -1}, {}, "holder-time"),
    ({"exp": NOW + 90_000}, {}, "holder-time"),
    ({"exp": int(NOW) - 1}, {}, "holder-time"),
    ({"exp": 10**400}, {}, "holder-time"),
    ({"exp": NOW + 700}, {"most_seconds": 600}, "holder-time"),
    ({}, ends(60), "holder-time"),
]


@pytest.mark.parametrize(("change", "rule", "code"), REFUSED)
def test_what_may_not(change, rule, code):
    with pytest.raises(RefusedToSignError) as caught:
        check(message(claims(**change)), **rule)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        (message(alg="RS256"), "holder-header"),
        (message(alg="none"), "holder-header"),
        (message(kid="other"), "holder-header"),
        (message(kid=None), "holder-header"),
        (message(jwk={}), "holder-header"),
        (message(jku="https://evil.example"), "holder-header"),
        (message(crit=["b64"], b64=False), "holder-header"),
        (message(typ=7), "holder-header"),
        (message(JKU="https://evil.example"), "holder-form"),
        (message(**KELVIN), "holder-form"),
        (message(typ="dpop+jwt"), "holder-header"),
        (message(typ="application/OAuth-Authz-Req+JWT"), "holder-header"),
        (b"", "holder-form"),
        (b".", "holder-form"),
        (message() + b".e30", "holder-form"),
        (message() + b"=", "holder-form"),
        (message() + b"\n", "holder-form"),
        (message(b'{"iss":"a","iss":"b"}'), "holder-form"),
        (message(b'{"a":{"b":1,"b":2}}'), "holder-form"),
        (message(b'{"exp":NaN}'), "holder-form"),
        (message(b'{"exp":1e999}'), "holder-form"),
        (message(b'{"a":"\\ud800"}'), "holder-form"),
        (message(b"[" * 5000), "holder-form"),
        (message(b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"), "holder-form"),
        (message(b"[]"), "holder-form"),
        (message(b"\xff"), "holder-form"),
        (message()[:-1] + b"_", "holder-form"),
        (message(json.dumps(claims()).encode()).replace(b".", b"..", 1), "holder-form"),
    ],
)
def test_headers_and_forms_that_may_not(signed, code):
    with pytest.raises(RefusedToSignError) as caught:
        check(signed)
    assert caught.value.code == code


@pytest.mark.parametrize("length", range(4))
def test_each_payload_has_one_text(length):
    """Padding, stray bits, blanks and signs of other alphabets are refused wherever they stand."""
    fine = message(claims(pad="x" * length))
    check(fine)
    head, payload = fine.split(b".")
    last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [payload[:-1] + last[at : at + 1] for at in range(64) if len(payload) % 4]
    spoilt = [
        payload[:8] + junk + payload[8:] for junk in (b"=", b"====", b"    ", b"!!!!", b"\n", b"\xff", b"+")
    ]
    others += [*spoilt, payload + b"=" * (-len(payload) % 4 or 4), payload.replace(b"e", b"/", 1)]
    refused = 0
    for other in others:
        try:
            check(head + b"." + other)
        except RefusedToSignError:
            refused += 1
        else:
            assert other == payload
    assert refused >= len(others) - 1


def test_a_header_that_was_fine_once_is_fine_for_this_key_only():
    mine = TokenRules("k", rules())
    mine.check(message(), "token", NOW)
    mine.check(message(), "token", NOW)
    with pytest.raises(RefusedToSignError, match="another key"):
        TokenRules("j", rules()).check(message(), "token", NOW)


def test_assertions_of_clients():
    purposes = {"purposes": frozenset({"client-assertion"})}
    fine = claims(sub=CONSUMER, exp=int(NOW) + 300)
    check(message(fine, typ="client-authentication+jwt"), "client-assertion", **purposes)
    for payload, header, code in (
        (fine | {"sub": "else"}, {}, "holder-form"),
        (fine | {"exp": int(NOW) + 700}, {}, "holder-time"),
        (fine, {"typ": "at+jwt"}, "holder-header"),
    ):
        with pytest.raises(RefusedToSignError) as caught:
            check(message(payload, **header), "client-assertion", **purposes)
        assert caught.value.code == code
    with pytest.raises(RefusedToSignError, match="not for 'token'"):
        check(message(fine), "token", **purposes)
    with pytest.raises(RefusedToSignError, match="not for 'client-assertion'"):
        check(message(fine), "client-assertion")


@pytest.mark.parametrize(
    ("purpose", "text", "fine"),
    [
        ("statement", b"DSSEv1 1 a 1 b", True),
        ("statement", b"DSSEv2 1 a 1 b", False),
        ("statement", message(), False),
        ("note", b"origin\n1\nhash\n", True),
        ("note", b"origin", False),
        ("note", message(), False),
        ("token", message(), False),
        ("client-assertion", message(), False),
        ("raw", b"anything", False),
    ],
)
def test_other_purposes(purpose, text, fine):
    made = rules(purposes=frozenset({"statement", "note"}))
    if fine:
        check_purpose(made, purpose, text)
        with pytest.raises(RefusedToSignError, match="not for"):
            check_purpose(rules(), purpose, text)
    else:
        with pytest.raises(RefusedToSignError) as caught:
            check_purpose(made, purpose, text)
        assert caught.value.code == "holder-purpose"


def test_the_time_of_a_key():
    begin = datetime.fromtimestamp(NOW, UTC)
    scope = KeyScope("https://a.example", not_before=begin, not_after=begin + timedelta(seconds=10))
    check_window(scope, NOW + 1)
    for moment in (NOW - 1, NOW + 11):
        with pytest.raises(RefusedToSignError, match="the key's time"):
            check_window(scope, moment)


def test_no_two_errors_share_a_code():
    assert len({kind.code for kind in BY_CODE.values()}) == len(BY_CODE) > 15


VALUES = some.one_of(
    some.none(),
    some.sampled_from([CONSUMER, ENTERPRISE, API, OFFICE, TENANT, OTHER, "", 0, -1, True, [], {}]),
    some.lists(some.sampled_from([API, OFFICE, "x"]), max_size=3),
    some.floats(NOW - 1000, NOW + 200_000),
    some.integers(int(NOW) - 1000, int(NOW) + 200_000),
    some.text(max_size=5),
)
CLAIMS = some.dictionaries(
    some.sampled_from(["iss", "aud", "tid", "iat", "exp", "nbf", "sub", "cloud_instance_name"]), VALUES
)


@settings(max_examples=400, deadline=None)
@given(changes=CLAIMS, tenants=some.sampled_from([(), (TENANT,)]), clouds=some.sampled_from([(), ("a",)]))
def test_whatever_passes_is_within_the_scope(changes, tenants, clouds):
    """The incident's property: no claim set out of scope is ever signed, whatever else is in it."""
    payload = claims() | changes
    try:
        check(
            message(payload),
            scope={"tenants": frozenset(tenants), "clouds": frozenset(clouds)},
            most_seconds=5000,
        )
    except RefusedToSignError:
        return
    assert payload["iss"] == CONSUMER
    audiences = [payload["aud"]] if isinstance(payload["aud"], str) else payload["aud"]
    assert audiences
    assert set(audiences) == {API}
    assert not tenants or payload["tid"] == TENANT
    assert NOW - 300 <= payload["iat"] <= NOW + 60
    assert payload["iat"] < payload["exp"] <= payload["iat"] + 5000


@settings(max_examples=300, deadline=None)
@given(data=some.binary(max_size=80))
def test_foreign_bytes_are_refused_and_nothing_else_happens(data):
    for signed in (data, b64(data) + b"." + b64(data), message(data)):
        with pytest.raises(RefusedToSignError):
            check(signed)
