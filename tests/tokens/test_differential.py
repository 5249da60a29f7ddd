"""Tokens and keys judged by three libraries. docs/explanation/validator-differences.md says why they differ.

A row says what each does with one change of a token that all of them accept. Changes are also put together,
up to three: a library accepts what is so changed if it accepts each change. A difference that no row explains
fails.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tokens.minting import jwk, sealed
from tokens.peers import ALGORITHMS, AUDIENCE, ISSUER, KEYS, Judges, Verdicts
from tokens.test_jwks import longer, secret

NOW = int(time.time())
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "validator-differences.md"
ALL, NONE = Verdicts(True, True, True), Verdicts(False, False, False)
#: Who accepts what we refuse.
BOTH, PYJWT, JOSERFC = Verdicts(False, True, True), Verdicts(False, True, False), Verdicts(False, False, True)
#: Who refuses what we accept.
NOT_JOSERFC = Verdicts(True, True, False)


@dataclass(frozen=True)
class Change:
    """Something about a token that is unlike the others, and who accepts it.

    Attributes:
        why: the row of the page that explains it; empty where all agree.
        head, claims: members that are set; None leaves one out.
        more: text behind the claims.
    """

    name: str
    verdicts: Verdicts
    why: str = ""
    head: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    more: str = ""


def heads(why: str, verdicts: Verdicts, **members: Any) -> list[Change]:
    """One change for each member of a header, or for each of the values in a list of them."""
    return [
        Change(f"{name}={value!r:.20}", verdicts, why, head={name: value})
        for name, values in members.items()
        for value in values
    ]


def claims(why: str, verdicts: Verdicts, **members: Any) -> list[Change]:
    """One change for each of the values of each claim."""
    return [
        Change(f"{name}={value!r:.20}", verdicts, why, claims={name: value})
        for name, values in members.items()
        for value in values
    ]


NO_TEXTS = [7, True, [], {}, 0.5]
CHANGES = [
    Change("nothing", ALL),
    # all agree
    *heads("", ALL, typ=["at+jwt", "JWT", None], x5t=["AA"], cty=["x"], b64=[True]),
    *heads("", NONE, alg=["none", "RS256", "HS256", "Ed25519", None, 7], kid=["x", 7, None]),
    Change("crit-unknown", NONE, head={"crit": ["x"], "x": 1}),
    Change("crit-a-text", NONE, head={"crit": "x"}),
    Change("b64-false", NONE, head={"crit": ["b64"], "b64": False}),
    *claims("", ALL, sub=["ada", None], jti=["a"], scope=["a b"], aud=[[AUDIENCE, "x"]], exp=[NOW + 600.5]),
    *claims("", ALL, nbf=[NOW + 30, None], iat=[NOW - 5.5, None], cnf=[None], other=[{"a": [1, None]}]),
    *claims("", NONE, iss=["x", ISSUER + "/", None, 7, [ISSUER]], sub=NO_TEXTS, jti=NO_TEXTS),
    *claims("", NONE, aud=["x", AUDIENCE + "/", AUDIENCE.upper(), None, 7, [], {}, ["x"], [[AUDIENCE]]]),
    *claims("", NONE, exp=[NOW - 9000, None, "x", [], -1, True], nbf=[NOW + 999, "x", []]),
    *claims("", NONE, iat=[NOW + 999, "x"]),
    # not all agree
    *heads("embedded-key", BOTH, jwk=[KEYS[2]], x5c=[["AA=="]]),
    *heads("embedded-key", BOTH, jku=["https://x.example"], x5u=["https://x.example"]),
    *heads("header-type", PYJWT, typ=[1], x5t=[1], cty=[1]),
    *heads("header-type", BOTH, typ=[""]),
    *heads("crit-empty", JOSERFC, crit=[[]]),
    *heads("other-type", BOTH, typ=["dpop+jwt", "logout+jwt", "secevent+jwt"]),
    *heads("encrypted", PYJWT, zip=["DEF"], enc=["A128GCM"]),
    *heads("unknown-parameter", NOT_JOSERFC, foo=[1], ver=["2.0"]),
    *claims("claim-type", BOTH, client_id=NO_TEXTS, azp=NO_TEXTS, nonce=NO_TEXTS, tid=NO_TEXTS),
    *claims("claim-type", BOTH, scope=[7, True, {}, 0.5], auth_time=["x", True, [], {}]),
    *claims("time-as-text", PYJWT, exp=[str(NOW + 600)], nbf=[str(NOW)], iat=[str(NOW - 5)]),
    *claims("time-as-text", PYJWT, nbf=[True], iat=[True]),
    *claims("time-range", BOTH, exp=[10**15, 1e30], nbf=[-1], iat=[-1], auth_time=[-1]),
    *claims("bound", BOTH, cnf=[{"jkt": "a"}, {"x5t#S256": "a"}, {"kid": "a"}, {}, 7, "x", []]),
    Change("iat-behind-exp", BOTH, "order-of-times", claims={"iat": NOW + 50, "exp": NOW + 40}),
    Change("name-twice", BOTH, "duplicate", more=',"x":1,"x":1'),
    Change("iss-twice", BOTH, "duplicate", more=f',"iss":"{ISSUER}"'),
    Change("name-twice-within", BOTH, "duplicate", more=',"y":{"a":1,"a":2}'),
    Change("nan", BOTH, "numbers", more=',"z":NaN'),
    Change("infinity", BOTH, "numbers", more=',"z":-Infinity'),
    Change("beyond-floats", BOTH, "numbers", more=',"z":1e999'),
    Change("half-a-character", BOTH, "characters", more=r',"w":"\ud800"'),
    Change("long", BOTH, "size", claims={"long": "x" * 20000}),
]  # fmt: skip


@cache
def judges() -> Judges:
    return Judges(KEYS, NOW)


def token(*changes: Change, key: str = "Ed25519") -> str:
    head = {"alg": ALGORITHMS[key], "kid": key, "typ": "JWT"}
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 600}
    for change in changes:
        head |= change.head
        body |= change.claims
    head = {name: value for name, value in head.items() if value is not None}
    body = {name: value for name, value in body.items() if value is not None}
    text = json.dumps(body)[:-1] + "".join(change.more for change in changes) + "}"
    return sealed(json.dumps(head).encode(), text.encode(), key, ALGORITHMS[key])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.why}:{change.name}")
@pytest.mark.parametrize("key", ["Ed25519", "ES256"])
def test_each_change_alone(change, key):
    if "alg" in change.head and key != "Ed25519":
        return
    assert judges().verdicts(token(change, key=key)) == change.verdicts


def touched(change: Change) -> set[str]:
    """Members that a change is about; times go together, as their order counts."""
    times = {"exp", "nbf", "iat", "auth_time"} & change.claims.keys()
    named = {f"head {name}" for name in change.head} | change.claims.keys() | ({"times"} if times else set())
    return named | set(re.findall(r'"(\w+)":', change.more))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CHANGES), min_size=2, max_size=3))
def test_changes_together(changes):
    """A library accepts a token if it accepts each change; so no difference is there that no row explains."""
    members = [name for change in changes for name in touched(change)]
    assume(len(members) == len(set(members)))
    expected = Verdicts(*(all(each) for each in zip(*(change.verdicts for change in changes), strict=True)))
    assert judges().verdicts(token(*changes)) == expected


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["Ed25519", "ES256", "RS"]), st.data())
def test_any_change_of_characters_is_refused_by_all(key, data):
    good = genuine(key)
    at, length = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, 2))
    put = data.draw(st.text(alphabet='ABab01-_=+/.! \n\té{"\0', max_size=2))
    changed = good[:at] + put + good[at + length :]
    assume(changed != good)
    padded = changed.startswith(good) and set(changed.removeprefix(good)) == {"="}
    # see "padding"; "=" behind what is padded in full already is too much for PyJWT as well
    assert judges().verdicts(changed) in ((PYJWT, NONE) if padded else (NONE,))


@cache
def genuine(key: str) -> str:
    return token(key=key)


TEXTS = [
    ("padding", PYJWT, genuine("Ed25519") + "=="),
    ("", NONE, genuine("Ed25519") + "\n"),
    ("", NONE, " " + genuine("Ed25519")),
    ("", NONE, genuine("Ed25519") + "."),
    ("", NONE, genuine("Ed25519").rpartition(".")[0] + "."),
    ("", NONE, ""),
]
WRITTEN = [
    ("duplicate", BOTH, b'{"alg":"EdDSA","kid":"Ed25519","kid":"Ed25519"}', "utf-8"),
    ("characters", BOTH, None, "utf-8-sig"),
    ("characters", BOTH, None, "utf-16"),
    ("characters", BOTH, None, "utf-32-le"),
    ("", NONE, None, "utf-7-and-no-json"),
    ("", ALL, None, "utf-8"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "verdicts", "text"), TEXTS)
def test_forms(why, verdicts, text):
    assert judges().verdicts(text) == verdicts


@pytest.mark.parametrize(("why", "verdicts", "head", "encoding"), WRITTEN)
def test_writing(why, verdicts, head, encoding):
    body = json.dumps({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600})
    payload = body.encode(encoding) if encoding != "utf-7-and-no-json" else b"+" + body.encode()
    assert judges().verdicts(sealed(head or b'{"alg":"EdDSA","kid":"Ed25519"}', payload)) == verdicts


#: Why, verdicts, key, members of it that are changed.
SETS = [
    ("", ALL, "ES256", {"use": "sig", "key_ops": ["verify"], "unknown": 1}),
    ("", NONE, "ES256", {"use": "enc"}),
    ("", NONE, "ES256", {"x": jwk("ES256")["y"], "y": jwk("ES256")["x"]}),
    ("", NONE, "ES256", {"crv": "P-384"}),
    ("", NONE, "ES256", {"kty": "oct", "k": "AAAA"}),
    ("", NONE, "RS", {"alg": "PS256"}),
    ("", NONE, "ES256", {"kid": "other"}),
    ("null-in-key", NOT_JOSERFC, "ES256", {"use": None}),
    ("key-ops", PYJWT, "ES256", {"key_ops": ["encrypt"]}),
    ("key-ops", PYJWT, "ES256", {"key_ops": []}),
    ("key-written", PYJWT, "RS", {"n": jwk("RS")["n"] + "=="}),
    ("key-written", JOSERFC, "ES256", {"x": longer(jwk("ES256")["x"])}),
    ("key-private", BOTH, "ES256", secret("ES256")),
    ("key-private", BOTH, "Ed25519", secret("Ed25519")),
    ("key-life", BOTH, "Ed25519", {"exp": NOW - 1}),
    ("key-life", BOTH, "Ed25519", {"nbf": NOW + 99}),
    ("key-life", BOTH, "Ed25519", {"revoked": {"revoked_at": NOW - 9}}),
    ("key-short", JOSERFC, "RS1024", {}),
]  # fmt: skip


@pytest.mark.parametrize(("why", "verdicts", "name", "members"), SETS)
def test_keys(why, verdicts, name, members):
    key = jwk(name, issuer=None, alg=ALGORITHMS[name]) | members
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some say aloud that a key is short
        assert Judges([key], NOW).verdicts(token(key=name)) == verdicts


def test_the_page_explains_each_difference_and_no_other():
    used = {change.why for change in CHANGES} | {row[0] for row in [*TEXTS, *WRITTEN, *SETS]}
    assert all(change.verdicts.agree == (change.why == "") for change in CHANGES)
    assert all(row[1].agree == (row[0] == "") for row in [*TEXTS, *WRITTEN, *SETS])
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)) == used - {""}
