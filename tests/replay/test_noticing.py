from __future__ import annotations

import time
from pathlib import Path

import pytest

from immure.digest import signed_digest
from immure.errors import ImmureError, InputError
from immure.ledger.opening import open_ledger
from immure.ledger.row import Issued
from immure.replay.mail.system import STRANGER, USERS, Access
from immure.replay.noticing import CustomersRule, Reconciliation, Watchers
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.log import AcceptanceLog

ISSUER = "https://login.example"
NOW = 1_790_000_000


def row(name: bytes, *, issued_at: int = NOW, rule: str = "") -> Decision:
    return Decision(
        time=NOW + 1,
        digest=signed_digest(name),
        issuer=ISSUER,
        kid="k1",
        subject="ada",
        issued_at=issued_at,
        rule=rule,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Has issued one token, and everything from before NOW + 5."""
    with open_ledger(str(tmp_path / "ledger.db"), create=True) as store:
        store.append([Issued(signed_digest(b"genuine"), ISSUER, "k1", NOW, NOW + 3600)])
        with store.sealing():
            store.close_until(ISSUER, NOW + 5)
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    ("rows", "forged"),
    [
        ([row(b"genuine")], 0),
        ([row(b"forged")], 1),
        ([row(b"forged"), row(b"genuine"), row(b"forged too")], 2),
        ([row(b"forged", rule="key-issuer")], 0),  # it was refused
        ([row(b"forged", issued_at=NOW + 60)], 0),  # the ledger does not speak of that time yet
    ],
)
def test_accepted_minus_issued(rows: list[Decision], forged: int, ledger: Path, tmp_path: Path) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        for one in rows:
            log.record(one)
        reconciliation = Reconciliation(tmp_path / "accepted", ledger)
        words = reconciliation.look()
    assert (words is not None) == (forged > 0)
    assert len(reconciliation.forged) == forged
    assert reconciliation.look() == words  # the log is sealed by now, and is looked at again
    assert len(reconciliation.forged) == forged


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
