"""What an MCP server is told of a token; test_mcp.py has it in the server."""

from __future__ import annotations

import asyncio

import pytest

from immure.errors import UsageError
from immure.integrations.bearer import Guard, Refusal, Request
from immure.integrations.mcp import Verifier, access_token, claims, scopes
from integrations.doors import BOUND, GOOD, bearer, down_guard, guard
from tokens.minting import ISSUER, MAIL, Mint


def test_without_keys_a_verifier_does_not_say_that_the_token_is_bad():
    with pytest.raises(Refusal) as refused:
        asyncio.run(Verifier(down_guard()).verify_token(GOOD))
    assert refused.value.status == 503


@pytest.mark.parametrize("token", ["", "a b", "garbage", "\r\n", BOUND, f"{GOOD}, {GOOD}", "é"])
def test_a_verifier_refuses(token):
    assert asyncio.run(Verifier(guard()).verify_token(token)) is None


def test_what_a_verifier_says_of_a_token():
    token = Mint().token(scope="b a", azp="client-9", exp=1_800_000_000.5)
    made = asyncio.run(Verifier(guard()).verify_token(token))
    assert (made.client_id, made.subject, made.scopes) == ("client-9", "mailbox-7", ["a", "b"])
    assert (made.resource, made.expires_at, made.claims["iss"]) == (MAIL, 1_800_000_000, ISSUER)
    assert made.token == token
    assert token not in repr(made)
    assert made.accepted.audience_class == "enterprise"


@pytest.mark.parametrize(
    ("changes", "client"),
    [
        ({"client_id": "a", "azp": "b"}, "a"),
        ({"appid": "b"}, "b"),
        ({"cid": "c"}, "c"),
        ({}, "mailbox-7"),
        ({"sub": None}, ""),
    ],
)
def test_whose_client_it_is(changes, client):
    token = Mint().token(**changes)
    found = guard().check(Request("POST", "", bearer(token)[0][1:]))
    assert access_token(token, found, guard()).client_id == client


def test_without_an_audience_of_the_guard_it_is_the_tokens():
    any_of_ours = Guard(guard().validator)
    found = any_of_ours.check(Request("POST", "", [f"Bearer {GOOD}"]))
    assert access_token(GOOD, found, any_of_ours).resource == MAIL


def test_a_server_that_is_not_protected():
    with pytest.raises(UsageError):
        claims()
    with pytest.raises(UsageError):
        scopes()
