"""Security event tokens: ours to others' libraries, others' to ours, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws

from immure.custody import Signer
from immure.errors import ImmureError
from immure.response.events.errors import (
    EventAudienceError,
    EventError,
    EventFormError,
    EventIssuerError,
    EventKeyError,
)
from immure.response.events.kinds import (
    ISSUER_KEY_COMPROMISE,
    SESSION_REVOKED,
    key_compromise,
    session_revoked,
)
from immure.response.events.set_token import (
    jti_of,
    parse_event,
    parse_kept,
    sign_compact,
    sign_event,
    verify_event,
)
from immure.response.events.subjects import Subjects, check_subject, matches
from immure.tokens.keyset import KeySet

ISSUER, MAIL, NOW = "https://login.example/", "https://mail.example", 1790000000
EVENT = key_compromise(
    ISSUER, "k1", "0" * 43, since=NOW - 5, reason="found", not_before=NOW, cause="incident"
)


def keys(signer: Signer, **changes: Any) -> dict[str, Any]:
    return {
        "keys": [{**signer.public.to_jwk(), "kid": signer.thumbprint, "alg": signer.algorithm, **changes}]
    }


def ours(signer: Signer) -> KeySet:
    return KeySet.from_jwks(keys(signer), "jwks")


def made(signer: Signer, **changes: Any) -> str:
    given = {"issuer": ISSUER, "audience": MAIL, "jti": "one", "now": NOW, "signer": signer} | changes
    return sign_event(EVENT, **given)


def test_another_library_reads_it(signer: Signer) -> None:
    found = jws.deserialize_compact(
        made(signer), jwk.KeySet.import_key_set(keys(signer)), algorithms=["EdDSA", "ES256"]
    )
    assert found.headers() == {"alg": signer.algorithm, "kid": signer.thumbprint, "typ": "secevent+jwt"}
    payload = json.loads(found.payload)
    assert payload == {
        "iss": ISSUER,
        "aud": MAIL,
        "jti": "one",
        "iat": NOW,
        "toe": NOW - 5,
        "txn": "incident",
        "sub_id": {"format": "uri", "uri": ISSUER},
        "events": {
            ISSUER_KEY_COMPROMISE: {
                "event_timestamp": NOW - 5,
                "initiating_entity": "admin",
                "kid": "k1",
                "jkt": "0" * 43,
                "not_before": NOW,
                "reason_admin": {"en": "found"},
            }
        },
    }


def test_we_read_it(signer: Signer) -> None:
    found = verify_event(made(signer), ours(signer), issuer=ISSUER, audience=MAIL, now=NOW)
    assert (found.jti, found.kind, found.cause) == ("one", ISSUER_KEY_COMPROMISE, "incident")
    assert (found.issued, found.at, dict(found.subject)) == (NOW, NOW - 5, {"format": "uri", "uri": ISSUER})
    assert found.says["kid"] == "k1"


def test_we_read_that_of_another_library() -> None:
    """jwcrypto signs, with an audience that is a list."""
    jwcrypto = pytest.importorskip("jwcrypto.jwt", reason="NOT TESTED: jwcrypto is not installed")
    from jwcrypto.jwk import JWK

    key = JWK.generate(kty="EC", crv="P-256", kid="theirs")
    claims = {
        "iss": ISSUER,
        "aud": [MAIL, "https://other.example"],
        "jti": "756E69717565206964656E746966696572",
        "iat": NOW,
        "sub_id": {"format": "email", "email": "ada@contoso.example"},
        "events": {SESSION_REVOKED: {"event_timestamp": NOW}},
    }
    token = jwcrypto.JWT(header={"alg": "ES256", "kid": "theirs", "typ": "secevent+jwt"}, claims=claims)
    token.make_signed_token(key)
    theirs = KeySet.from_jwks({"keys": [json.loads(key.export_public())]}, "theirs")
    found = verify_event(token.serialize(), theirs, issuer=ISSUER, audience=MAIL, now=NOW)
    assert found.kind == SESSION_REVOKED
    assert found.subject["email"] == "ada@contoso.example"


def test_names_follow_from_what_is_said() -> None:
    again = key_compromise(ISSUER, "k1", "", since=NOW + 99, reason="other words", cause="incident")
    assert jti_of(EVENT, "mail") == jti_of(again, "mail")
    others = [
        jti_of(EVENT, "chat"),
        jti_of(key_compromise(ISSUER, "k2", "", since=NOW, cause="incident"), "mail"),
        jti_of(key_compromise(ISSUER, "k1", "", since=NOW, cause="another"), "mail"),
        jti_of(session_revoked(ISSUER, "k1", at=NOW, cause="incident"), "mail"),
        jti_of(session_revoked(ISSUER, "k2", at=NOW, cause="incident"), "mail"),
    ]
    assert len({jti_of(EVENT, "mail"), *others}) == 6


CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": MAIL,
    "jti": "one",
    "iat": NOW,
    "sub_id": {"format": "uri", "uri": ISSUER},
    "events": {ISSUER_KEY_COMPROMISE: {}},
}
#: Changes of claims (None leaves one out) and header, and what each is refused with.
REFUSED: list[tuple[str, dict[str, Any], str, type[EventError], str]] = [
    ("an access token", {}, "at+jwt", EventFormError, "typ"),
    ("no type", {}, "", EventFormError, "typ|text"),
    ("exp", {"exp": NOW + 5}, "secevent+jwt", EventFormError, "has exp"),
    ("sub", {"sub": "ada"}, "secevent+jwt", EventFormError, "has sub"),
    ("no events", {"events": None}, "secevent+jwt", EventFormError, "not exactly one"),
    ("no event", {"events": {}}, "secevent+jwt", EventFormError, "not exactly one"),
    ("two events", {"events": {"a:b": {}, "a:c": {}}}, "secevent+jwt", EventFormError, "not exactly one"),
    ("events a list", {"events": [SESSION_REVOKED]}, "secevent+jwt", EventFormError, "not exactly one"),
    ("an event that is a text", {"events": {"a:b": "x"}}, "secevent+jwt", EventFormError, "not an object"),
    ("no jti", {"jti": None}, "secevent+jwt", EventFormError, "jti"),
    ("an empty jti", {"jti": ""}, "secevent+jwt", EventFormError, "jti"),
    ("jti a number", {"jti": 1}, "secevent+jwt", EventFormError, "jti"),
    ("no iat", {"iat": None}, "secevent+jwt", EventFormError, "iat"),
    ("iat a text", {"iat": "now"}, "secevent+jwt", EventFormError, "iat"),
    ("iat true", {"iat": True}, "secevent+jwt", EventFormError, "iat"),
    ("of the future", {"iat": NOW + 9999}, "secevent+jwt", EventFormError, "future"),
    ("toe a text", {"toe": "now"}, "secevent+jwt", EventFormError, "toe"),
    ("txn a number", {"txn": 1}, "secevent+jwt", EventFormError, "txn"),
    ("no subject", {"sub_id": None}, "secevent+jwt", EventFormError, "subject"),
    ("a subject of no format", {"sub_id": {"email": "a@b"}}, "secevent+jwt", EventFormError, "format"),
    ("a subject that lacks", {"sub_id": {"format": "email"}}, "secevent+jwt", EventFormError, "no email"),
    ("no issuer", {"iss": None}, "secevent+jwt", EventFormError, "iss"),
    (
        "another issuer",
        {"iss": "https://evil.example"},
        "secevent+jwt",
        EventIssuerError,
        "another transmitter",
    ),
    ("no audience", {"aud": None}, "secevent+jwt", EventFormError, "aud"),
    ("audience of numbers", {"aud": [1]}, "secevent+jwt", EventFormError, "aud"),
    (
        "another audience",
        {"aud": "https://chat.example"},
        "secevent+jwt",
        EventAudienceError,
        "another receiver",
    ),
]


@pytest.mark.parametrize(
    ("changes", "typ", "error", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused(
    signer: Signer, changes: dict[str, Any], typ: str, error: type[EventError], words: str
) -> None:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    text = sign_compact(claims, typ, signer, signer.thumbprint)
    with pytest.raises(error, match=words):
        verify_event(text, ours(signer), issuer=ISSUER, audience=MAIL, now=NOW)


def test_another_key(signer: Signer) -> None:
    stranger = KeySet.from_jwks(keys(signer, kid="another"), "jwks")
    with pytest.raises(EventKeyError):
        verify_event(made(signer), stranger, issuer=ISSUER, audience=MAIL)
    with pytest.raises(EventKeyError):
        verify_event(made(signer)[:-4] + "AAAA", ours(signer), issuer=ISSUER, audience=MAIL)


@given(st.binary(max_size=100) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes(data: bytes) -> None:
    for act in (
        lambda: verify_event(data, KeySet((), "none"), issuer=ISSUER, audience=MAIL),
        lambda: parse_event(data),
    ):
        try:
            act()
        except ImmureError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CLAIMS)), JSON)
def test_any_claim(name: str, value: Any) -> None:
    payload = json.dumps(CLAIMS | {name: value}).encode()
    try:
        parse_event(payload)
    except EventError:
        return


COMPLEX = {
    "format": "complex",
    "user": {"format": "email", "email": "a@b"},
    "tenant": {"format": "opaque", "id": "t"},
}
SUBJECTS: list[tuple[str, Any, str | None]] = [
    ("opaque", {"format": "opaque", "id": "x"}, None),
    ("complex", COMPLEX, None),
    ("no object", "ada", "not an object"),
    ("complex in complex", {"format": "complex", "user": COMPLEX}, "not a simple"),
    ("complex of nothing", {"format": "complex"}, "1 to 16"),
    ("complex of texts", {"format": "complex", "user": "ada"}, "not a simple"),
    ("format a list", {"format": ["email"]}, "no known format"),
]


@pytest.mark.parametrize(("value", "words"), [row[1:] for row in SUBJECTS], ids=[row[0] for row in SUBJECTS])
def test_subjects(value: Any, words: str | None) -> None:
    if words is None:
        assert check_subject(value) == value
        return
    with pytest.raises(EventFormError, match=words):
        check_subject(value)


def test_matching() -> None:
    user = {"format": "complex", "user": COMPLEX["user"]}
    other = {"format": "complex", "user": {"format": "email", "email": "c@d"}}
    assert matches(COMPLEX, user)
    assert not matches(COMPLEX, other)
    assert not matches(COMPLEX, {"format": "complex", "device": COMPLEX["tenant"]})
    assert not matches(COMPLEX, COMPLEX["user"])


_SIMPLE = st.builds(
    lambda name, text: {"format": "opaque", name: text}, st.sampled_from(["id", "x"]), st.text(max_size=1)
)
_PARTS = st.dictionaries(st.sampled_from(["user", "tenant", "device"]), _SIMPLE, min_size=1, max_size=3)
_SUBJECTS = _SIMPLE | _PARTS.map(lambda parts: {"format": "complex", **parts})


@given(st.lists(_SUBJECTS, max_size=6), _SUBJECTS)
def test_many_subjects_are_as_each_of_them(wanted: list[dict[str, Any]], found: dict[str, Any]) -> None:
    assert Subjects(wanted).match(found) == any(matches(one, found) for one in wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "parts"),
        ("a.b", "parts"),
        ("e30.%%%.e30", "token-base64: payload"),
        ("e30.e30.e30", "holds not exactly one event"),
        ("e30." + "A" * (64 << 10) + ".e30", "bytes"),
    ],
)
def test_what_was_kept_is_no_event(text: str, words: str) -> None:
    with pytest.raises(EventFormError, match=words):
        parse_kept(text)
