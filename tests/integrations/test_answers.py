"""The answers of a guard, word by word, and what nobody can put into them."""

from __future__ import annotations

import json

import pytest

from immure.errors import PolicyError, UsageError
from immure.integrations.bearer import Guard
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.algorithms import ALGORITHMS
from integrations.asking import outcome, request
from integrations.doors import GOOD, METADATA, bearer, bound, down_guard, guard
from tokens.minting import MAIL, validator

_TEXTS = {
    "absent": (
        [],
        'Bearer realm="mail", scope="a b", DPoP',
        {"error_description": "a token is needed", "code": "token-absent", "scope": "a b"},
    ),
    "malformed": (
        [("Authorization", "Bearer")],
        'Bearer realm="mail", error="invalid_request", '
        'error_description="the Authorization field is malformed", DPoP',
        {
            "error": "invalid_request",
            "error_description": "the Authorization field is malformed",
            "code": "credentials",
        },
    ),
    "twice": (
        bearer(GOOD) * 2,
        'Bearer realm="mail", error="invalid_request", '
        'error_description="there is more than one Authorization field", DPoP',
        {
            "error": "invalid_request",
            "error_description": "there is more than one Authorization field",
            "code": "credentials",
        },
    ),
    "refused": (
        bearer("x"),
        'Bearer realm="mail", error="invalid_token", '
        'error_description="the token is refused (token-form)", DPoP',
        {
            "error": "invalid_token",
            "error_description": "the token is refused (token-form)",
            "code": "token-form",
        },
    ),
    "scope": (
        bearer(GOOD),
        'Bearer realm="mail", error="insufficient_scope", '
        'error_description="the token lacks a scope", scope="a b", DPoP',
        {
            "error": "insufficient_scope",
            "error_description": "the token lacks a scope",
            "code": "scope-missing",
            "scope": "a b",
        },
    ),
    "proof": (
        bound("x"),
        'Bearer realm="mail", DPoP algs="…", error="invalid_dpop_proof", '
        'error_description="the DPoP proof is refused (dpop-proof)"',
        {
            "error": "invalid_dpop_proof",
            "error_description": "the DPoP proof is refused (dpop-proof)",
            "code": "dpop-proof",
        },
    ),
}


def _full(_row):
    raise AcceptanceLogError("the disk is full")


@pytest.mark.parametrize(("headers", "challenge", "body"), _TEXTS.values(), ids=_TEXTS)
def test_the_whole_answer(headers, challenge, body):
    got = outcome(guard(scopes=["a", "b"], resource_metadata=None), request(headers=headers))
    algs = " ".join(sorted(ALGORITHMS))
    whole = challenge.replace("…", algs)
    assert got.headers == [
        ("WWW-Authenticate", whole + f' algs="{algs}"' if whole.endswith("DPoP") else whole),
        ("Cache-Control", "no-store"),
    ]
    assert json.loads(got.body()) == body
    assert got.reason == body["error_description"]


@pytest.mark.parametrize(
    ("door", "words", "code"),
    [
        (down_guard, "the keys of the issuer cannot be had now", "key-source"),
        (
            lambda **changes: guard(record=_full, **changes),
            "what is accepted cannot be recorded now",
            "acceptance-log",
        ),
    ],
)
def test_the_whole_answer_if_nobody_can_tell(door, words, code):
    got = outcome(door(), request(headers=bearer(GOOD)))
    assert got.headers == [("Retry-After", "10"), ("Cache-Control", "no-store")]
    assert json.loads(got.body()) == {"error_description": words, "code": code}
    assert outcome(door(retry_after=0), request(headers=bearer(GOOD))).headers[0] == ("Retry-After", "0")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"realm": "a\r\nSet-Cookie: x"}, UsageError, id="realm-lines"),
        pytest.param({"realm": "é"}, UsageError, id="realm-not-ascii"),
        pytest.param({"realm": "a\x7f"}, UsageError, id="realm-del"),
        pytest.param({"resource_metadata": "https://a.example/\r\nx: y"}, UsageError, id="metadata-lines"),
        pytest.param({"resource_metadata": 'https://a.example/"'}, UsageError, id="metadata-quote"),
        pytest.param({"resource_metadata": "http://a.example/"}, UsageError, id="metadata-http"),
        pytest.param({"resource_metadata": "/relative"}, UsageError, id="metadata-relative"),
        pytest.param({"resource_metadata": "https://[x/"}, UsageError, id="metadata-malformed"),
        pytest.param({"resource_metadata": "https://u:p@a.example/"}, UsageError, id="metadata-password"),
        pytest.param({"origin": MAIL + "/inbox"}, UsageError, id="origin-with-a-path"),
        pytest.param({"origin": MAIL + "?"}, UsageError, id="origin-with-a-query"),
        pytest.param({"scopes": ["a b"]}, UsageError, id="scope-with-a-blank"),
        pytest.param({"scopes": ['a"']}, UsageError, id="scope-with-a-quote"),
        pytest.param({"scopes": ["a\n"]}, UsageError, id="scope-with-a-line"),
        pytest.param({"scopes": [""]}, UsageError, id="scope-empty"),
        pytest.param({"scopes": "mail.read"}, UsageError, id="scopes-a-text"),
        pytest.param({"retry_after": -1}, UsageError, id="retry-after"),
        pytest.param({"audience": "https://nobody.example"}, PolicyError, id="audience"),
    ],
)
def test_what_a_guard_is_not_made_with(changes, error):
    with pytest.raises(error):
        guard(**changes)


def test_scopes_of_a_request_are_checked_too():
    for scopes in (['a"\r\nb'], "mail.read"):
        with pytest.raises(UsageError):
            guard().check(request(headers=bearer(GOOD)), scopes=scopes)


def test_a_realm_is_quoted():
    got = outcome(Guard(validator(), realm='the "mail" \\ realm'), request())
    assert got.headers[0] == ("WWW-Authenticate", r'Bearer realm="the \"mail\" \\ realm"')


def test_a_bare_guard_still_challenges():
    got = outcome(Guard(validator()), request())
    assert got.headers == [("WWW-Authenticate", "Bearer"), ("Cache-Control", "no-store")]


def test_the_address_of_the_metadata_is_in_every_challenge():
    for headers in ([], bearer("garbage"), bearer(GOOD) * 2, bound()):
        assert f'resource_metadata="{METADATA}"' in outcome(guard(), request(headers=headers)).headers[0][1]
