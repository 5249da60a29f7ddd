from __future__ import annotations

import time

import pytest

from immure.errors import ImmureError, InputError
from immure.replay.mail.system import STRANGER, USERS, Access
from immure.replay.noticing import CustomersRule, Watchers


@pytest.mark.parametrize(
    ("remotes", "strange"), [([USERS], 0), ([USERS, STRANGER], 1), ([STRANGER, STRANGER], 2), ([], 0)]
)
def test_the_rule_of_a_customer(remotes: list[str], strange: int) -> None:
    rows = [Access("a@b.example", str(number), remote, "00") for number, remote in enumerate(remotes)]
    rule = CustomersRule(lambda: rows, frozenset({("a@b.example", USERS)}))
    words = rule.look()
    assert (words is not None) == (strange > 0)
    assert len(rule.strange) == strange


def test_watchers_look_until_they_see_something() -> None:
    said: list[tuple[str, str]] = []
    calls = iter([None, None, "there it is"])
    watchers = Watchers({"ledger": lambda: next(calls)}, lambda *words: said.append(words))
    watchers.start()
    assert watchers.wait(20) == []
    assert said == [("ledger", "there it is")]


def test_watchers_who_see_nothing_are_named() -> None:
    watchers = Watchers({"ledger": lambda: None}, lambda *_: None)
    watchers.start()
    began = time.monotonic()
    assert watchers.wait(0.3) == ["ledger"]
    assert time.monotonic() - began < 20


def test_watchers_who_cannot_look_say_so() -> None:
    def look() -> str | None:
        raise InputError("cannot be read")

    watchers = Watchers({"ledger": look}, lambda *_: None)
    watchers.start()
    assert watchers.wait(0.3) == ["ledger"]
    assert isinstance(watchers.error, ImmureError)
