"""The guard itself, without a framework: the whole table, both ways, and what no framework can show."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.integrations.bearer import Refusal, Request
from immure.integrations.credentials import read_credentials
from integrations.asking import outcome, request
from integrations.doors import CASES, GOOD, bearer, bound, check_answer, down_guard, guard, proof
from tokens.minting import Mint


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("case", [case for case in CASES if case.id != "open"])
def test_every_row(case, waits):
    path = urlsplit(case.path).path
    door = down_guard() if path == "/down" else guard()
    scopes = ["mail.send"] if path == "/send" else None
    got = outcome(door, request(case.path, case.headers()), scopes=scopes, waits=waits)
    if isinstance(got, Refusal):
        headers = [*got.headers, ("Content-Type", got.media_type)]
        check_answer(case, got.status, headers, got.body())
        assert got.rule == case.rule
    else:
        assert (case.status, got.subject) == (200, "mailbox-7")


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        pytest.param(f"Bearer    {GOOD}", None, id="blanks"),
        pytest.param(f"  BEARER {GOOD}  ", None, id="blanks-around"),
        pytest.param(f"Bearer\t{GOOD}", "token-absent", id="tab"),
        pytest.param(f"Bearer {GOOD}\n", "credentials", id="line"),
        pytest.param(f"Bearer {GOOD}\u2003", "credentials", id="another-blank"),
        pytest.param(f"Bearer {GOOD};", "credentials", id="semicolon"),
        pytest.param(f'Bearer "{GOOD}"', "credentials", id="quoted"),
        pytest.param(f"Bearer ={GOOD}", "credentials", id="equals-first"),
        pytest.param("Bearer  ", "credentials", id="nothing"),
        pytest.param("", "credentials", id="empty"),
        pytest.param(" \t", "credentials", id="blank"),
        pytest.param(GOOD, "token-absent", id="no-scheme"),
        pytest.param(f"Bearer{GOOD}", "token-absent", id="no-blank"),
        pytest.param(f"Token {GOOD}", "token-absent", id="another-scheme"),
        pytest.param("Bearer abc==", "token-form", id="opaque"),
        pytest.param(f"Bearer {'A' * (16 << 10)}", "token-form", id="as-long-as-can-be"),
        pytest.param(f"Bearer {'?' * (16 << 10)}", "credentials", id="as-long-as-can-be-and-no-token"),
        pytest.param(f"Bearer {'?' * ((16 << 10) + 1)}", "token-size", id="longer"),
    ],
)
def test_the_field(field, rule):
    got = outcome(guard(), request(headers=[("Authorization", field)]))
    assert (got.rule if isinstance(got, Refusal) else None) == rule


def test_the_guards_own_scopes_are_asked_besides_those_of_a_request():
    door = guard(scopes=["mail.read"])
    assert outcome(door, request(headers=bearer(GOOD))).subject == "mailbox-7"
    sender = Mint().token(scope="mail.send")
    got = outcome(door, request(headers=bearer(sender)), scopes=["mail.send"])
    assert got.scopes == ("mail.read", "mail.send")
    assert 'scope="mail.read mail.send"' in got.headers[0][1]


@pytest.mark.parametrize(
    ("headers", "scheme"), [(lambda: bearer(GOOD), "Bearer"), (lambda: bound(proof()), "DPoP")]
)
def test_more_scopes_for_a_request_that_was_let_in(headers, scheme):
    door = guard()
    claims = outcome(door, request(headers=headers()))
    door.check_scopes(claims, [])
    with pytest.raises(Refusal) as refused:
        door.check_scopes(claims, ["mail.send"])
    answer = refused.value
    assert (answer.status, answer.scopes) == (403, ("mail.send",))
    by_bearer, by_proof = answer.headers[0][1].split("DPoP ")
    told, silent = (by_proof, by_bearer) if scheme == "DPoP" else (by_bearer, by_proof)
    assert 'error="insufficient_scope"' in told
    assert 'scope="mail.send"' in told
    assert "insufficient_scope" not in silent


def test_no_scopes_for_a_request_take_nothing_from_the_guards():
    assert outcome(guard(scopes=["mail.send"]), request(headers=bearer(GOOD)), scopes=[]).status == 403


def test_nothing_secret_is_shown():
    asked = request(f"/me?access_token={GOOD}", bound(proof(), token=GOOD), certificate=b"der")
    shown = repr(asked) + repr(read_credentials(asked.authorization))
    assert GOOD not in shown
    assert shown == "Request(method='GET')Credentials(scheme='dpop')"


_ANY = st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
_VALUES = st.lists(_ANY | st.builds("{} {}".format, st.sampled_from(["Bearer", "DPoP"]), _ANY), max_size=2)
_DOOR = guard()


@settings(max_examples=300, deadline=None)
@given(_VALUES, st.lists(_ANY, max_size=2), _ANY)
def test_garbage_is_refused_and_nothing_else_happens(values, proofs, url):
    with pytest.raises(Refusal) as refused:
        _DOOR.check(Request("GET", url, values, proofs))
    answer = refused.value
    assert answer.status in (400, 401)
    for name, value in answer.headers:
        assert (name + value).isascii()
        assert (name + value).isprintable()


def test_a_long_field_is_not_looked_into():
    got = outcome(guard(), request(headers=bearer("A" * (8 << 20))))
    assert (got.status, got.rule) == (401, "token-size")


def test_no_framework_is_loaded():
    """Whoever has one framework need not have the others."""
    code = (
        "import sys, immure.integrations.bearer; "
        "found = {'starlette','fastapi','mcp','flask','django','rest_framework','aiohttp','grpc','pydantic'}"
        " & set(sys.modules); sys.exit(' '.join(found) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
