"""Every rule, one row each: what is wrong with a token that is otherwise right, and the code of the refusal.

All signatures are genuine unless the row says otherwise.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from immure.errors import PolicyError
from immure.keymaterial.key import b64url
from immure.tokens.errors import TokenError
from tokens.minting import (
    CONSUMERS,
    ENTERPRISE,
    ISSUER,
    MAIL,
    OTHER_TENANT,
    TENANT,
    Mint,
    T,
    claims,
    jwk,
    sealed,
    validator,
)

GOOD = Mint().token()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")


def head(**members):
    return Mint(header=members).token()


def raw(payload, header=b'{"alg":"EdDSA","kid":"Ed25519"}'):
    return sealed(header, payload if isinstance(payload, bytes) else payload.encode())


def body(text):
    """The claims with more text behind them."""
    return raw(json.dumps(claims())[:-1] + text + "}")


FORM = [
    ("empty", "", "token-form"),
    ("not-text", None, "token-form"),
    ("a-number", 7, "token-form"),
    ("two-parts", f"{HEAD}.{PAYLOAD}", "token-form"),
    ("four-parts", f"{GOOD}.a", "token-form"),
    ("five-parts", f"{GOOD}.a.b", "token-encrypted"),
    ("six-parts", f"{GOOD}.a.b.c", "token-form"),
    ("no-signature", f"{HEAD}.{PAYLOAD}.", "token-form"),
    ("no-header", f".{PAYLOAD}.{SIGNATURE}", "token-form"),
    ("detached", f"{HEAD}..{SIGNATURE}", "token-detached"),
    ("too-long", GOOD + "A" * 17000, "token-size"),
    ("8-mib-of-points", "." * (8 << 20), "token-size"),
    ("not-ascii", GOOD + "é", "token-form"),
    ("json-serialization", '{"payload":"a"}', "token-form"),
    ("leading-blank", " " + GOOD, "token-base64"),
    ("trailing-newline", GOOD + "\n", "token-base64"),
    ("newline-within", f"{HEAD}.{PAYLOAD[:9]}\n{PAYLOAD[9:]}.{SIGNATURE}", "token-base64"),
    ("padded", f"{HEAD}.{PAYLOAD}.{SIGNATURE}==", "token-base64"),
    ("standard-alphabet", f"{HEAD}.{PAYLOAD}.+/{SIGNATURE[2:]}", "token-base64"),
    ("stray-bits", GOOD[:-1] + ("B" if GOOD[-1] in "AQgw" else "C"), "token-base64"),
    ("impossible-length", GOOD + "AAA", "token-base64"),
    ("header-no-json", sealed(b"alg", b"{}"), "token-json"),
    ("header-a-list", sealed(b"[]", b"{}"), "token-json"),
    ("header-of-utf-16", sealed('{"alg":"EdDSA"}'.encode("utf-16"), b"{}"), "token-json"),
    ("header-twice-alg", raw("{}", b'{"alg":"EdDSA","alg":"none"}'), "token-duplicate-member"),
    ("payload-no-json", raw("claims"), "token-json"),
    ("payload-empty-object-text", raw(""), "token-detached"),
    ("payload-a-text", raw('"iss"'), "token-json"),
    ("payload-a-list", raw("[1]"), "token-json"),
    ("payload-null", raw("null"), "token-json"),
    ("payload-two-values", raw(json.dumps(claims()) + "{}"), "token-json"),
    ("payload-bom", raw(b"\xef\xbb\xbf" + json.dumps(claims()).encode()), "token-json"),
    ("payload-not-utf-8", raw(b'{"a":"\xff"}'), "token-json"),
    ("payload-deep", raw("[" * 11000), "token-json"),
    ("payload-lone-surrogate", body(r',"name":"\ud800"'), "token-json"),
    ("payload-nan", body(',"x":NaN'), "token-json"),
    ("payload-infinity", body(',"x":-Infinity'), "token-json"),
    ("payload-huge-fraction", body(',"x":1e999'), "token-json"),
    ("payload-huge-integer", body(',"x":' + "9" * 5000), "token-json"),
    ("payload-twice-iss", body(f',"iss":"{ISSUER}"'), "token-duplicate-member"),
    ("payload-twice-escaped", body(r',"is\u0073":"x"'), "token-duplicate-member"),
    ("payload-twice-within", body(',"x":{"a":1,"a":1}'), "token-duplicate-member"),
]

HEADER = [
    ("no-alg", head(alg=None), "token-alg"),
    ("alg-none", head(alg="none"), "token-alg"),
    ("alg-NoNe", head(alg="NoNe"), "token-alg"),
    ("alg-a-list", head(alg=["EdDSA"]), "token-header"),
    ("alg-unknown", head(alg="XS256"), "token-alg"),
    ("alg-symmetric", head(alg="HS256"), "token-alg"),
    ("alg-of-another-key", head(alg="RS256"), "token-alg"),
    ("alg-in-lower-case", head(alg="eddsa"), "token-alg"),
    ("alg-of-another-curve", head(alg="Ed448"), "token-alg"),
    ("kid-a-number", head(kid=1), "token-header"),
    ("kid-empty", head(kid=""), "token-header"),
    ("kid-unknown", head(kid="../../dev/null"), "key-unknown"),
    ("kid-missing", head(kid=None), "key-unknown"),
    ("jwk", head(jwk=jwk("Ed25519")), "token-embedded-key"),
    ("jku", head(jku="https://login.example/jwks"), "token-embedded-key"),
    ("x5u", head(x5u="https://login.example/x"), "token-embedded-key"),
    ("x5c", head(x5c=["MII="]), "token-embedded-key"),
    ("crit-unknown", head(crit=["exp"], exp=1), "token-crit"),
    ("crit-empty", head(crit=[]), "token-crit"),
    ("crit-text", head(crit="b64"), "token-crit"),
    ("crit-of-what-is-not-there", head(crit=["b64"]), "token-crit"),
    ("crit-twice", head(crit=["b64", "b64"], b64=True), "token-crit"),
    ("b64-false", head(crit=["b64"], b64=False), "token-crit"),
    ("b64-false-without-crit", head(b64=False), "token-crit"),
    ("b64-a-text", head(b64="true"), "token-crit"),
    ("typ-a-number", head(typ=1), "token-header"),
    ("typ-of-a-proof", head(typ="dpop+jwt"), "token-typ"),
    ("typ-of-a-logout", head(typ="application/logout+JWT"), "token-typ"),
    ("zip", head(zip="DEF"), "token-header"),
    ("enc", head(enc="A128GCM"), "token-header"),
]

CLAIMS = [
    ("iss-missing", {"iss": None}, "claim-missing"),
    ("iss-unknown", {"iss": "https://login.example/"}, "token-issuer"),
    ("iss-with-slash", {"iss": ISSUER + "/"}, "token-issuer"),
    ("iss-in-upper-case", {"iss": ISSUER.upper()}, "token-issuer"),
    ("iss-of-no-guid", {"iss": "https://login.example/common/v2.0"}, "token-issuer"),
    ("iss-with-newline", {"iss": ISSUER + "\n"}, "token-issuer"),
    ("iss-the-template", {"iss": ENTERPRISE}, "token-issuer"),
    ("iss-a-list", {"iss": [ISSUER]}, "claim-type"),
    ("tid-missing", {"tid": None}, "token-tenant"),
    ("tid-of-another", {"tid": OTHER_TENANT}, "token-tenant"),
    ("tid-of-consumers", {"tid": CONSUMERS}, "token-tenant"),
    ("tid-no-guid", {"tid": "common"}, "token-tenant"),
    ("tid-in-upper-case", {"tid": TENANT.upper()}, "token-tenant"),
    ("tid-a-number", {"tid": 7}, "claim-type"),
    ("aud-missing", {"aud": None}, "token-audience"),
    ("aud-of-another", {"aud": "https://other.example"}, "token-audience"),
    ("aud-prefix", {"aud": MAIL + "/"}, "token-audience"),
    ("aud-empty-list", {"aud": []}, "claim-type"),
    ("aud-a-number", {"aud": 7}, "claim-type"),
    ("aud-mixed-list", {"aud": [MAIL, 7]}, "claim-type"),
    ("aud-an-object", {"aud": {MAIL: 1}}, "claim-type"),
    ("exp-missing", {"exp": None}, "claim-missing"),
    ("exp-passed", {"exp": T - 60}, "token-expired"),
    ("exp-a-text", {"exp": str(T + 60)}, "claim-type"),
    ("exp-true", {"exp": True}, "claim-type"),
    ("exp-negative", {"exp": -1}, "claim-type"),
    ("exp-beyond-time", {"exp": 10**30}, "claim-type"),
    ("exp-a-list", {"exp": [T + 60]}, "claim-type"),
    ("nbf-to-come", {"nbf": T + 61}, "token-not-yet"),
    ("nbf-a-text", {"nbf": "0"}, "claim-type"),
    ("iat-to-come", {"iat": T + 61}, "token-issued-at"),
    ("iat-behind-exp", {"iat": T + 10, "exp": T + 5}, "token-issued-at"),
    ("iat-a-text", {"iat": "0"}, "claim-type"),
    ("sub-a-number", {"sub": 7}, "claim-type"),
    ("jti-a-list", {"jti": []}, "claim-type"),
    ("scope-a-number", {"scope": 7}, "claim-type"),
    ("cnf-without-proof", {"cnf": {"jkt": "abc"}}, "token-confirmation"),
    ("cnf-unknown", {"cnf": {"kid": "abc"}}, "token-confirmation"),
    ("cnf-empty", {"cnf": {}}, "token-confirmation"),
    ("cnf-a-text", {"cnf": "abc"}, "claim-type"),
]

#: keys of the set, changes of the policy, changes of the rule, changes of the claims
POLICY = [
    ("typ-wanted", {}, {"token_type": "at+jwt"}, {}, {}, "token-typ"),
    ("alg-not-taken", {}, {}, {"algorithms": {"ES256"}}, {}, "token-alg"),
    ("alg-not-the-keys", {"alg": "Ed25519"}, {}, {}, {}, "token-alg"),
    ("alg-of-key-unfitting", {"alg": "RS256"}, {}, {}, {}, "token-alg"),
    ("tenant-not-taken", {}, {}, {"tenants": {OTHER_TENANT}}, {}, "token-tenant"),
    (
        "cloud-another",
        {"cloud_instance_name": "cloud.example"},
        {},
        {"clouds": {"other.example"}},
        {},
        "key-cloud",
    ),
    ("cloud-not-stated", {}, {}, {"clouds": {"other.example"}}, {}, "key-cloud"),
    ("class-not-the-keys", {"audience_classes": ["consumer"]}, {}, {}, {}, "key-class"),
    ("class-none", {"audience_classes": []}, {}, {}, {}, "key-class"),
    ("tenant-not-the-keys", {"tenants": [OTHER_TENANT]}, {}, {}, {}, "key-tenant"),
    ("tenants-none", {"tenants": []}, {}, {}, {}, "key-use"),
    ("tenants-no-list", {"tenants": OTHER_TENANT}, {}, {}, {}, "key-use"),
    ("template-where-exact", {}, {}, {"exact_keys": True}, {}, "key-issuer"),
    (
        "key-of-other-tenant",
        {"issuer": f"https://login.example/{OTHER_TENANT}/v2.0"},
        {},
        {},
        {},
        "key-issuer",
    ),
    ("key-without-issuer", {"issuer": None}, {}, {}, {}, "key-unscoped"),
    ("key-broken-template", {"issuer": "https://{host}/"}, {}, {}, {}, "key-use"),
    ("key-for-encryption", {"use": "enc"}, {}, {}, {}, "key-use"),
    ("key-for-signing-only", {"key_ops": ["sign"]}, {}, {}, {}, "key-use"),
    ("key-ops-twice", {"key_ops": ["verify", "verify"]}, {}, {}, {}, "key-use"),
    ("key-ops-a-text", {"key_ops": "verify"}, {}, {}, {}, "key-use"),
    ("key-expired", {"exp": T - 1}, {}, {}, {}, "key-window"),
    ("key-not-yet", {"nbf": T + 1}, {}, {}, {}, "key-window"),
    ("key-began-after-iat", {"nbf": T - 60}, {}, {}, {"iat": T - 200}, "key-window"),
    ("key-revoked", {"revoked": {"revoked_at": T}}, {}, {}, {}, "key-state"),
    ("key-of-small-order", {"x": b64url(bytes(32))}, {}, {}, {}, "key-weak"),
    ("old", {}, {"max_age": timedelta(hours=1)}, {}, {"iat": T - 3700, "exp": T + 1}, "token-lifetime"),
    (
        "long-lived",
        {},
        {"max_age": timedelta(hours=1)},
        {},
        {"iat": T - 1, "exp": T + 3601},
        "token-lifetime",
    ),
    ("age-not-told", {}, {"max_age": timedelta(hours=1)}, {}, {"iat": None}, "claim-missing"),
    ("claim-wanted", {}, {"require": {"exp", "jti"}}, {}, {}, "claim-missing"),
    ("value-another", {}, {"values": {"sub": ["x"]}}, {}, {}, "claim-value"),
    ("value-of-other-type", {}, {"values": {"v": [1]}}, {}, {"v": True}, "claim-value"),
    ("value-missing", {}, {"values": {"azp": ["x"]}}, {}, {}, "claim-missing"),
    ("fraction", {}, {"whole_seconds": True}, {}, {"exp": T + 1.5}, "claim-type"),
    ("cnf-wanted", {}, {"confirmation": "required"}, {}, {}, "token-confirmation"),
]


def code_of(token, **options):
    with pytest.raises(TokenError) as caught:
        validator(**options).validate(token)
    assert SIGNATURE not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(("token", "code"), [pytest.param(*row[1:], id=row[0]) for row in FORM + HEADER])
def test_form_and_header(token, code):
    assert code_of(token) == code


@pytest.mark.parametrize(("changes", "code"), [pytest.param(*row[1:], id=row[0]) for row in CLAIMS])
def test_claims(changes, code):
    assert code_of(Mint().token(**changes)) == code


@pytest.mark.parametrize(
    ("members", "policy", "rule", "changes", "code"), [pytest.param(*row[1:], id=row[0]) for row in POLICY]
)
def test_keys_and_policy(members, policy, rule, changes, code):
    with pytest.raises(TokenError) as caught:
        validator(jwk("Ed25519", **members), rule=rule, **policy).validate(Mint().token(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as-it-is"),
        pytest.param({"exp": T - 59}, id="expired-within-skew"),
        pytest.param({"nbf": T + 60}, id="too-early-within-skew"),
        pytest.param({"exp": T + 3600.5}, id="fraction"),
        pytest.param({"iat": None, "nbf": None}, id="without-iat"),
        pytest.param({"aud": [MAIL, "https://other.example"]}, id="several-audiences"),
        pytest.param({"scope": ["a", "b"]}, id="scope-as-list"),
        pytest.param({"name": "Ö\U0001f600", "x": [1.5, None, {"y": 1}]}, id="other-claims"),
    ],
)
def test_what_is_right_is_accepted(changes):
    assert validator().validate(Mint().token(**changes))["sub"] == "mailbox-7"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_that_the_policy_asks_for(typ):
    assert validator(token_type="at+jwt").validate(head(typ=typ))


def test_an_audience_that_the_policy_does_not_know_is_the_callers_mistake():
    with pytest.raises(PolicyError):
        validator().validate(GOOD, audience="https://other.example")


def test_b64_that_changes_nothing_is_understood():
    assert validator().validate(head(crit=["b64"], b64=True))


def test_blanks_around_the_claims_are_json():
    assert validator().validate(raw(" \r\n" + json.dumps(claims(), indent=2) + "\n"))
