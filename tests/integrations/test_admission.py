"""Asked once, and asked again: what a second question costs, and whose answer counts."""

from __future__ import annotations

import asyncio

import pytest

from immure.integrations.admission import aadmit, admit, asked_by, asks, is_public, public
from immure.integrations.bearer import Refusal, Request
from integrations.doors import GOOD, HOLDER, bearer, bound, guard, proof
from tokens.minting import MAIL, Mint, validator


def request(headers):
    named = {name: [value for other, value in headers if other == name] for name, _ in headers}
    return Request("GET", MAIL + "/me", named.get("Authorization", []), named.get("DPoP", []))


def _waiting(*arguments):
    return asyncio.run(aadmit(*arguments))


@pytest.mark.parametrize("enter", [admit, _waiting], ids=["sync", "async"])
def test_the_same_guard_looks_once(enter):
    decisions = []
    door = guard(record=decisions.append)
    token = Mint().token(cnf={"jkt": HOLDER}, scope="mail.read")
    came = request(bound(proof(token), token=token))
    first = enter(door, came, ["mail.read"], None)
    assert enter(door, came, ["mail.read"], first) is first
    with pytest.raises(Refusal) as caught:
        enter(door, came, ["mail.read", "mail.send"], first)
    assert (caught.value.status, caught.value.rule) == (403, "scope-missing")
    with pytest.raises(Refusal) as caught:
        enter(door, came, [], None)
    assert caught.value.rule == "dpop-proof"
    assert len(decisions) == 2


@pytest.mark.parametrize("enter", [admit, _waiting], ids=["sync", "async"])
def test_what_another_guard_said_does_not_count(enter):
    stricter = guard(validator=validator(rule={"algorithms": frozenset({"RS256"})}))
    before = admit(guard(), request(bearer(GOOD)), [], None)
    with pytest.raises(Refusal) as caught:
        enter(stricter, request(bearer(GOOD)), [], before)
    assert caught.value.rule == "token-alg"


def test_marks():
    class Views:
        def one(self):
            pass

        @public
        def two(self):
            pass

    @public
    class Public:
        pass

    class Derived(Public):
        pass

    views, door = Views(), guard()
    assert [is_public(one) for one in (views.one, views.two, Public, Derived)] == [False, True, True, False]
    assert not any(is_public(one) for one in (None, "x", 7, print, Views))

    def view():
        pass

    asks(view, door, ["a"])
    asks(view, door, ["b"])
    assert (asked_by(view, door), asked_by(view, guard()), asked_by(print, door)) == (("a", "b"), (), ())
