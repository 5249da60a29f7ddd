"""Whole worlds with real parts: a part of the matrix, for a part of the organizations, and one sham.

The whole matrix for all of them, and more shams, are in ``tests/drill/test_replay.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from immure.access.webauthn import assertion
from immure.replay import responding
from immure.replay.errors import ReplayError
from immure.replay.issuers import CUSTODIES
from immure.replay.mail import why_no_dovecot
from immure.replay.matrix import all_on, as_in_2023
from immure.replay.options import Options
from immure.replay.playing import play
from immure.replay.record import Outcome
from immure.replay.scenario import Scenario, read_scenario
from immure.replay.stage import Stage
from immure.response.containment.running import ContainmentRun
from immure.response.containment.running import Outcome as Contained
from immure.transfer import gate
from immure.transfer.case import Case, Decision
from immure.transfer.case import Outcome as RuleOutcome
from immure.transfer.policy import Policy

EVERYBODY = 5


@pytest.fixture(scope="module")
def storm() -> Scenario:
    whole = read_scenario("storm-0558")
    return replace(whole, organizations=whole.organizations[:EVERYBODY])


@pytest.fixture(scope="module")
def stage(storm: Scenario) -> Iterator[Stage]:
    with Stage(storm, Options()) as made:
        yield made


@pytest.fixture(scope="module")
def nothing_on(stage: Stage) -> Outcome:
    return play(stage, as_in_2023().controls)


def test_with_nothing_on_everything_is_read_and_nobody_knows(nothing_on: Outcome) -> None:
    assert nothing_on.broke_at is None
    assert nothing_on.reading.mailboxes == EVERYBODY
    assert nothing_on.reading.messages == 3 * EVERYBODY
    assert nothing_on.notices == ()
    assert nothing_on.proofs == ("nothing: no log of that time says what was read, or by whose token",)
    assert nothing_on.is_as_expected
    assert nothing_on.dump is not None
    assert nothing_on.dump.findings[0].key.origin.kid == "consumer-0001"


def test_the_mail_is_read_over_imap(nothing_on: Outcome) -> None:
    why_not = why_no_dovecot()
    if why_not is not None:
        pytest.skip(f"NOT TESTED: {why_not}")
    assert any(part.startswith("mail: Dovecot, over IMAP") for part in nothing_on.parts)


def test_key_scope_alone(stage: Stage) -> None:
    outcome = play(stage, frozenset({"key-scope"}))
    assert (outcome.broke_at, outcome.broken_by) == (6, "key-scope")
    assert outcome.reading.mailboxes == 0
    assert outcome.reading.refusal == "key-issuer"
    assert outcome.is_as_expected


def test_a_gate_that_lets_everything_out_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def allow(policy: Policy, case: Case) -> Decision:
        return Decision(case, policy.version, (RuleOutcome("sham", True, "always"),))

    monkeypatch.setattr(gate, "decide", allow)
    outcome = play(stage, frozenset({"gate"}))
    assert outcome.reading.mailboxes == EVERYBODY
    assert not outcome.is_as_expected


def test_access_alone(stage: Stage) -> None:
    """The engineer comes in, and he who has taken her corporate account does not."""
    outcome = play(stage, frozenset({"access"}))
    assert (outcome.broke_at, outcome.broken_by) == (4, "access")
    assert outcome.reading.mailboxes == 0
    said = [one.words for one in outcome.moments if one.link == 4]
    assert any("the engineer comes in as prd-ada" in words for words in said)
    assert any("6 tries open neither room" in words for words in said)
    assert outcome.is_as_expected


@pytest.mark.drill
def test_a_door_that_does_not_look_at_signatures_is_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assertion, "_check_signature", lambda *_: None)
    outcome = play(stage, frozenset({"access"}))
    assert outcome.reading.mailboxes == EVERYBODY
    assert not outcome.is_as_expected


def test_the_response_alone(stage: Stage) -> None:
    outcome = play(stage, frozenset({"response"}))
    assert outcome.broke_at is None
    assert outcome.reading.mailboxes == EVERYBODY
    response = outcome.response
    assert response is not None
    assert (response.told_by, response.organizations_told, response.letters) == (
        "report",
        EVERYBODY,
        EVERYBODY,
    )
    assert response.mailboxes_read_again == 0
    assert response.at_least  # no log says what was read
    assert [one.control for one in outcome.notices] == ["response"]
    assert outcome.is_as_expected


@pytest.mark.drill
def test_a_response_that_does_nothing_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContainmentRun, "carry_out", lambda _: Contained(()))
    monkeypatch.setattr(responding, "_PATIENCE", 1.0)
    with pytest.raises(ReplayError, match="not seen to refuse the key"):
        play(stage, frozenset({"response"}))


def test_with_everything_on_the_chain_breaks_at_its_first_link(stage: Stage, storm: Scenario) -> None:
    outcome = play(stage, all_on(storm).controls)
    assert (outcome.broke_at, outcome.broken_by) == (1, "custody")
    assert outcome.reading.mailboxes == 0
    assert outcome.custody == stage.custody
    assert any(part.startswith(f"custody: {CUSTODIES[stage.custody]}") for part in outcome.parts)
    assert outcome.reconciled_by == "detect"  # the extra is in the environment of development
    assert any("none was forged" in proof for proof in outcome.proofs)
    assert not any("rules of immure detect" in proof for proof in outcome.proofs)  # of genuine tokens
    assert outcome.is_as_expected
