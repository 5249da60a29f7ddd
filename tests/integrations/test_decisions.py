"""What a guard passes on to the log of acceptances, and what happens when it cannot."""

from __future__ import annotations

import gc

import pytest

from immure.digest import signed_digest
from immure.errors import UsageError
from immure.integrations.bearer import Guard
from immure.tokens.acceptance.errors import AcceptanceLogError
from integrations.asking import outcome, request
from integrations.doors import GOOD, bearer, bound, down_guard, guard, proof
from tokens.minting import MAIL, Mint, validator


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("headers", "scopes", "rule", "has_key"),
    [
        pytest.param(bearer(GOOD), None, "", True, id="accepted"),
        pytest.param(bearer(GOOD), ["mail.send"], "scope-missing", True, id="scope"),
        pytest.param(bearer(Mint(key="Ed25519:consumer").token()), None, "key-issuer", False, id="refused"),
        pytest.param(bound(proof("x")), None, "dpop-proof", True, id="proof"),
    ],
)
def test_a_decision_for_every_token(headers, scopes, rule, has_key, waits):
    rows = []

    async def arecord(row):
        rows.append(row)

    door = guard(record=arecord if waits else rows.append)
    outcome(door, request(headers=headers), scopes=scopes, waits=waits)
    (row,) = rows
    assert (row.rule, row.thumbprint is not None) == (rule, has_key)
    assert (row.relying_party, row.channel, row.subject) == (MAIL, "http", "mailbox-7")
    token = headers[0][1].split()[1]
    assert row.digest == signed_digest(token.rpartition(".")[0].encode())


def test_names_in_the_record():
    rows = []
    door = guard(record=rows.append, relying_party="mail-1", channel="mcp")
    outcome(door, request(headers=bearer("garbage")))
    assert (rows[0].relying_party, rows[0].channel, rows[0].rule) == ("mail-1", "mcp", "token-form")
    assert rows[0].digest is None


def test_a_guard_for_any_audience_has_no_name():
    rows = []
    outcome(Guard(validator(), record=rows.append), request(headers=bearer(GOOD)))
    assert (rows[0].relying_party, rows[0].verdict) == ("", "accepted")


def test_no_decision_without_a_token_or_without_keys():
    rows = []
    outcome(guard(record=rows.append), request())
    outcome(guard(record=rows.append), request(headers=bearer(GOOD) * 2))
    outcome(down_guard(record=rows.append), request(headers=bearer(GOOD)))
    assert not rows


def full(_row):
    raise AcceptanceLogError("the disk is full")


async def afull(_row):
    full(_row)


@pytest.mark.parametrize(("record", "waits"), [(full, False), (full, True), (afull, True)])
def test_what_cannot_be_recorded_is_not_accepted(record, waits):
    got = outcome(guard(record=record), request(headers=bearer(GOOD)), waits=waits)
    assert (got.status, got.rule) == (503, "acceptance-log")
    assert [name for name, _ in got.headers] == ["Retry-After", "Cache-Control"]


def test_a_record_that_nobody_awaits_lets_nothing_in(recwarn):
    with pytest.raises(UsageError):
        guard(record=afull).check(request(headers=bearer(GOOD)))
    gc.collect()
    assert not recwarn.list  # of a coroutine that was never awaited


def test_a_record_may_return_what_it_likes():
    assert guard(record=lambda row: True).check(request(headers=bearer(GOOD))).subject == "mailbox-7"
