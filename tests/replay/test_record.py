from __future__ import annotations

import json
from dataclasses import replace

import pytest

from immure.replay.record import Notice, Outcome, Reading, Tale
from immure.replay.scenario import read_scenario

STORM = read_scenario("storm-0558")
EVERYTHING = Reading(25, 75, 25, "", 1.0, 2.0)
NOTHING = Reading(0, 0, 25, "token-signature")


def told(
    controls: set[str],
    reading: Reading,
    broken: tuple[str, ...] = (),
    notices: tuple[str, ...] = (),
) -> Outcome:
    tale = Tale(STORM, frozenset(controls))
    tale.reading = reading
    for control in broken:
        tale.break_by(control, "as it should")
    for control in notices:
        tale.notice(Notice(control, 6.5, 25, "a token that nobody issued"))
    return tale.outcome()


@pytest.mark.parametrize(
    ("controls", "reading", "broken", "notices", "broke_at", "as_expected"),
    [
        (set(), EVERYTHING, (), (), None, True),
        (set(), NOTHING, (), (), None, False),  # nothing was read, and no control says why
        (set(), replace(EVERYTHING, mailboxes=24), (), (), None, False),
        ({"gate"}, NOTHING, ("gate",), (), 2, True),
        ({"gate"}, EVERYTHING, (), (), None, False),  # the gate is a sham
        ({"gate"}, EVERYTHING, ("gate",), (), None, False),  # it says that it holds, and mail is read
        ({"gate"}, NOTHING, ("scan",), (), 3, False),
        ({"gate", "custody"}, NOTHING, ("gate", "custody"), (), 1, True),
        ({"gate", "custody"}, NOTHING, ("gate",), (), 2, False),  # custody is a sham, and the gate hides it
        ({"ledger"}, EVERYTHING, (), ("ledger",), None, True),
        ({"ledger"}, EVERYTHING, (), (), None, False),
        ({"access"}, NOTHING, ("access",), (), 4, True),
        ({"access"}, EVERYTHING, (), (), None, False),
        ({"response"}, EVERYTHING, (), ("response",), None, True),
        ({"response"}, EVERYTHING, (), (), None, False),
        ({"ledger", "mail-log"}, EVERYTHING, (), ("ledger",), None, False),
        ({"ledger", "mail-log"}, EVERYTHING, (), ("mail-log", "ledger"), None, True),
        (set(), EVERYTHING, (), ("ledger",), None, False),
    ],
)
def test_what_came_of_it(
    controls: set[str],
    reading: Reading,
    broken: tuple[str, ...],
    notices: tuple[str, ...],
    broke_at: int | None,
    as_expected: bool,
) -> None:
    outcome = told(controls, reading, broken, notices)
    assert outcome.broke_at == broke_at
    assert outcome.is_as_expected is as_expected


def test_what_became_of_the_links() -> None:
    went_through = [one.status for one in told(set(), EVERYTHING).links]
    assert went_through == ["failed"] * 8
    noticed = [one.status for one in told({"ledger"}, EVERYTHING, (), ("ledger",)).links]
    assert noticed == ["failed"] * 6 + ["noticed", "failed"]
    broken = [one.status for one in told({"scan"}, NOTHING, ("scan",)).links]
    assert broken == ["failed", "failed", "broke", "idle", "idle", "idle", "idle", "idle"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (told(set(), EVERYTHING), "The mail of 25 organizations was read, and nobody knows."),
        (
            told({"ledger"}, EVERYTHING, (), ("ledger",)),
            "The mail of 25 organizations was read; noticed after 6.5 s, by ledger.",
        ),
        (
            told({"gate"}, NOTHING, ("gate",)),
            "The chain broke at link 2 (The dump leaves production), by gate. No mail was read.",
        ),
    ],
)
def test_the_verdict(outcome: Outcome, words: str) -> None:
    assert outcome.verdict == words


def test_the_json_of_a_world() -> None:
    made = json.loads(json.dumps(told({"gate"}, NOTHING, ("gate",)).to_json()))
    assert made["broke_at"] == 2
    assert made["broken_by"] == "gate"
    assert made["response"] is None
    assert made["as_expected"] is True
    assert [one["number"] for one in made["links"]] == list(range(1, 9))
    assert made["moments"][0]["what"].startswith("LINK BROKEN by gate")
