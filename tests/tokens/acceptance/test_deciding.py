"""What is written down of a token: the truth of an accepted one, what can be read of a refused one."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.digest import signed_digest
from immure.errors import KeySourceError, PolicyError
from immure.keymaterial.key import b64url
from immure.registry.scope import ScopedKey
from immure.tokens.acceptance.deciding import MOST_AUDIENCES, MOST_TEXT, adecide, decide
from immure.tokens.acceptance.rows import parse_line, to_line
from immure.tokens.errors import TokenError
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.strict import decode_segment
from immure.tokens.validator import Validator
from tokens.minting import (
    CHAT,
    CONSUMERS,
    ISSUER,
    MAIL,
    NOW,
    TENANT,
    Mint,
    T,
    jwk,
    validator,
)

WHO = {"relying_party": "mail", "channel": "imap"}


def digest(token: str) -> bytes:
    return signed_digest(token.rpartition(".")[0].encode())


def test_an_accepted_token():
    token = Mint().token(client_id="outlook", aud=[MAIL, CHAT])
    decided = decide(validator(), token, **WHO)
    row = decided.decision
    assert decided.unwrap()["sub"] == "mailbox-7"
    assert (row.verdict, row.rule, row.digest) == ("accepted", "", digest(token))
    assert (row.issuer, row.subject, row.tenant, row.client) == (ISSUER, "mailbox-7", TENANT, "outlook")
    assert (row.audience, row.issued_at, row.expires) == ((MAIL, CHAT), T - 60, T + 3600)
    assert (row.kid, row.time, row.relying_party, row.channel) == ("Ed25519", T, "mail", "imap")
    key = validator().policy.rule_for(ISSUER)[0].source.find("Ed25519")  # type: ignore[index]
    assert row.thumbprint == key.key.thumbprint


def test_asking_without_blocking_says_the_same():
    token, asked = Mint().token(), validator()
    assert asyncio.run(adecide(asked, token, **WHO)).decision == decide(asked, token, **WHO).decision


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({"client_id": "a", "azp": "b"}, "a"),
        ({"azp": "b", "appid": "c"}, "b"),
        ({"appid": "c"}, "c"),
        ({"cid": "d"}, "d"),
        ({"appid": 5}, None),
        ({}, None),
    ],
)
def test_to_whom_it_was_issued(claims: dict[str, object], client: str | None):
    assert decide(validator(), Mint().token(**claims), **WHO).decision.client == client


def test_the_digest_is_not_of_the_signature():
    """Whoever holds an ES256 token can make another of it; its name in the log stays."""
    key = jwk("ES256")
    token = Mint("ES256", "ES256").token()
    first = decide(validator(key), token, **WHO)
    signed = token.rpartition(".")[0]
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    raw = decode_segment(token.rpartition(".")[2].encode())
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    second = decide(validator(key), f"{signed}.{b64url(other)}", **WHO)
    assert first.decision.verdict == second.decision.verdict == "accepted"
    assert first.decision.digest == second.decision.digest


@pytest.mark.parametrize(
    ("token", "rule", "seen"),
    [
        (Mint(key="Ed25519:consumer").token(), "key-issuer", {"issuer": ISSUER, "kid": "Ed25519:consumer"}),
        (Mint().token(exp=T - 3600), "token-expired", {"expires": T - 3600, "subject": "mailbox-7"}),
        (Mint().token(aud="elsewhere"), "token-audience", {"audience": ("elsewhere",)}),
        (Mint().token(tid=CONSUMERS), "token-tenant", {"tenant": CONSUMERS}),
        (Mint().token(iss="x" * 1000), "token-issuer", {"issuer": "x" * MOST_TEXT}),
        (Mint().token(iss=5), "claim-type", {"issuer": None}),
        (Mint().token(aud=["a"] * 100), "token-audience", {"audience": ("a",) * MOST_AUDIENCES}),
        (Mint().token(aud={"a": 1}), "claim-type", {"audience": ()}),
        (Mint().token(exp="soon"), "claim-type", {"expires": None}),
        (Mint().token(exp=1e300), "claim-type", {"expires": None}),
        (Mint().token(iat=True), "claim-type", {"issued_at": None}),
        (Mint(header={"jwk": {}}).token(), "token-embedded-key", {"kid": None, "subject": None}),
        (Mint(payload=b"[]").token(), "token-json", {"kid": "Ed25519", "issuer": None}),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_a_refused_token(token: str, rule: str, seen: dict[str, object]):
    decided = decide(validator(), token, **WHO)
    row = decided.decision
    assert (row.verdict, row.rule, row.thumbprint) == ("refused", rule, None)
    assert row.digest == digest(token)
    assert {name: getattr(row, name) for name in seen} == seen
    with pytest.raises(TokenError) as caught:
        decided.unwrap()
    assert caught.value.code == rule


@pytest.mark.parametrize("token", ["", "a.b", "x" * 20_000, "ä.b.c", "a.b.c.d.e", "..", b"a.b"])
def test_what_has_not_the_form_of_a_token_has_no_name(token: str | bytes):
    row = decide(validator(), token, **WHO).decision
    assert (row.verdict, row.digest) == ("refused", None)


class Silent(KeySource):
    """A source that has no answer."""

    def find(self, kid: str | None) -> ScopedKey:
        raise KeySourceError("no answer in time", path="https://keys.example")


def test_without_keys_there_is_no_decision():
    rule = IssuerRule(Silent(), "enterprise")
    asked = Validator(Policy({ISSUER: rule}, {MAIL: frozenset({"enterprise"})}), time=lambda: NOW)
    with pytest.raises(KeySourceError):
        decide(asked, Mint().token(), **WHO)
    with pytest.raises(KeySourceError):
        asyncio.run(adecide(asked, Mint().token(), **WHO))


def test_an_unknown_audience_is_the_callers_fault():
    with pytest.raises(PolicyError):
        decide(validator(), Mint().token(), audience="https://elsewhere.example", **WHO)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "tid", "aud", "iat", "exp", "client_id", "azp", "scope"]),
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.integers(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=4,
        ),
    )
)
def test_whatever_a_token_says_there_is_a_row(claims: dict[str, object]):
    token = Mint(payload=json.dumps(claims).encode()).token()
    row = decide(validator(), token, **WHO).decision
    assert parse_line(to_line(row)) == row
