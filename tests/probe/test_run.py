"""When a probe says what: the controls around the questions."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from immure.errors import UsageError
from immure.probe.answer import Answer, Outcome
from immure.probe.case import Case, chosen
from immure.probe.catalogue import CATALOGUE
from immure.probe.errors import CarryError, KitError
from immure.probe.kit import Kit
from immure.probe.pace import Pace
from immure.probe.result import ProbeReport, Verdict
from immure.probe.run import BETWEEN, Probe, digest

from .parties import IN, OUT, Told, at_once

SCOPE = chosen(CATALOGUE, ["scope"])
BROKE = Answer(Outcome.BROKE, "broke")
SILENT = Answer(Outcome.NO_ANSWER, "silent")


def claims_of(token: str | None) -> dict[str, Any]:
    try:
        text = (token or "").split(".")[1]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (IndexError, ValueError):
        return {}


def is_good(kit: Kit, token: str | None) -> bool:
    """As far as one can see who looks at no signature: of the target, by one of its plain keys."""
    text = (token or "").split(".")[0]
    head = json.loads(base64.urlsafe_b64decode(text + "==")) if token and "." in token else {}
    said = claims_of(token)
    return (
        said.get("iss") == kit.target.issuer
        and said.get("tid") == kit.target.tenant
        and said.get("aud") == kit.target.audience
        and head.get("kid") in ("enterprise-rs256", "enterprise-es256")
    )


def run(kit: Kit, channel: Told, cases: list[Case] | None = None, **options: Any) -> ProbeReport:
    return Probe(channel, kit, cases or SCOPE, pace=options.pop("pace", at_once()), **options).run()


def strict(kit: Kit) -> Told:
    return Told(lambda token, _: IN if is_good(kit, token) else OUT)


def test_who_refuses_what_is_not_good_lets_little_in(kit: Kit) -> None:
    report = run(kit, strict(kit))
    assert report.verdict is Verdict.LET_IN  # it looks at no signature
    assert {one.case.id for one in report.holes} == {"scope.incident-other-kid"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (IN, "junk is not refused, so that being let in means nothing"),
        (OUT, "no good token is let in, so that refusals mean nothing"),
        (BROKE, "no good token is let in, so that refusals mean nothing"),
        (SILENT, "no good token is let in, so that refusals mean nothing"),
        (Answer(Outcome.UNCLEAR, "?"), "no good token is let in, so that refusals mean nothing"),
    ],
)
def test_who_always_says_the_same_tells_nothing(kit: Kit, answer: Answer, reason: str) -> None:
    channel = Told(lambda token, _: answer)
    report = run(kit, channel)
    assert (report.verdict, report.reason) == (Verdict.CANNOT_TELL, reason)
    assert {one.answer.outcome for one in report.results} == {Outcome.NOT_ASKED}
    assert len(channel.asked) <= 4
    assert not report.is_complete


def test_who_needs_no_token_tells_nothing(kit: Kit) -> None:
    party = Told(lambda token, _: IN if token is None or is_good(kit, token) else OUT, asks_without=True)
    report = run(kit, party)
    assert report.verdict is Verdict.CANNOT_TELL
    assert report.reason == "no token is needed there, so that being let in means nothing"


def test_who_begins_to_refuse_everybody_tells_nothing_of_what_came_since(kit: Kit) -> None:
    def locked(token: str | None, number: int) -> Answer:
        return IN if is_good(kit, token) and number < 2 * BETWEEN else OUT

    cases = [case for case in CATALOGUE if case.group in ("audience", "issuer", "hmac")]
    report = run(kit, Told(locked), cases)
    assert report.verdict is Verdict.CANNOT_TELL
    assert "the controls do not hold any more" in (report.reason or "")
    kinds = [one.answer.outcome for one in report.results]
    assert kinds[:BETWEEN] == [Outcome.REFUSED] * BETWEEN
    assert kinds[BETWEEN : 2 * BETWEEN] == [Outcome.UNCLEAR] * BETWEEN
    assert set(kinds[2 * BETWEEN :]) == {Outcome.NOT_ASKED}
    assert len(kinds) == len(cases)


def test_who_begins_to_let_everybody_in_has_no_holes_that_count(kit: Kit) -> None:
    def open_wide(token: str | None, number: int) -> Answer:
        return IN if is_good(kit, token) or number > 10 else OUT

    report = run(kit, Told(open_wide), chosen(CATALOGUE, ["audience"]))
    assert report.verdict is Verdict.CANNOT_TELL
    assert not report.holes


def test_a_hole_that_is_sure_outweighs_what_cannot_be_told(kit: Kit) -> None:
    def party(token: str | None, number: int) -> Answer:
        if claims_of(token).get("aud") == []:
            return IN
        return IN if is_good(kit, token) and number < 2 * BETWEEN else OUT

    cases = [case for case in CATALOGUE if case.group in ("audience", "issuer", "hmac")]
    cases.sort(key=lambda case: case.group)
    report = run(kit, Told(party), cases)
    assert [one.case.id for one in report.holes] == ["audience.empty-list"]
    assert report.verdict is Verdict.LET_IN
    assert report.reason is not None


def test_after_an_answer_that_is_none_the_controls_are_asked_at_once(kit: Kit) -> None:
    def party(token: str | None, number: int) -> Answer:
        return BROKE if claims_of(token).get("aud") == [] else IN if is_good(kit, token) else OUT

    report = run(kit, Told(party), chosen(CATALOGUE, ["audience"]))
    assert report.verdict is Verdict.NOTHING
    assert [one.case.id for one in report.of(Outcome.BROKE)] == ["audience.empty-list"]
    befores = [control.before for control in report.controls]
    place = [one.case.id for one in report.results].index("audience.empty-list")
    assert befores.count(place + 1) == 2


def test_silence_is_not_refusal(kit: Kit) -> None:
    def party(token: str | None, number: int) -> Answer:
        return SILENT if claims_of(token).get("aud") == [] else IN if is_good(kit, token) else OUT

    report = run(kit, Told(party), chosen(CATALOGUE, ["audience"]))
    assert report.verdict is Verdict.CANNOT_TELL
    assert not report.is_complete
    assert report.reason is None


def test_a_server_that_is_gone_ends_the_probe(kit: Kit) -> None:
    channel = Told(lambda token, number: SILENT if number > 7 else IN if is_good(kit, token) else OUT)
    report = run(kit, channel, chosen(CATALOGUE, ["audience"]))
    assert report.verdict is Verdict.CANNOT_TELL
    assert len(channel.asked) <= 10


def test_cases_that_need_a_key_which_is_not_taken_are_not_asked(kit: Kit) -> None:
    def party(token: str | None, number: int) -> Answer:
        return IN if is_good(kit, token) and "RS256" in base64.b64decode((token or "")[:32]).decode() else OUT

    report = run(kit, Told(party), chosen(CATALOGUE, ["signature"]))
    assert [kid for kid, _, _ in report.keys] == ["enterprise-rs256"]
    skipped = {one.case.id for one in report.of(Outcome.NOT_ASKED)}
    assert {"signature.zero-zero", "signature.der", "signature.negated"} <= skipped
    assert "signature.cut" not in skipped


def test_every_good_token_is_new(kit: Kit) -> None:
    channel = strict(kit)
    run(kit, channel, chosen(CATALOGUE, ["audience", "issuer"]))
    names = [claims_of(token).get("jti") for token in channel.asked if claims_of(token)]
    assert len(names) == len(set(names)) > BETWEEN


def test_a_token_that_cannot_be_carried_is_not_asked(kit: Kit) -> None:
    def party(token: str | None, number: int) -> Answer:
        if claims_of(token).get("aud") == []:
            raise CarryError("cannot")
        return IN if is_good(kit, token) else OUT

    report = run(kit, Told(party), chosen(CATALOGUE, ["audience"]))
    assert report.is_complete
    assert [one.answer.detail for one in report.of(Outcome.NOT_ASKED)] == ["cannot"]


def test_a_replay_of_what_is_not_let_in_tells_nothing(kit: Kit) -> None:
    party = Told(lambda token, number: IN if number < 3 and token and "." in token else OUT)
    report = run(replace(kit, single_use=True), party, chosen(CATALOGUE, ["bound.replayed"]))
    assert report.verdict is Verdict.CANNOT_TELL


def test_when_the_time_is_over(kit: Kit) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(1, 30, monotonic=lambda: now[0], sleep=sleep)
    report = run(kit, strict(kit), chosen(CATALOGUE, ["issuer", "audience"]), pace=pace)
    assert report.verdict is Verdict.CANNOT_TELL
    assert len(report.results) == len(chosen(CATALOGUE, ["issuer", "audience"]))
    assert report.of(Outcome.NOT_ASKED)


def test_no_faster_than_the_rate(kit: Kit) -> None:
    now, asked = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def party(token: str | None, number: int) -> Answer:
        asked.append(now[0])
        return IN if is_good(kit, token) else OUT

    run(kit, Told(party), pace=Pace(4, 900, monotonic=lambda: now[0], sleep=sleep))
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert min(gaps) == pytest.approx(0.25)


def test_progress_and_times(kit: Kit) -> None:
    seen: list[tuple[int, int, str]] = []
    moment = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    report = run(kit, strict(kit), time=lambda: moment, progress=lambda *told: seen.append(told))
    assert seen[0] == (0, len(SCOPE), "scope.incident")
    assert seen[-1][:2] == (len(SCOPE), len(SCOPE))
    assert report.begun == report.ended == moment


def test_nothing_to_ask_or_to_ask_with(kit: Kit) -> None:
    with pytest.raises(UsageError):
        Probe(strict(kit), kit, [])
    with pytest.raises(KitError):
        Probe(strict(kit), replace(kit, keys={}), SCOPE)


def test_a_token_is_named_by_what_is_signed() -> None:
    assert digest("a.b.c") == digest("a.b.d") != digest("a.c.c")
    assert len(digest("\ud800")) == 32
