"""A row is read as it was written, and nothing that is no row is taken for one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceRowError
from immure.tokens.acceptance.rows import parse_line, to_line

GOOD = {"time": 1.5, "verdict": "refused", "rule": "key-issuer", "digest": "00" * 16, "kid": "1"}
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
TIMES = st.integers(0, 2**40) | st.floats(0, 1e12)
DECISIONS = st.builds(
    Decision,
    time=TIMES,
    digest=st.none() | st.binary(min_size=16, max_size=16),
    audience=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    issued_at=st.none() | TIMES,
    expires=st.none() | TIMES,
    rule=st.sampled_from(["", "token-expired", "key-issuer"]),
    relying_party=st.text(st.characters(exclude_categories=["Cs"])),
    channel=st.sampled_from(["", "imap", "introspection"]),
    **dict.fromkeys(("issuer", "kid", "thumbprint", "subject", "tenant", "client"), TEXTS),
)


@given(DECISIONS)
def test_a_row_comes_back(decision: Decision):
    line = to_line(decision)
    assert line.isascii()
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert parse_line(line) == decision
    written = json.loads(line)  # any reader of JSON sees the same
    assert (written["verdict"], written.get("subject")) == (decision.verdict, decision.subject)


def test_every_value_of_a_decision_is_in_a_row():
    whole = Decision(
        time=1.0, digest=bytes(16), issuer="i", kid="k", thumbprint="t", subject="s", tenant="n",
        audience=("a",), client="c", issued_at=2, expires=3, rule="r", relying_party="p", channel="h",
    )  # fmt: skip
    assert {field.name for field in fields(whole)} | {"verdict"} == json.loads(to_line(whole)).keys()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": None}, "time of a row"),
        ({"time": "1"}, "time of a row"),
        ({"time": True}, "time of a row"),
        ({"time": -1}, "time of a row"),
        ({"verdict": "accepted"}, "do not agree"),
        ({"verdict": None}, "do not agree"),
        ({"rule": ""}, "do not agree"),
        ({"rule": 5}, "do not agree"),
        ({"digest": "00" * 15}, "digest of a row"),
        ({"digest": "0A" * 16}, "digest of a row"),
        ({"digest": "0a " * 16}, "digest of a row"),
        ({"digest": None}, "digest of a row"),
        ({"kid": 1}, "kid of a row"),
        ({"subject": None}, "subject of a row"),
        ({"audience": "a"}, "audience of a row"),
        ({"audience": [1]}, "audience of a row"),
        ({"expires": [1]}, "expires of a row"),
        ({"more": 1}, "unknown member"),
    ],
)
def test_what_is_no_row_is_refused(change: dict[str, object], words: str):
    assert parse_line(json.dumps(GOOD).encode()).rule == "key-issuer"
    with pytest.raises(AcceptanceRowError, match=words):
        parse_line(json.dumps({**GOOD, **change}).encode())


@given(st.binary(max_size=200), DECISIONS, st.integers(0, 300))
def test_hostile_bytes_raise_only_our_error(junk: bytes, decision: Decision, at: int):
    line = to_line(decision)
    for data in (junk, line[:at] + junk + line[at:], line[:at]):
        with suppress(AcceptanceRowError):
            assert isinstance(parse_line(data), Decision)


def test_a_member_twice_is_refused():
    with pytest.raises(AcceptanceRowError, match="twice"):
        parse_line(b'{"time":1,"verdict":"accepted","time":2}')
